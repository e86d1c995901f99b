"""The workbench: a function that works while it is licensed, and the license dialog.

FreeCAD runs this file when it starts, for every workbench that is installed; nothing is opened
before the workbench is used.
"""

import FreeCAD
import FreeCADGui


class BridgeWorkbench(FreeCADGui.Workbench):
    MenuText = "Bridge"
    ToolTip = "An example of a licensed workbench"

    def Initialize(self):
        import bridge

        bridge.add_commands()
        self.appendToolbar("Bridge", bridge.COMMANDS)
        self.appendMenu("Bridge", bridge.COMMANDS)

    def Activated(self):
        import bridge

        bridge.open_license()

    def GetClassName(self):
        return "Gui::PythonWorkbench"


FreeCADGui.addWorkbench(BridgeWorkbench())
