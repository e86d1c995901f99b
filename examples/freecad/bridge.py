"""The workbench's commands, its license and the license dialog.

Everything happens on FreeCAD's own thread: a QTimer takes what has happened, and nothing blocks.
FreeCAD asks `IsActive` of each command after each click and key; that takes microseconds.
"""

import html

import FreeCAD
import FreeCADGui
from PySide2 import QtCore, QtGui, QtWidgets
from seatlock import Options
from seatlock.panel import Panel

import settings

COMMANDS = ["Bridge_Box", "Bridge_License"]

_panel = None
_timer = None
_dialog = None


def open_license():
    """With the first use of the workbench: reads two small files, and sends one ping."""
    global _panel, _timer
    if _panel is not None:
        return
    version = ".".join(FreeCAD.Version()[:3])
    _panel = Panel(
        Options(
            product=settings.PRODUCT,
            server=settings.SERVER,
            root_keys=[settings.ROOT_KEY],
            host=("freecad", version),
            terms="2026-01",
            auto_renew=True,
        )
    )
    _timer = QtCore.QTimer()
    _timer.timeout.connect(_tick)
    _timer.start(250)
    QtWidgets.QApplication.instance().aboutToQuit.connect(close_license)


def close_license():
    """When FreeCAD ends, and before the workbench is removed or replaced."""
    global _panel, _timer, _dialog
    if _panel is None:
        return
    _timer.stop()
    if _dialog is not None:
        _dialog.close()
    _panel.close()
    _panel = _timer = _dialog = None
    QtWidgets.QApplication.instance().aboutToQuit.disconnect(close_license)


def licensed():
    return _panel is not None and _panel.licensed


def _tick():
    if _panel.tick() and _dialog is not None:
        _dialog.draw()


class Box:
    """What people pay for."""

    def GetResources(self):
        return {"MenuText": "Box", "ToolTip": "Adds a box. Needs a license."}

    def IsActive(self):
        return licensed()

    def Activated(self):
        if not licensed():  # a script can call this, whatever the menu offers
            return
        document = FreeCAD.ActiveDocument or FreeCAD.newDocument("Bridge")
        document.addObject("Part::Box", "BridgeBox")
        document.recompute()


class License:
    def GetResources(self):
        return {"MenuText": "License...", "ToolTip": "Activates this computer"}

    def IsActive(self):
        return True

    def Activated(self):
        global _dialog
        open_license()
        if _dialog is None:
            _dialog = Dialog(_panel, FreeCADGui.getMainWindow())
        _dialog.draw()
        _dialog.show()
        _dialog.raise_()


def add_commands():
    FreeCADGui.addCommand("Bridge_Box", Box())
    FreeCADGui.addCommand("Bridge_License", License())


