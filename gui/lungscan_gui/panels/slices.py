"""The slices of a CT series: which one is seen, where it lies, what it was judged to be.

A series is one image in which its slices lie beside each other, so that to step is to move the
camera: the viewer's threads read what it then shows, the latest request first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QPainter
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QSlider, QWidget

from lungscan.types import SeriesInfo, TileState
from lungscan_gui import engine
from lungscan_gui.viewer.camera import Box, Camera
from lungscan_gui.viewer.tilemap import PENDING, STATES, TileMap
from lungscan_gui.viewer.viewer import NOTCH, Viewer
from lungscan_gui.words import as_typed

FILLS = 0.97  # of the viewer's shorter side, a slice that is stepped to
ALONE_FROM = 0.5  # of the same; a smaller slice is seen among its neighbours
CT_WORDS = engine.modality_of("chest-ct").words
ALL = "All {count} slices (Page Down or the slider: one by one)"


class SliceBar(QWidget):
    """A slider under the image; hidden of anything but a series."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._series: SeriesInfo | None = None
        self._map: TileMap | None = None
        self._names: tuple[str, ...] = ()
        self._framed: Camera | None = None  # where the last step led to
        self._turned = 0  # of a wheel, since the last step
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Slice")
        self.slider.setToolTip(
            as_typed("Page Down: next slice, Page Up: the one before; or Alt+wheel")
        )
        self.slider.valueChanged.connect(self.go)
        self.words = QLabel()
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setAccessibleName("Slice, its place and class")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.words, 1)
        viewer.moved.connect(self.follow)
        viewer.turned.connect(self.turn)
        self.show_series(None)

    @property
    def index(self) -> int:
        """The slice that is seen, from 0; of all of them, the last one that was seen alone."""
        return self.slider.value()

    @property
    def box(self) -> tuple[int, int, int, int] | None:
        """The slice that is seen alone, in level-0 pixels; None where there is none such."""
        camera = self._viewer.camera
        if self._series is None or camera is None or not self._alone(camera):
            return None
        left, top, width, height = self._box(self.index)
        return int(left), int(top), int(width), int(height)

    @property
    def series(self) -> SeriesInfo | None:
        """What is shown, if it is a series."""
        return self._series

    def show_series(self, series: SeriesInfo | None) -> None:
        """Begin in the middle of a series; None: the image is none."""
        self._series, self._map, self._framed, self._turned = series, None, None, 0
        self.setVisible(series is not None)
        if series is not None:
            with _silent(self.slider):
                self.slider.setRange(0, series.slices - 1)
            self.slider.setEnabled(series.slices > 1)
            self.go(series.slices // 2)

    def show_map(self, tiles: TileMap | None, names: tuple[str, ...]) -> None:
        """What is known of the slices by now, and the names of the classes."""
        self._map, self._names = tiles, names
        self._announce()

    def step(self, by: int) -> bool:
        """Go so many slices on, and stop at the ends; whether there is a series."""
        if self._series is not None:
            self.go(self.index + by)
        return self._series is not None

    def turn(self, eighths: int) -> None:
        """A wheel was turned by so many eighths of a degree, towards the user: negative."""
        self._turned -= eighths
        steps = int(self._turned / NOTCH)
        self._turned -= steps * NOTCH
        if steps:
            self.step(steps)

    def go(self, index: int) -> None:
        """Show one slice alone; the zoom and the place in the slice stay as they are."""
        series, camera = self._series, self._viewer.camera
        if series is None or camera is None:
            return
        index = min(max(index, 0), series.slices - 1)
        alone, side = self._alone(camera), series.side_px
        x, y = _corner(series, index)
        if alone and self._framed != camera:
            from_x, from_y = _corner(series, self._seen(camera))
            left, top = camera.centre
            moved = replace(camera, centre=(left - from_x + x, top - from_y + y))
        else:
            middle = camera.moved_to(x + side / 2, y + side / 2)
            moved = middle.zoomed_to(FILLS * min(camera.screen) / side)
            self._framed = moved
        with _silent(self.slider):
            self.slider.setValue(index)
        self._viewer.look(moved)
        self.follow()

    def show_box(self, box: tuple[int, int, int, int]) -> bool:
        """Show the slice that lies in ``box``, whole; whether there is a series."""
        if self._series is not None:
            self._framed = self._viewer.camera
            self.go(self._series.index_at(box[0], box[1]))
        return self._series is not None

    def follow(self) -> None:
        """The camera has moved: another slice may be in the middle, or all may be seen."""
        series, camera = self._series, self._viewer.camera
        if series is None or camera is None:
            return
        framed = self._framed
        if framed and camera != framed and camera == replace(framed, screen=camera.screen):
            self._framed = camera  # the viewer has another size, so the slice gets one, too
            self.go(self.index)
            return
        alone = self._alone(camera)
        if alone:
            with _silent(self.slider):
                self.slider.setValue(self._seen(camera))
        if self._viewer.picture is not None:
            self._viewer.picture.part = self._box(self.index) if alone else None
        self._announce()

    def paint(self, painter: QPainter, camera: Camera, ratio: float) -> None:  # noqa: ARG002
        """Hide what lies beside a slice that is seen alone: a layer over the image."""
        if self._series is None or not self._alone(camera):
            return
        x, y, side, _ = self._box(self._seen(camera))
        left, top = camera.to_screen(x, y)
        right, bottom = camera.to_screen(x + side, y + side)
        wide, high = camera.screen
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
        for edge in (
            (0, 0, left, high), (right, 0, wide - right, high),
            (0, 0, wide, top), (0, bottom, wide, high - bottom),
        ):  # fmt: skip
            if min(edge[2:]) > 0:
                painter.fillRect(QRectF(*edge), self._viewer.backdrop)

    def _alone(self, camera: Camera) -> bool:
        """Whether one slice is looked at, and not several beside each other."""
        series = self._series
        if series is None:
            return False
        large = series.side_px * camera.zoom >= ALONE_FROM * min(camera.screen)
        return series.slices == 1 or (large and camera != camera.fitted())

    def _seen(self, camera: Camera) -> int:
        """The slice in the middle of the view."""
        series = self._series
        assert series is not None  # noqa: S101  asked by the caller
        last = (series.columns - 1, (series.slices - 1) // series.columns)
        column, row = (
            min(int(at // series.side_px), end) for at, end in zip(camera.centre, last, strict=True)
        )
        return min(row * series.columns + column, series.slices - 1)

    def _box(self, index: int) -> Box:
        assert self._series is not None  # noqa: S101  asked by the caller
        side = self._series.side_px
        return *_corner(self._series, index), side, side

    def _announce(self) -> None:
        series, camera = self._series, self._viewer.camera
        if series is None or camera is None:
            return
        words = ALL.format(count=series.slices)
        if self._alone(camera):
            words = f"{place_text(series, self.index)}: {self._judged()}"
        self.words.setText(words)
        self.words.setAccessibleDescription(words)
        self.slider.setAccessibleDescription(words)

    def _judged(self) -> str:
        """The likeliest class with its probability, or why there is none."""
        tiles, series = self._map, self._series
        # A result may be of one slice alone of those that are shown.
        if tiles is None or series is None or len(tiles.state) != series.slices:
            return "not yet scored"
        if tiles.state[self.index] == PENDING:
            return "not yet scored"
        state = STATES[tiles.state[self.index]]
        if state is not TileState.USED:
            return f"left out: {engine.state_name(state, CT_WORDS)}"
        probs = tiles.probs[self.index]
        best = int(probs.argmax())
        return f"{self._names[best]} {engine.probability(float(probs[best]))}"


def place_text(series: SeriesInfo, index: int) -> str:
    """``Slice 3 of 6, 12.5 mm``; without the place where the files do not say it."""
    words = f"Slice {index + 1:,} of {series.slices:,}"
    if series.positions_mm is None:
        return words
    place = f"{series.positions_mm[index]:.3f}".rstrip("0").rstrip(".")
    return f"{words}, {'0' if place == '-0' else place} mm"


def _corner(series: SeriesInfo, index: int) -> tuple[int, int]:
    row, column = divmod(index, series.columns)
    return column * series.side_px, row * series.side_px


@contextmanager
def _silent(slider: QSlider) -> Iterator[None]:
    """Set a slider without a word to anybody."""
    before = slider.blockSignals(True)
    try:
        yield
    finally:
        slider.blockSignals(before)
