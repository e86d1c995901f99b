"""Hosts that end, fork, or have the wrong library."""

import ctypes
import os
import random
import shutil
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import python

import seatlock
from seatlock import Code, LibraryError, Options, SeatlockError, native
from seatlock.panel import Panel

EXITS = int(os.environ.get("SEATLOCK_TEST_EXITS", "200"))
KEY = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
LIBRARY = Path(native.__file__).parent / "lib"
OPTIONS = f"""
import os, sys, threading, time, seatlock
from seatlock import Client, Options
options = Options("com.example.bridge", "http://127.0.0.1:9", root_keys=["{KEY}"],
                  state_folder=sys.argv[1], machine_id="a-test-machine-of-ours", proxy="")
"""
# Each leaves its client open in another way.
ENDS = {
    "a global": "client = Client(options); client.ping(); wait()",
    "many at once": "clients = [Client(options) for _ in range(8)]; [c.ping() for c in clients]; wait()",
    "a cycle": "c = Client(options); c.itself = c; c.ping(); del c; wait()",
    "an exit in the middle": "c = Client(options); c.ping(); wait(); sys.exit(0)",
    "an exit without cleaning up": "c = Client(options); c.ping(); wait(); os._exit(0)",
    "a thread that takes events": """
        c = Client(options)
        threading.Thread(target=lambda: [*c.events()], daemon=True).start()
        c.ping(); wait()""",
    "threads that call": """
        c = Client(options)
        def calls():
            while True: c.status(); c.poll(); c.ping()
        threading.excepthook = lambda _: None
        for _ in range(4): threading.Thread(target=calls, daemon=True).start()
        wait()""",
    "a loop": """
        import asyncio
        async def take():
            c = Client(options); c.ping()
            async for _ in c: break
            wait()
        asyncio.run(take())""",
    "a panel": """
        from seatlock.panel import Panel
        p = Panel(options); p.tick(); p.view(); wait()""",
}


def end(number, folder):
    what = list(ENDS)[number % len(ENDS)]
    # Also before the library has begun, and after it has ended what it does.
    moment = random.Random(number).uniform(0, 0.03)
    script = f"{OPTIONS}\ndef wait(): time.sleep({moment})\n{textwrap.dedent(ENDS[what])}\n"
    ended = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return (what, moment, ended.returncode, ended.stdout)


def test_an_interpreter_ends_at_every_moment(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(lambda number: end(number, tmp_path / str(number % 4)), range(EXITS)))
    assert [row for row in ended if row[2:] != (0, "")] == []


def test_a_process_that_is_forked(tmp_path):
    script = """
import multiprocessing
def child(queue):
    try:
        client.status()
    except seatlock.SeatlockError as error:
        queue.put((error.code, str(error), client.licensed, client.close()))
    with Client(options) as own:
        queue.put(own.status().reason)
client = Client(options)
client.ping()
context = multiprocessing.get_context("fork")
queue = context.Queue()
process = context.Process(target=child, args=(queue,))
process.start()
print(queue.get(timeout=60), queue.get(timeout=60))
process.join(60)
print(process.exitcode, int(client.status().reason))
"""
    said = python(OPTIONS + script, tmp_path)
    words = "This client belongs to the parent process."
    assert said == f"({Code.FORKED:d}, '{words}', False, True) {Code.NO_TOKEN:d}\n0 {Code.NO_TOKEN:d}\n"


def test_a_second_interpreter(tmp_path):
    script = """
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    import _interpreters as interpreters
try:
    # Python 3.12 lets only this kind import ctypes.
    inner = interpreters.create(isolated=False)
except TypeError:
    inner = interpreters.create()
text = f"import sys; sys.path[:] = {sys.path!r}; sys.argv = {sys.argv!r}\\n" + OPENS
first = Client(options)
failed = interpreters.run_string(inner, text)
interpreters.destroy(inner)
print(int(first.status().reason), failed and failed.type.__name__)
"""
    opens = (
        OPTIONS + "client = Client(options); client.ping(); print(int(client.status().reason), flush=True)\n"
    )
    said = python(f"{OPTIONS}\nOPENS = {opens!r}\n{script}", tmp_path)
    lines = said.splitlines()
    assert lines == [f"{Code.NO_TOKEN:d}", f"{Code.NO_TOKEN:d} None"]


def options(library):
    return Options("com.example.bridge", "http://127.0.0.1:9", root_keys=[KEY], library=library)


def test_libraries_that_are_none(tmp_path):
    text, older, other = (tmp_path / name for name in ("text.so", "older.so", "other.so"))
    text.write_text("no library")
    folder = tmp_path / "folder.so"
    folder.mkdir()
    compile_c(other, "int other(void) { return 0; }")
    compile_c(older, "unsigned seatlock_abi_version(void) { return 1; }")
    newer = tmp_path / "newer.so"
    compile_c(newer, "unsigned seatlock_abi_version(void) { return 2; }")
    for path, words in [
        (tmp_path / "missing.so", "is missing"),
        (folder, "is missing"),
        (text, "cannot be loaded"),
        (other, "not the license library"),
        (older, "too old for this plug-in"),
        (newer, "has interface 2, not 1"),
    ]:
        with pytest.raises(LibraryError, match=words) as refused:
            seatlock.Client(options(path))
        assert isinstance(refused.value, SeatlockError) and str(path) in str(refused.value)
        panel = Panel(options(path))
        view = panel.view()
        assert (view.state, view.lines[0].value) == ("unavailable", str(refused.value))
        assert not panel.licensed and not panel.tick()
        panel.allow_network(False)
        panel.close()


def compile_c(path, text):
    source = path.with_suffix(".c")
    source.write_text(text)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", path, source], check=True)


def test_two_copies_in_one_process(tmp_path):
    """Two plug-ins, each with a package of its own."""
    mine = next(LIBRARY.glob("*seatlock*"))
    copy = tmp_path / mine.name
    shutil.copy(mine, copy)
    first, second = native.library(mine), native.library(copy)
    addresses = [ctypes.cast(library.client_open, ctypes.c_void_p).value for library in (first, second)]
    assert addresses[0] != addresses[1]


def test_the_hand_tool(server, tmp_path, token):
    def tool(*verb, stdin=""):
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "seatlock", "--product", "com.example.bridge"),
                *("--server", server.url, f"--root-key={server.root_key}"),
                *("--state-folder", str(tmp_path), *verb),
            ],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "SEATLOCK_MACHINE_ID": "the-hand-tool-s"},
        )
        assert token not in ended.stdout
        return ended.returncode, ended.stdout

    assert tool("status")[0] == 3
    code, said = tool("activate", stdin=token)
    assert code == 1 and "accept the license terms" in said
    code, said = tool("activate", "--accept-terms", "--remember", stdin=token + "\n")
    assert code == 0 and "Licensed." in said
    assert tool("ping")[0] == tool("status")[0] == 0
    code, said = tool("report")
    assert code == 0 and "machine" in said
    assert tool("release")[0] == 3
