"""A person in FreeCAD with the workbench: activates, uses it, releases, and removes it.

FreeCAD runs this when its window is there. The token is in BRIDGE_TEST_TOKEN, pictures go into the
folder BRIDGE_TEST_PICTURES. Says "done" as the last thing, since FreeCAD ends with 0 whatever
happens.
"""

import os
import sys
import time
import traceback
from pathlib import Path

import FreeCAD
import FreeCADGui
from PySide2 import QtCore, QtTest, QtWidgets

TOKEN = os.environ.pop("BRIDGE_TEST_TOKEN")
PICTURES = os.environ["BRIDGE_TEST_PICTURES"]


def say(text):
    # FreeCAD shows what is printed in its report view.
    os.write(1, f"{text}\n".encode())


def wait(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QtWidgets.QApplication.processEvents()
        time.sleep(0.01)


def threads():
    """How many of the library there are, by their name."""
    tasks = Path("/proc/self/task").iterdir()
    return sum((task / "comm").read_text().strip() == "seatlock" for task in tasks)


def until(what, condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, what
        wait(0.02)


def active(command):
    return FreeCADGui.Command.get(command).isActive()


def story():
    assert threads() == 0, "a thread of the library before the workbench is used"
    FreeCADGui.activateWorkbench("BridgeWorkbench")
    import bridge

    assert not active("Bridge_Box"), "the box is active without a license"
    FreeCADGui.runCommand("Bridge_Box")
    bridge.Box().Activated()  # as a script can
    assert FreeCAD.ActiveDocument is None, "a script got a box without a license"
    FreeCADGui.runCommand("Bridge_License")
    assert threads() > 0, "the client has no thread"
    dialog = bridge._dialog

    def shows(state):
        until(f"{dialog.objectName()} instead of {state}", lambda: dialog.objectName() == state)

    def sees(kind, name):
        found = dialog.findChild(kind, name)
        assert found is not None and found.isVisible(), f"{name} is not shown"
        return found

    def click(name):
        button = sees(QtWidgets.QAbstractButton, name)
        assert button.isEnabled(), f"{name} is not enabled"
        begin = time.monotonic()
        QtTest.QTest.mouseClick(button, QtCore.Qt.LeftButton)
        assert time.monotonic() - begin < 1, f"{name} kept FreeCAD"

    def picture(name):
        wait(0.05)
        FreeCADGui.getMainWindow().screen().grabWindow(0).save(f"{PICTURES}/freecad-{name}.png")

    shows("no_token")
    picture("no-token")
    QtTest.QTest.keyClicks(sees(QtWidgets.QLineEdit, "token"), TOKEN)
    box = sees(QtWidgets.QCheckBox, "terms")
    QtTest.QTest.mouseClick(box, QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, QtCore.QPoint(8, box.height() // 2))
    click("activate")
    shows("licensed")
    picture("licensed")
    assert active("Bridge_Box"), "the box is not active though licensed"
    FreeCADGui.runCommand("Bridge_Box")
    assert FreeCAD.ActiveDocument.getObject("BridgeBox") is not None, "there is no box"
    click("to_release")
    shows("releasing")
    picture("releasing")
    click("release")
    shows("no_token")
    assert not active("Bridge_Box"), "the box is active after release"

    bridge.close_license()
    FreeCADGui.activateWorkbench("NoneWorkbench")
    FreeCADGui.removeWorkbench("BridgeWorkbench")
    del sys.modules["bridge"]
    assert threads() == 0, "a thread of the library is left"
    say("done")


def run():
    try:
        story()
    except BaseException:
        say(traceback.format_exc())
    for name in list(FreeCAD.listDocuments()):
        FreeCAD.closeDocument(name)
    FreeCADGui.getMainWindow().close()


QtCore.QTimer.singleShot(500, run)
