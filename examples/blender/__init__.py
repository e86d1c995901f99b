"""A licensed add-on for Blender: its panel is in Edit > Preferences > Add-ons > Bridge.

Everything is decided by `seatlock.panel`; here it is only drawn with Blender's widgets. Nothing
waits: a timer of Blender takes what has happened, four times a second.
"""

import textwrap

import bpy

from seatlock import Options
from seatlock.panel import Panel

from . import settings

INTERVAL = 0.25
ICONS = {
    "prompt": "KEYINGSET",
    "locked": "LOCKED",
    "warning": "ERROR",
    "licensed": "CHECKMARK",
    "done": "INFO",
    "failed": "ERROR",
}
BUTTON_ICONS = {"copy": "COPYDOWN", "open": "URL"}
# Fields of the panel as properties of the window manager, which no file keeps.
KINDS = {
    "token": {"subtype": "PASSWORD"},
    "request_path": {"subtype": "FILE_PATH"},
    "lease_path": {"subtype": "FILE_PATH"},
    "release_path": {"subtype": "FILE_PATH"},
}

license_panel = None


def online() -> bool:
    """Whether the user lets add-ons use the network. Blender before 4.2 does not ask."""
    return getattr(bpy.app, "online_access", True)


def licensed() -> bool:
    """For `poll` of whatever needs a license: some microseconds."""
    return license_panel is not None and license_panel.licensed


def entered(name):
    """Tells the panel what was entered."""

    def update(self, _context):
        value = getattr(self, name)
        if license_panel is not None:
            text = ("yes" if value else "") if isinstance(value, bool) else bpy.path.abspath(value)
            license_panel.enter(name, value if name == "token" else text)

    return update


class BridgeFields(bpy.types.PropertyGroup):
    """What a person enters."""

    __annotations__ = {
        **{
            name: bpy.props.StringProperty(options={"SKIP_SAVE"}, update=entered(name), **kind)
            for name, kind in KINDS.items()
        },
        "terms": bpy.props.BoolProperty(options={"SKIP_SAVE"}, update=entered("terms")),
        "remember": bpy.props.BoolProperty(options={"SKIP_SAVE"}, update=entered("remember"), default=True),
    }


class BRIDGE_OT_license(bpy.types.Operator):
    """Press a button of the license panel"""

    bl_idname = "bridge.license"
    bl_label = "License"
    bl_options = {"INTERNAL"}

    name: bpy.props.StringProperty(options={"SKIP_SAVE"})

    def execute(self, context):
        action = license_panel.press(self.name)
        if action is not None and action.kind == "copy":
            context.window_manager.clipboard = action.text
        elif action is not None:
            bpy.ops.wm.url_open(url=action.text)
        keep_up(context.window_manager)
        return {"FINISHED"}


class BRIDGE_OT_export(bpy.types.Operator):
    """What the add-on is for"""

    bl_idname = "bridge.export"
    bl_label = "Export by Bridge"

    @classmethod
    def poll(cls, _context):
        return licensed()

    def execute(self, _context):
        self.report({"INFO"}, "Exported.")
        return {"FINISHED"}


class BridgePreferences(bpy.types.AddonPreferences):
    """The license panel."""

    bl_idname = __package__

    def draw(self, context):
        draw(self.layout, context)


def draw(layout, context):
    """Draws the panel; into any other layout as well."""
    fields = context.window_manager.bridge_license
    view = license_panel.view()
    # Labels of Blender are one line each, and cut.
    scale = context.preferences.system.ui_scale
    width = max(30, int(context.region.width / (7.5 * scale)) - 12)
    column = layout.column()
    for line in view.lines:
        draw_line(column, line, width)
    for field in view.fields:
        if field.kind == "check":
            column.prop(fields, field.name, text=field.label)
        else:
            row = column.split(factor=0.3)
            row.label(text=field.label)
            row.prop(fields, field.name, text="")
    main = [button for button in view.buttons if not button.call.startswith(("view", "copy", "open"))]
    for buttons in (main, [button for button in view.buttons if button not in main]):
        flow = layout.grid_flow(columns=0, even_columns=True, align=False)
        for button in buttons:
            cell = flow.row()
            cell.enabled = button.enabled
            icon = BUTTON_ICONS.get(button.call.split(" ")[0], "NONE")
            cell.operator(BRIDGE_OT_license.bl_idname, text=button.label, icon=icon).name = button.name


def draw_line(column, line, width):
    """Draws a text, a fact with its label, or a link."""
    if line.role == "link":
        row = column.row()
        row.alignment = "LEFT"
        row.operator("wm.url_open", text=line.label, icon="URL", emboss=False).url = line.value
    elif line.role == "fact":
        row = column.split(factor=0.3)
        row.label(text=line.label)
        row.label(text=line.value)
    else:
        icon = ICONS.get(line.role, "NONE")
        text = column.column(align=True)
        text.alert = line.role in ("locked", "failed")
        for part in textwrap.wrap(line.label + line.value, width):
            text.label(text=part, icon=icon)
            icon = "BLANK1" if line.role in ICONS else "NONE"


def keep_up(window_manager):
    """Empties what the panel has emptied, and has the preferences drawn again."""
    fields = window_manager.bridge_license
    if fields.token and not license_panel.entered("token"):
        fields.token = ""
    if fields.terms and not license_panel.entered("terms"):
        fields.terms = False
    for window in window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()


def tick():
    """Blender's timer. In the background (`blender -b`) it does not run, and nothing needs it."""
    license_panel.allow_network(online())
    if license_panel.tick():
        keep_up(bpy.context.window_manager)
    return INTERVAL


CLASSES = (BridgeFields, BRIDGE_OT_license, BRIDGE_OT_export, BridgePreferences)


def register():
    """Opens the license; the lock state is known at once."""
    global license_panel  # noqa: PLW0603
    license_panel = Panel(
        Options(
            product=settings.PRODUCT,
            server=settings.SERVER,
            root_keys=[settings.ROOT_KEY],
            terms=settings.TERMS,
            plugin=(settings.VERSION, 0),
            host=("blender", bpy.app.version_string),
            auto_renew=True,
            network_allowed=online(),
        ),
        terms_url=settings.TERMS_URL,
    )
    for each in CLASSES:
        bpy.utils.register_class(each)
    bpy.types.WindowManager.bridge_license = bpy.props.PointerProperty(type=BridgeFields)
    bpy.app.timers.register(tick, first_interval=INTERVAL, persistent=True)


def unregister():
    """Leaves nothing behind: no timer, no class, no thread."""
    global license_panel  # noqa: PLW0603
    bpy.app.timers.unregister(tick)
    del bpy.types.WindowManager.bridge_license
    for each in reversed(CLASSES):
        bpy.utils.unregister_class(each)
    license_panel.close()
    license_panel = None
