"""Magnification, and what is under the cursor."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QToolButton, QWidget

from lungscan_gui import engine
from lungscan_gui.viewer.tilemap import PENDING, STATES, TileMap
from lungscan_gui.viewer.viewer import Viewer

PROFILE = (
    "Show the colours as the image's profile {name} means them (C). The network always sees the "
    "stored colours."
)
POWERS = (1, 5, 10, 20, 40)


class ViewBar(QWidget):
    """Buttons for the usual magnifications, the present one, and the colour profile."""

    profile_asked = pyqtSignal(bool)

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(2)
        self.fit = _button("Fit", "Show the whole image (F)", viewer.fit)
        layout.addWidget(self.fit)
        self.powers = {
            power: _button(f"{power}x", f"Magnify {power} times", partial(viewer.magnify, power))
            for power in POWERS
        }
        for button in self.powers.values():
            layout.addWidget(button)
        self.power = QLabel()
        self.power.setAccessibleName("Magnification")
        layout.addWidget(self.power)
        layout.addStretch()
        self.profile = QCheckBox()
        self.profile.toggled.connect(self.profile_asked)
        self.profile.hide()
        layout.addWidget(self.profile)
        self.name = QLabel()
        self.name.setObjectName("muted")
        self.name.setTextFormat(Qt.TextFormat.PlainText)
        layout.addWidget(self.name)
        viewer.moved.connect(self.follow)
        self.follow()

    def show_profile(self, name: str) -> None:
        """Offer the image's colour profile by its name; "" where it has none that matters."""
        self.profile.setText(f"Colour profile: {name if len(name) <= 28 else name[:27] + '…'}")
        self.profile.setToolTip(PROFILE.format(name=name))
        self.profile.setAccessibleName(f"Colours by the profile {name}")
        self.profile.setVisible(bool(name))

    def follow(self) -> None:
        """Say how large the image is seen."""
        power = self._viewer.power
        for button in self.powers.values():
            button.setEnabled(power is not None)
        self.fit.setEnabled(self._viewer.camera is not None)
        if power is not None:
            self.power.setText(f"{power:.1f}x" if power < 10 else f"{power:.0f}x")
        elif self._viewer.camera is not None:
            self.power.setText(f"{self._viewer.camera.zoom:.0%}")
        else:
            self.power.setText("")


class Readout(QLabel):
    """Position and class under the cursor; a real label, so that a screen reader can read it."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName("Under the cursor")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._viewer = viewer
        self.map: TileMap | None = None
        self.names: tuple[str, ...] = ()
        self.second: tuple[TileMap, tuple[str, ...]] | None = None  # of the image beside it
        viewer.pointed.connect(self.point)
        viewer.left.connect(self.clear)

    def point(self, x: float, y: float) -> None:
        """Say where the mouse is, and what is known there."""
        words = position_text(x, y, self._viewer.um_per_px)
        if self.map is not None:
            words += "     " + ("A: " if self.second else "")
            words += class_text(self.map, self.names, x, y)
        if self.second is not None:
            words += "     B: " + class_text(*self.second, x, y)
        self.setText(words)
        self.setAccessibleDescription(words)


def position_text(x: float, y: float, um_per_px: float | None) -> str:
    """Level-0 pixels, and µm where the scale is known."""
    words = f"x {x:,.0f}  y {y:,.0f} px"
    return f"{words}  ({x * um_per_px:,.0f}, {y * um_per_px:,.0f} µm)" if um_per_px else words


def class_text(tiles: TileMap, names: tuple[str, ...], x: float, y: float) -> str:
    """The calibrated probability at a place, or why there is none."""
    rows = tiles.at(x, y)
    if not len(rows):
        return "no tile here"
    row = int(rows[0])
    for candidate in rows.tolist():  # where tiles overlap, one that counted says more
        if tiles.state[candidate] >= 0 and STATES[tiles.state[candidate]].value == "used":
            row = candidate
            break
    code = int(tiles.state[row])
    if code == PENDING:
        return "not yet scored"
    if STATES[code].value != "used":
        return f"left out: {engine.STATE_NAMES[STATES[code]]}"
    probs = tiles.probs[row]
    order = probs.argsort()[::-1]
    return ", ".join(f"{names[i]} {engine.probability(float(probs[i]))}" for i in order)


def _button(text: str, tip: str, do: Callable[[], object]) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.clicked.connect(lambda _checked=False: do())
    return button
