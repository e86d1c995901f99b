# FreeCAD runs this in every program, also in freecadcmd: a workbench without a window needs nothing.
