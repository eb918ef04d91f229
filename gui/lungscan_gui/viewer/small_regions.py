"""Tumour regions that are too small to be seen from afar, in a frame that never gets smaller."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPen

from lungscan_gui.engine import Rgb, find_pieces
from lungscan_gui.viewer.camera import Camera
from lungscan_gui.viewer.tilemap import MapLook, TileMap

LEAST = 14.0  # points of a frame's side, on whatever screen
MOST = 300  # regions of a class; more are a speckle that frames would cover
EVERY_S = 0.4  # while tiles come in

Frame = tuple[int, float, float, float, float]  # class; left, top, right, bottom in cells


class SmallRegions:
    """The regions of the tumour classes of one map, with the frames they need."""

    def __init__(self, tiles: TileMap, tumour: Sequence[bool]) -> None:
        self._tiles = tiles
        self._classes = [index for index, malignant in enumerate(tumour) if malignant]
        self._frames: list[Frame] = []
        self._found_at = 0.0
        self._old = True

    def forget(self, *, at_once: bool = False) -> None:
        """The map has changed, or what of it is shown (``at_once``)."""
        self._old = True
        if at_once:
            self._found_at = 0.0

    def frames(self, look: MapLook, camera: Camera) -> list[tuple[int, QRectF]]:
        """Class and frame, in points of the screen, of the regions that would be smaller."""
        now = time.monotonic()
        if self._old and now - self._found_at > EVERY_S:
            self._find(look)
            self._found_at, self._old = now, False
        (x0, y0), (across, down) = self._tiles.origin, self._tiles.step
        found = []
        for index, left, top, right, bottom in self._frames:
            x1, y1 = camera.to_screen(x0 + left * across, y0 + top * down)
            x2, y2 = camera.to_screen(x0 + right * across, y0 + bottom * down)
            if max(x2 - x1, y2 - y1) < LEAST:
                middle_x, middle_y = (x1 + x2) / 2, (y1 + y2) / 2
                half = LEAST / 2
                found.append((index, QRectF(middle_x - half, middle_y - half, LEAST, LEAST)))
        return found

    def paint(
        self, painter: QPainter, camera: Camera, look: MapLook, colours: Sequence[Rgb]
    ) -> None:
        """Draw them: the class's colour over white."""
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for index, frame in self.frames(look, camera):
            for width, colour in ((4.5, QColor(255, 255, 255)), (2.5, QColor(*colours[index]))):
                painter.setPen(QPen(colour, width))
                painter.drawRect(frame)

    def _find(self, look: MapLook) -> None:
        shown = self._tiles.shown_classes(look)
        self._frames = []
        for index in self._classes:
            pieces = find_pieces(shown == index)
            if len(pieces.area) <= MOST:
                sides = (pieces.left, pieces.top, pieces.right, pieces.bottom)
                corners = zip(*(side.tolist() for side in sides), strict=True)
                self._frames += [(index, *corner) for corner in corners]
