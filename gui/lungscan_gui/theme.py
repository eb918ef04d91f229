"""Light and dark, as the system says; where it says nothing, light."""

from __future__ import annotations

import re
from typing import Literal

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QFontInfo, QPalette
from PyQt6.QtWidgets import QApplication

Scheme = Literal["system", "light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("system", "light", "dark")

_Role = QPalette.ColorRole
_LIGHT = {
    _Role.Window: "#f5f6f8", _Role.WindowText: "#1c2330", _Role.Base: "#ffffff",
    _Role.AlternateBase: "#eef1f5", _Role.Text: "#1c2330", _Role.Button: "#ffffff",
    _Role.ButtonText: "#1c2330", _Role.Highlight: "#2563a8", _Role.HighlightedText: "#ffffff",
    _Role.ToolTipBase: "#1c2330", _Role.ToolTipText: "#ffffff", _Role.PlaceholderText: "#626c7b",
    _Role.Mid: "#c9d0da", _Role.Link: "#1f5a9c", _Role.BrightText: "#a32018",
}  # fmt: skip
_DARK = {
    _Role.Window: "#171a20", _Role.WindowText: "#e6e9ee", _Role.Base: "#232833",
    _Role.AlternateBase: "#2d3340", _Role.Text: "#e6e9ee", _Role.Button: "#2d3340",
    _Role.ButtonText: "#e6e9ee", _Role.Highlight: "#3f83cf", _Role.HighlightedText: "#ffffff",
    _Role.ToolTipBase: "#e6e9ee", _Role.ToolTipText: "#1d2129", _Role.PlaceholderText: "#9aa5b5",
    _Role.Mid: "#434b5a", _Role.Link: "#7db4ee", _Role.BrightText: "#ff9a8f",
}  # fmt: skip

_USUAL_PX = 12  # of the system's font, for which the sizes below are meant
STYLE = """
QFrame#card { background: palette(base); border: 1px solid palette(mid); border-radius: 8px; }
QLabel#kicker, QLabel#head { color: palette(placeholder-text); font-size: [11]px;
  font-weight: 600; }
QLabel#answer { font-size: [19]px; font-weight: 600; }
QLabel#number { font-size: [24]px; font-weight: 600; }
QLabel#muted { color: palette(placeholder-text); }
QLabel#warning { color: palette(bright-text); }
QLabel#side { font-weight: 600; padding: 2px 6px; }
QLabel#research { color: palette(bright-text); font-weight: 600; padding: 1px 8px; }
QFrame#bar { background: palette(alternate-base); border: 1px solid palette(mid);
  border-radius: 6px; }
QPushButton { padding: 5px 12px; border: 1px solid palette(mid); border-radius: 5px;
  background: palette(button); }
QPushButton:hover, QToolButton:hover { background: palette(alternate-base); }
QPushButton:focus, QToolButton:focus { border-color: palette(highlight); }
QPushButton:checked { background: palette(highlight); color: palette(highlighted-text);
  border-color: palette(highlight); font-weight: 600; }
QPushButton:checked:focus, QPushButton#primary:focus { border: 2px solid palette(window-text); }
QPushButton:checked:focus { padding: 4px 11px; }
QPushButton#primary:focus { padding: 6px 13px; }
QPlainTextEdit { border: 1px solid palette(mid); border-radius: 5px; }
QPlainTextEdit:focus, QListView:focus, QScrollArea:focus { border-color: palette(highlight); }
QFrame#bar QLabel:focus, QLabel#readout:focus, QLabel#muted:focus {
  border: 1px solid palette(highlight); }
QPushButton:disabled, QToolButton:disabled { color: palette(placeholder-text); }
QPushButton#primary { background: palette(highlight); color: palette(highlighted-text);
  border-color: palette(highlight); font-weight: 600; padding: 7px 14px; }
QPushButton#primary:disabled { background: palette(mid); border-color: palette(mid);
  color: palette(window); }
QToolButton { padding: 4px 8px; border: 1px solid transparent; border-radius: 5px; }
QToolButton:checked { background: palette(alternate-base); border-color: palette(mid); }
QAbstractSpinBox { min-height: 24px; }
QListView { border: 1px solid palette(mid); border-radius: 6px; }
QProgressBar { border: 1px solid palette(mid); border-radius: 4px; height: 8px;
  background: palette(alternate-base); }
QProgressBar::chunk { background: palette(highlight); border-radius: 3px; }
QScrollArea { border: 1px solid transparent; }
QSplitter::handle { background: palette(window); }
"""


def is_dark(app: QApplication, scheme: Scheme) -> bool:
    """Whether to be dark."""
    if scheme != "system":
        return scheme == "dark"
    hints = app.styleHints()
    return hints is not None and hints.colorScheme() == Qt.ColorScheme.Dark


def apply_theme(app: QApplication, scheme: Scheme = "system") -> None:
    """Give the whole program its colours."""
    colours = _DARK if is_dark(app, scheme) else _LIGHT
    palette = QPalette()
    for role, colour in colours.items():
        palette.setColor(role, QColor(colour))
    grey = QColor(colours[_Role.PlaceholderText])
    for role in (_Role.WindowText, _Role.Text, _Role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, grey)
    app.setStyle("Fusion")
    app.setPalette(palette)
    app.setStyleSheet(_sized(STYLE, QFontInfo(app.font()).pixelSize()))


def _sized(style: str, font_px: int) -> str:
    """Sizes in brackets as they are beside a font of ``font_px``: headings grow with it."""
    return re.sub(r"\[(\d+)\]", lambda size: f"{int(size[1]) * font_px / _USUAL_PX:.0f}", style)


def backdrop(app: QApplication, scheme: Scheme = "system") -> QColor:
    """What surrounds an image."""
    return QColor("#2b2f37") if is_dark(app, scheme) else QColor("#e9ebef")
