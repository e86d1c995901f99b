"""The example for Blender, with the settings of the server of the tests."""

import os
import shutil
from pathlib import Path

import pytest
from addon import copied

import seatlock


@pytest.fixture
def environment(tmp_path):
    """For a Blender of its own, with a state folder and a computer of its own."""
    return {
        **os.environ,
        "HOME": str(tmp_path),
        "BLENDER_USER_RESOURCES": str(tmp_path / "blender"),
        "SEATLOCK_STATE_DIR": str(tmp_path / "state"),
        "SEATLOCK_MACHINE_ID": "a-computer-with-blender",
        "NO_PROXY": "127.0.0.1",
        "LIBGL_ALWAYS_SOFTWARE": "1",
    }


@pytest.fixture
def legacy(server, tmp_path):
    """A folder of scripts for Blender before 4.2, which has no extensions: the same code with
    `bl_info`, and the package beside it.
    """
    addons = tmp_path / "scripts/addons"
    addon = copied(server, addons / "bridge")
    source = (addon / "__init__.py").read_text("utf-8")
    info = '\n\nbl_info = {"name": "Bridge", "blender": (3, 4, 0), "category": "Import-Export"}\n'
    at = source.index('"""\n', 3) + 4
    (addon / "__init__.py").write_text(source[:at] + info + source[at:], "utf-8")
    modules = addons / "modules"
    shutil.copytree(Path(seatlock.__file__).parent, modules / "seatlock")
    return tmp_path / "scripts"
