"""The panel in a Blender with a window, clicked and typed into as a person does."""

import contextlib
import os
import queue
import subprocess
import threading
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCREENSHOTS = os.environ.get("SEATLOCK_TEST_SCREENSHOTS")
PATIENCE = 120
# Where Debian's Blender 3.4 draws what, in a window of 1280 by 900.
EXPAND = (189, 129)


class Window:
    """A Blender in a display of its own."""

    def __init__(self, environment, scripts):
        self.display = subprocess.Popen(
            ["Xvfb", "-displayfd", "1", "-screen", "0", "1280x900x24", "+extension", "GLX"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        number = self.display.stdout.readline().strip()
        self.environment = {**environment, "DISPLAY": f":{number}", "BLENDER_USER_SCRIPTS": str(scripts)}
        command = ["blender", "--factory-startup", "-p", "0", "0", "1280", "900"]
        self.blender = subprocess.Popen(
            [*command, "--python", str(HERE / "window.py")],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.blender.stdout:
            self.said.put(line.strip())
        self.said.put(None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in (self.blender, self.display):
            with process:
                process.kill()

    def until(self, state, patience=PATIENCE):
        """Waits for a state of the panel."""
        end = time.monotonic() + patience
        while (left := end - time.monotonic()) > 0:
            try:
                line = self.said.get(timeout=left)
            except queue.Empty:
                break
            assert line is not None, "Blender has ended"
            if line == f"state {state}":
                return
        raise TimeoutError(f"there was no {state}")

    def xdotool(self, *arguments):
        subprocess.run(["xdotool", *map(str, arguments)], env=self.environment, check=True)
        # Blender looks at one event after another, and draws in between.
        time.sleep(0.7)

    def click(self, x, y):
        self.xdotool("mousemove", x + 3, y + 2)
        self.xdotool("mousemove", x, y)
        self.xdotool("click", 1)

    def press(self, x, y, state):
        """Clicks a button until the panel is in a state: a busy Blender overlooks a click."""
        for _ in range(5):
            self.click(x, y)
            with contextlib.suppress(TimeoutError):
                return self.until(state, patience=PATIENCE / 5)
        raise TimeoutError(f"there was no {state}")

    def picture(self, name, height):
        """The add-on's part of the window, for the page about the panel."""
        if SCREENSHOTS is not None:
            time.sleep(2)
            take = ["import", "-window", "root", "-crop", f"885x{height}+172+195", "+repage"]
            take += ["+dither", "-colors", "32", f"{SCREENSHOTS}/panel-{name}.png"]
            subprocess.run(take, env=self.environment, check=True)


@pytest.fixture
def start(environment, legacy):
    return lambda: Window(environment, legacy)


def test_a_person_at_a_window(server, start):
    seat, token = server.seat("mira.halvorsen@example.com")
    with start() as window:
        window.until("no_token")
        window.click(*EXPAND)
        window.picture("no-token", 260)
        # Three actions.
        window.click(700, 329)
        window.xdotool("type", "--delay", "20", token)
        window.xdotool("key", "Return")
        window.until("entering")
        window.click(187, 352)
        window.picture("entering", 260)
        window.press(610, 404, "licensed")
        window.picture("licensed", 192)
        window.press(261, 366, "releasing")
        window.picture("releasing", 214)
        window.press(320, 387, "licensed")
        window.press(610, 366, "offline")
        window.picture("offline", 374)
    server.run("seat", "revoke", seat, "--yes")
    with start() as window:
        window.until("locked_token")
        window.click(*EXPAND)
        window.picture("locked", 260)
