"""The example in Blender."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from addon import packed, run

HERE = Path(__file__).parent
EXITS = int(os.environ.get("SEATLOCK_TEST_BLENDER_EXITS", "100"))


def test_the_extension(server, token, tmp_path, environment):
    archive = packed(server, os.environ["SEATLOCK_WHEEL"], tmp_path)
    code, said = run([sys.executable, HERE / "extension.py", archive, token], env=environment)
    assert code == 0, said
    assert token not in said
    print(said.splitlines()[-1])


def test_a_blender_that_ends_at_any_moment(legacy, environment):
    environment["BLENDER_USER_SCRIPTS"] = str(legacy)

    def end(number):
        way = ("return", "exit", "quit")[number % 3]
        command = ["blender", "-b", "--factory-startup", "--python-exit-code", "7"]
        command += ["--python", HERE / "exits.py", "--", number % 40, way]
        own = {**environment, "SEATLOCK_STATE_DIR": environment["SEATLOCK_STATE_DIR"] + str(number % 4)}
        return (number, way, *run(command, env=own))

    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(end, range(EXITS)))
    assert [row for row in ended if row[2] != 0 or "Error" in row[3]] == []