class Dialog(QtWidgets.QDialog):
    """Draws the panel's view. A field's widget is made once, and keeps the keyboard's focus."""

    def __init__(self, panel, parent):
        super().__init__(parent)
        self.setWindowTitle("Bridge license")
        self.setMinimumWidth(460)
        self._panel = panel
        self._lines = None
        self._fields = {}
        self._buttons = {}
        self._column = QtWidgets.QVBoxLayout(self)
        self._entered = QtWidgets.QVBoxLayout()
        self._progress = QtWidgets.QProgressBar()
        self._progress.setRange(0, 0)
        self._actions = QtWidgets.QHBoxLayout()
        self._actions.addStretch()
        self._others = QtWidgets.QGridLayout()
        self._column.addWidget(self._progress)
        for layout in (self._entered, self._actions, self._others):
            self._column.addLayout(layout)

    def draw(self):
        view = self._panel.view()
        self.setObjectName(view.state)
        self._draw_lines(view.lines)
        self._progress.setVisible(view.state in ("asking", "signing_in"))
        self._draw_fields(view.fields)
        self._draw_buttons(view.buttons)
        self._column.activate()
        height = self._column.totalHeightForWidth(self.width())
        self.setMinimumHeight(height)
        self.resize(self.width(), height)

    def _draw_lines(self, lines):
        if self._lines is not None:
            self._lines.hide()
            self._lines.deleteLater()
        self._lines = QtWidgets.QWidget()
        form = QtWidgets.QFormLayout(self._lines)
        form.setContentsMargins(0, 0, 0, 0)
        for line in lines:
            label = QtWidgets.QLabel()
            label.setWordWrap(True)
            if line.role == "link":
                address, words = html.escape(line.value), html.escape(line.label)
                label.setText(f'<a href="{address}">{words}</a>')
                label.setOpenExternalLinks(True)
            else:
                label.setTextFormat(QtCore.Qt.PlainText)  # a server's words are no markup
                label.setText(line.value or line.label)
            if line.role == "fact":
                form.addRow(line.label + ":", label)
                continue
            if line.role in ("prompt", "locked", "warning", "licensed"):
                font = label.font()
                font.setBold(True)
                label.setFont(font)
            form.addRow(label)
        self._column.insertWidget(0, self._lines)
        self._lines.show()

    def _draw_fields(self, fields):
        _hide_others(self._fields, fields)
        for field in fields:
            if field.name not in self._fields:
                self._fields[field.name] = self._made_field(field)
                self._entered.addWidget(self._fields[field.name])
            widget = self._fields[field.name]
            quiet = QtCore.QSignalBlocker(widget)
            if field.kind == "check":
                widget.setChecked(field.value == "yes")
            elif widget.text() != self._panel.entered(field.name):
                widget.setText(self._panel.entered(field.name))
            quiet.unblock()
            widget.show()

    def _made_field(self, field):
        name = field.name
        if field.kind == "check":
            box = QtWidgets.QCheckBox(field.label)
            box.toggled.connect(lambda on: self._enter(name, "yes" if on else "no"))
            box.setObjectName(name)
            return box
        edit = QtWidgets.QLineEdit()
        edit.setObjectName(name)
        edit.setPlaceholderText(field.label)
        edit.textChanged.connect(lambda text: self._enter(name, text))
        if field.kind == "secret":
            edit.setEchoMode(QtWidgets.QLineEdit.Password)
            return edit
        icon = self.style().standardIcon(QtWidgets.QStyle.SP_DialogOpenButton)
        browse = edit.addAction(icon, QtWidgets.QLineEdit.TrailingPosition)
        ask = QtWidgets.QFileDialog.getSaveFileName
        if field.kind == "open":
            ask = QtWidgets.QFileDialog.getOpenFileName
        browse.triggered.connect(lambda: edit.setText(ask(edit, field.label)[0] or edit.text()))
        return edit

    def _draw_buttons(self, buttons):
        _hide_others(self._buttons, buttons)
        others = 0
        for button in buttons:
            verb = button.call.split(" ")[0]
            aside = verb in ("copy", "open") or (verb == "view" and button.name != "back")
            if button.name not in self._buttons:
                made = QtWidgets.QToolButton() if aside else QtWidgets.QPushButton()
                made.setText(button.label)
                made.setObjectName(button.name)
                made.clicked.connect(lambda _=False, name=button.name: self._press(name))
                self._buttons[button.name] = made
            widget = self._buttons[button.name]
            if aside:
                widget.setAutoRaise(True)
                self._others.addWidget(widget, others // 2, others % 2, QtCore.Qt.AlignLeft)
                others += 1
            else:
                self._actions.removeWidget(widget)
                self._actions.addWidget(widget)
            widget.setEnabled(button.enabled)
            widget.show()

    def _enter(self, name, value):
        self._panel.enter(name, value)
        self.draw()

    def _press(self, name):
        action = self._panel.press(name)
        if action is not None and action.kind == "copy":
            QtWidgets.QApplication.clipboard().setText(action.text)
        elif action is not None:
            QtGui.QDesktopServices.openUrl(QtCore.QUrl(action.text))
        self.draw()


def _hide_others(widgets, shown):
    names = {row.name for row in shown}
    for name, widget in widgets.items():
        if name not in names:
            widget.hide()
