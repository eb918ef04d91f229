"""Magnification, and what is under the cursor."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QToolButton, QWidget

from lungscan.types import SeriesInfo
from lungscan_gui import engine
from lungscan_gui.engine import Words
from lungscan_gui.panels.short_label import ShortLabel
from lungscan_gui.viewer.tilemap import PENDING, STATES, TileMap
from lungscan_gui.viewer.viewer import Viewer
from lungscan_gui.words import as_typed

PROFILE = (
    "Show the colours as the image's profile {name} means them (C). The network always sees the "
    "stored colours."
)
POWERS = (1, 5, 10, 20, 40)


class ViewBar(QWidget):
    """Buttons for the usual magnifications, the present one, the profile, the case's images."""

    profile_asked = pyqtSignal(bool)
    file_asked = pyqtSignal(int)

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
        self.files = QComboBox()
        self.files.setAccessibleName("Image of this case")
        self.files.setToolTip(as_typed("The images of this case (Alt+Page Down, Alt+Page Up)"))
        self.files.setMaximumWidth(240)
        self.files.activated.connect(self.file_asked)
        self.files.hide()
        layout.addWidget(self.files)
        self.name = ShortLabel(Qt.TextElideMode.ElideMiddle)
        self.name.setObjectName("muted")
        self.name.setContentsMargins(8, 0, 0, 0)
        layout.addWidget(self.name)
        viewer.moved.connect(self.follow)
        self.follow()

    def show_files(self, names: tuple[str, ...], shown: int) -> None:
        """Offer the images of a case that has several."""
        self.files.clear()
        count = len(names)
        self.files.addItems([f"{i} of {count}: {name}" for i, name in enumerate(names, start=1)])
        self.files.setCurrentIndex(shown)
        self.files.setVisible(count > 1)

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
            button.setVisible(self._viewer.objectives)
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
        self.setObjectName("readout")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._viewer = viewer
        self.map: TileMap | None = None
        self.names: tuple[str, ...] = ()
        self.words: Words | None = None  # of the case's modality
        self.series: SeriesInfo | None = None
        self.second: tuple[TileMap, tuple[str, ...]] | None = None  # of the image beside it
        viewer.pointed.connect(self.point)
        viewer.left.connect(self.clear)

    def point(self, x: float, y: float) -> None:
        """Say where the mouse is, and what is known there."""
        words = position_text(x, y, self._viewer.um_per_px, self.series)
        if self.map is not None:
            words += "     " + ("A: " if self.second else "")
            words += class_text(self.map, self.names, x, y, self.words)
        if self.second is not None:
            words += "     B: " + class_text(*self.second, x, y, self.words)
        self.setText(words)
        self.setAccessibleDescription(words)


def position_text(
    x: float, y: float, um_per_px: float | None, series: SeriesInfo | None = None
) -> str:
    """Level-0 pixels, and µm where the scale is known; in a series the slice, and mm in it."""
    if series is not None:
        return _in_series(x, y, um_per_px, series)
    words = f"x {x:,.0f}  y {y:,.0f} px"
    return f"{words}  ({x * um_per_px:,.0f}, {y * um_per_px:,.0f} µm)" if um_per_px else words


def _in_series(x: float, y: float, um_per_px: float | None, series: SeriesInfo) -> str:
    side, last = series.side_px, series.slices - 1
    if not (0 <= x < side * series.columns and 0 <= y < side * (last // series.columns + 1)):
        return "beside the slices"
    index = series.index_at(int(x), int(y))
    if index > last:
        return "beside the slices"
    across, down = x % side, y % side
    words = f"slice {index + 1:,}  x {across:,.0f}  y {down:,.0f} px"
    mm = um_per_px / 1000 if um_per_px else None
    return f"{words}  ({across * mm:,.1f}, {down * mm:,.1f} mm)" if mm else words


def class_text(
    tiles: TileMap, names: tuple[str, ...], x: float, y: float, words: Words | None = None
) -> str:
    """The calibrated probability at a place, or why there is none; ``words`` default to H&E's."""
    words = words or engine.modality_of(None).words
    rows = tiles.at(x, y)
    if not len(rows):
        return f"no {words.tile} here"
    row = int(rows[0])
    for candidate in rows.tolist():  # where tiles overlap, one that counted says more
        if tiles.state[candidate] >= 0 and STATES[tiles.state[candidate]].value == "used":
            row = candidate
            break
    code = int(tiles.state[row])
    if code == PENDING:
        return "not yet scored"
    if STATES[code].value != "used":
        return f"left out: {engine.state_name(STATES[code], words)}"
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
