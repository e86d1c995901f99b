"""The package against `include/ABI.txt`, which lists what the library has.

`SEATLOCK_UPDATE=1 pytest test_abi.py` writes `codes.py` anew.
"""

import ctypes
import os
from pathlib import Path

import pytest

from seatlock import codes, native

ROOT = Path(__file__).parents[3]
CODES = ROOT / "bindings/python/src/seatlock/codes.py"
ROWS = [
    line.split()
    for line in (ROOT / "include/ABI.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]
# Names of the enumerators of each type begin so.
ENUMS = [
    ("Code", "IntEnum", "", "What functions return, and what events and the status report."),
    ("Text", "IntEnum", "TEXT_", "Which text `Client.text` answers."),
    ("CredentialKind", "IntEnum", "CREDENTIAL_", "What a client asks the server with."),
    ("State", "IntEnum", "STATE_", "Whether there is a license."),
    ("Consent", "IntFlag", "CONSENT_", "What the user ticked."),
    ("Intent", "IntEnum", "INTENT_", "Why a host pings."),
    ("EventKind", "IntEnum", "EVENT_", "Kind of an event."),
]
LEFT_OUT = "LOG_"


def generated():
    rows = [(name.removeprefix("SEATLOCK_"), value) for kind, name, value, *_ in ROWS if kind == "enumerator"]
    prefixes = [prefix for _, _, prefix, _ in ENUMS if prefix] + [LEFT_OUT]
    text = '"""Numbers of `include/seatlock.h`, made of `include/ABI.txt` by `tests/test_abi.py`."""\n\n'
    text += "from enum import IntEnum, IntFlag\n\nABI_VERSION = 1\n"
    for name, base, prefix, about in ENUMS:
        text += f'\n\nclass {name}({base}):\n    """{about}"""\n\n'
        for row, value in rows:
            if prefix and row.startswith(prefix):
                text += f"    {row.removeprefix(prefix)} = {value}\n"
            elif not prefix and not row.startswith(tuple(prefixes)):
                text += f"    {row.removeprefix('ERROR_')} = {value}\n"
    return text


def test_numbers():
    if os.environ.get("SEATLOCK_UPDATE"):
        CODES.write_text(generated(), "utf-8")
    assert CODES.read_text("utf-8") == generated(), "SEATLOCK_UPDATE=1 pytest writes it anew"
    assert codes.ABI_VERSION == 1


def test_layouts():
    members = {}
    for kind, name, value, *_ in ROWS:
        if kind == "member":
            struct, member = name.split(".")
            members.setdefault(struct, {})[member] = int(value)
    sizes = {name: int(value) for kind, name, value, *_ in ROWS if kind == "struct"}
    assert native.STRUCTS.keys() == sizes.keys()
    for name, struct in native.STRUCTS.items():
        offsets = {member: getattr(struct, member).offset for member, _ in struct._fields_}
        assert offsets == members[name], name
        assert ctypes.sizeof(struct) == sizes[name], name


def test_functions():
    functions = {name.removeprefix("seatlock_") for kind, name, *_ in ROWS if kind == "function"}
    assert native.FUNCTIONS.keys() == functions - native.LEFT_OUT
    assert functions >= native.LEFT_OUT


@pytest.mark.parametrize("name", sorted(native.FUNCTIONS))
def test_arguments(name):
    """As many as in the header, each of the size that it has there."""
    header = (ROOT / "include/seatlock.h").read_text("utf-8")
    at = header.index(f"SEATLOCK_CALL seatlock_{name}(")
    inside = header[at:].split("(", 1)[1].split(");", 1)[0]
    declared = [] if inside.strip() == "void" else [" ".join(part.split()) for part in inside.split(",")]
    sizes = {"uint32_t": 4, "int32_t": 4, "int64_t": 8, "seatlock_operation": 8}
    found = [
        sizes.get(part.split()[0], 4 if part.startswith("seatlock_") and "*" not in part else 8)
        if "*" not in part
        else 8
        for part in declared
    ]
    found = [8 if part.startswith("size_t") else size for part, size in zip(declared, found)]
    _, arguments = native.FUNCTIONS[name]
    assert [ctypes.sizeof(kind) for kind in arguments] == found, declared
