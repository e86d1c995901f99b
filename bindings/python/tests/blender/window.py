"""A Blender with a window whose largest area shows the add-on's preferences. It prints the panel's
state whenever that is another one.

    blender --factory-startup -p 0 0 1280 900 --python window.py
"""

import bpy

# isort: split
import addon_utils


def show():
    """Once the window is there."""
    window = bpy.context.window_manager.windows[0]
    area = max(window.screen.areas, key=lambda each: each.width * each.height)
    area.ui_type = "PREFERENCES"
    bpy.app.timers.register(tell, first_interval=0.5)


def tell():
    """What a person would see."""
    global told  # noqa: PLW0603
    import bridge  # noqa: PLC0415

    state = bridge.license_panel.view().state
    if state != told:
        told = state
        print("state", state, flush=True)
    return 0.1


told = ""
bpy.context.preferences.view.show_splash = False
bpy.context.preferences.use_preferences_save = False
bpy.context.preferences.active_section = "ADDONS"
addon_utils.enable("bridge", default_set=True)
bpy.context.window_manager.addon_search = "Bridge"
bpy.app.timers.register(show, first_interval=1.0)
