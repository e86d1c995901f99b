"""The add-on for the server of the tests."""

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

EXAMPLE = Path(__file__).parents[4] / "examples/blender"


def copied(server, folder):
    """The add-on's files in `folder`, for the server of the tests."""
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    settings = (folder / "settings.py").read_text("utf-8")
    for name, value in (("SERVER", server.url), ("ROOT_KEY", server.root_key)):
        settings, count = re.subn(f'(?m)^{name} = ".*"$', f'{name} = "{value}"', settings)
        assert count == 1
    (folder / "settings.py").write_text(settings, "utf-8")
    return folder


def run(command, **more):
    ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, **more)
    return ended.returncode, ended.stdout + ended.stderr


def packed(server, wheel, folder):
    """The extension as a user installs it, with this wheel."""
    addon = copied(server, folder / "bridge")
    (addon / "wheels").mkdir()
    shutil.copy(wheel, addon / "wheels")
    manifest = (addon / "blender_manifest.toml").read_text("utf-8")
    mine = f'wheels = ["./wheels/{Path(wheel).name}"]'
    manifest, count = re.subn(r"wheels = \[[^\]]*\]", mine, manifest)
    assert count == 1
    (addon / "blender_manifest.toml").write_text(manifest, "utf-8")
    archive = folder / "bridge.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for path in sorted(addon.rglob("*")):
            if path.is_file():
                out.write(path, path.relative_to(addon))
    return archive
