"""A real server for the tests: SEATLOCK_SERVER_PROGRAM names its program. The package is the one
that is installed, with the library that its wheel carries.
"""

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from seatlock import Client, Options

PRODUCT = "com.example.bridge"
for name in [name for name in os.environ if name.startswith("SEATLOCK_")]:
    if name not in ("SEATLOCK_UPDATE", "SEATLOCK_SERVER_PROGRAM", "SEATLOCK_WHEEL") and "_TEST_" not in name:
        del os.environ[name]


@dataclass
class Server:
    program: str
    data: Path
    url: str
    root_key: str

    def run(self, *arguments):
        command = [self.program, "--data", str(self.data), *arguments, "--json"]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)

    def seat(self, email="artist@example.com"):
        """Identifier and token of a new seat."""
        made = self.run("seat", "create", "--email", email)
        return made["id"], made["token"]

    def options(self, folder, **more):
        given = {
            "product": PRODUCT,
            "server": self.url,
            "root_keys": [self.root_key],
            "state_folder": folder,
            "machine_id": f"test-machine-{Path(folder).name}",
            "proxy": "",
        }
        return Options(**{**given, **more})


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    program = os.environ["SEATLOCK_SERVER_PROGRAM"]
    folder = tmp_path_factory.mktemp("server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    server = Server(program, folder / "data", f"http://{address}", "")
    made = server.run(
        *("init", "--issuer", server.url, "--product", PRODUCT, "--seats", "500"),
        *("--account", "Example Studio"),
        *("--release-window", "1s", "--root-key-out", str(folder / "root-key.json")),
    )
    server.root_key = made["root_key"]["x"]
    command = [program, "--data", str(server.data), "serve", "--listen", address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            while address not in (line := running.stdout.readline()):
                assert line, "the server did not start"
            yield server
        finally:
            running.terminate()


@pytest.fixture
def options(server, tmp_path):
    return server.options(tmp_path / "state")


@pytest.fixture
def client(options):
    with Client(options) as client:
        yield client


@pytest.fixture
def token(server):
    return server.seat()[1]


def python(script, *arguments, **more):
    """Runs a script by this interpreter, and answers what it printed."""
    ended = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        **more,
    )
    assert ended.returncode == 0, f"{ended.returncode}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout
