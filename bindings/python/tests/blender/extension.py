"""Blender's own module of Python with the extension, from the token to the release.

extension.py ZIP TOKEN
"""

import sys
import threading
import time
from pathlib import Path

import bpy

# isort: split
import addon_utils

archive, token = sys.argv[1:]
MODULE = "bl_ext.user_default.bridge"


def threads():
    return len(list(Path("/proc/self/task").iterdir()))


def pump(until):
    """Blender's timers run in a window only."""
    end = time.monotonic() + 60
    while not until():
        assert time.monotonic() < end, bridge().license_panel.view()
        bridge().tick()
        time.sleep(0.01)


def bridge():
    return sys.modules[MODULE]


def view():
    return bridge().license_panel.view()


def press(name):
    assert bpy.ops.bridge.license(name=name) == {"FINISHED"}


def buttons():
    return {button.name: button.enabled for button in view().buttons}


assert not bpy.app.online_access
bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
assert MODULE in bpy.context.preferences.addons
fields = bpy.context.window_manager.bridge_license

# Blender is installed with the network switched off.
assert not bpy.ops.bridge.export.poll()
assert view().state == "no_token"
assert any("Online access is switched off" in line.label for line in view().lines)
fields.token = token
fields.terms = True
assert view().state == "entering" and not buttons()["activate"]

# Three actions: the token, the terms, the button.
bpy.context.preferences.system.use_online_access = True
bridge().tick()
assert buttons()["activate"]
press("activate")
assert view().state == "asking"
pump(lambda: bridge().licensed() and view().state == "licensed")
assert fields.token == "" and not fields.terms and fields.remember
assert bpy.ops.bridge.export.poll()

# A license stays when the network is switched off, and is there again at once.
bpy.context.preferences.system.use_online_access = False
bridge().tick()
assert bridge().licensed()
for _ in range(5):
    tick = bridge().tick
    assert bpy.app.timers.is_registered(tick)
    addon_utils.disable(MODULE)
    assert not bpy.app.timers.is_registered(tick)
    assert threading.active_count() == 1
    assert not hasattr(bpy.types.WindowManager, "bridge_license")
    assert not hasattr(bpy.types, "BRIDGE_OT_license")
    assert not hasattr(bpy.types, "BridgePreferences")
    addon_utils.enable(MODULE)
    assert bridge().licensed()
addon_utils.disable(MODULE)
without = threads()
addon_utils.enable(MODULE)
assert threads() > without

begin = time.perf_counter()
for _ in range(1000):
    bridge().tick()
ticks = time.perf_counter() - begin
begin = time.perf_counter()
for _ in range(100):
    view()
views = (time.perf_counter() - begin) * 10

bpy.context.preferences.system.use_online_access = True
bridge().tick()
press("copy_computer")
press("to_release")
assert view().state == "releasing"
press("release")
pump(lambda: view().state == "no_token")
assert not bridge().licensed() and not bpy.ops.bridge.export.poll()
addon_utils.disable(MODULE)
end = time.monotonic() + 10
while threads() > without and time.monotonic() < end:
    time.sleep(0.01)
assert threads() <= without
print(f"Blender {bpy.app.version_string}: a tick takes {ticks:.3f} ms, a view {views:.3f} ms")
