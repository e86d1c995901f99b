"""A Blender without a window that ends with an open license, whenever it likes.

blender -b --python exits.py -- MILLISECONDS WAY
"""

import sys
import time

import bpy

# isort: split
import addon_utils

milliseconds, way = sys.argv[-2:]
addon_utils.enable("bridge", default_set=True)
import bridge  # noqa: E402

assert not bridge.licensed() and not bpy.ops.bridge.export.poll()
for _ in range(8):
    bridge.license_panel.client.ping()
bridge.tick()
time.sleep(int(milliseconds) / 1000)
if way == "exit":
    sys.exit(0)
if way == "quit":
    bpy.ops.wm.quit_blender()
