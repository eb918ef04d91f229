"""The map over the image: colour by class, strength by confidence, and outlines of regions.

Few tiles are drawn one by one, with letters, stripes where uncertain and hatching where left out,
as the report's map has them; many as one picture, because twenty thousand squares take too long.
"""

from __future__ import annotations

import time
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray
from PyQt6 import sip
from PyQt6.QtCore import QLineF, QRectF, Qt
from PyQt6.QtGui import QBrush, QColor, QFont, QImage, QPainter, QPen, QTransform

from lungscan.types import ModelStamp, TileState
from lungscan_gui.engine import UNCERTAIN_BELOW, class_letters, class_rgb, on_color
from lungscan_gui.viewer.camera import Box, Camera
from lungscan_gui.viewer.lines import lines_of
from lungscan_gui.viewer.small_regions import SmallRegions
from lungscan_gui.viewer.tilemap import PENDING, PER_TILE, STATES, MapLook, TileMap

FEW_TILES = 900  # in the view, drawn one by one
LETTER_FROM = 46  # points of a tile's side
FADES_FROM, FADES_TO, LEFT_OF_COLOUR = 60, 180, 0.2  # points of a tile's side
MOST_LINES = 8000  # of one class; more are a speckle that no outline makes clearer
OUTLINES_EVERY_S = 0.4  # while tiles come in, to find them takes too long for every batch
OUTLINE = 2.0  # points; a lone tile seen from afar is still that large
GREY, DARK, PALE = (95, 95, 95), (40, 40, 40), (60, 70, 90)

Outlines = list[tuple[int, "sip.array[QLineF | None]"]]  # by class, in cells of the map


class Overlay:
    """Draws one ``TileMap``. ``look`` says what is shown."""

    def __init__(self, tiles: TileMap, model: ModelStamp) -> None:
        self.tiles = tiles
        self.rgb = class_rgb(model)
        self.letters = class_letters(model)
        self._look = MapLook((True,) * tiles.classes)
        height, width = tiles.used.shape
        self._pixels = np.zeros((max(1, height), max(1, width), 4), np.uint8)
        self._ratio = 1.0  # device pixels per point
        self._image: QImage | None = None  # of ``_pixels``, made when it is painted
        self._lines: Outlines = []
        self._lines_at = 0.0  # when they were found
        self._lines_old = True
        self.small = SmallRegions(tiles, model.tumour)
        self.redraw()

    @property
    def look(self) -> MapLook:
        """What is shown."""
        return self._look

    @look.setter
    def look(self, look: MapLook) -> None:
        before, self._look = self._look, look
        if (before.shown, before.threshold) != (look.shown, look.threshold):
            self._lines_at = 0.0
            self.redraw()
            self.small.forget(at_once=True)

    def redraw(self, rows: slice = slice(None)) -> None:
        """Take over what changed in these rows of cells."""
        if self.tiles.used.size:
            self._pixels[: len(self.tiles.used)][rows] = self._coloured(rows)
        self._image, self._lines_old = None, True
        self.small.forget()

    def paint(self, painter: QPainter, camera: Camera, ratio: float) -> None:
        """Draw what of the map is seen."""
        if not self._look.visible or not len(self.tiles.boxes):
            return
        seen = self.tiles.within(camera.visible)
        one_by_one = len(seen) <= FEW_TILES and not self.tiles.overlapping
        self._ratio = ratio
        painter.save()
        painter.setOpacity(self._look.opacity)
        if one_by_one:
            self._paint_tiles(painter, camera, seen)
            outlines = self._outlines(*self._cells_in(camera.visible))
        else:
            if self._look.filled:
                self._paint_picture(painter, camera)
            outlines = self._all_outlines()
        painter.setOpacity(min(1.0, self._look.opacity + 0.3))
        painter.save()
        self._paint_outlines(painter, camera, outlines)
        painter.restore()
        self.small.paint(painter, camera, self._look, self.rgb)
        painter.restore()

    # One picture -------------------------------------------------------------------------------

    def _coloured(self, rows: slice) -> NDArray[np.uint8]:
        """The cells of these rows as blue, green, red, alpha."""
        shown = self.tiles.shown_classes(self._look, rows)
        best = self.tiles.best[rows]
        other = self.tiles.other[rows]
        colours = np.array([*self.rgb, (0, 0, 0)], np.float32)[shown]
        alpha = np.where(shown >= 0, 255 * self._strength(best), 0.0)
        uncertain = (shown >= 0) & (best < UNCERTAIN_BELOW)
        colours[uncertain] = 0.35 * colours[uncertain] + 0.65 * 255
        alpha[uncertain] = 190
        dot = np.zeros(other.shape, np.bool_)
        middle = slice(PER_TILE // 2 - 1, None, PER_TILE)
        dot[middle, middle] = True
        for mask, rgb, strength in (
            ((other == 1) & dot, PALE, 255), (other == 2, GREY, 110), (other == 3, DARK, 170),
        ):  # fmt: skip
            colours[mask], alpha[mask] = rgb, strength
        return np.dstack((colours[..., ::-1], alpha)).astype(np.uint8)

    def _strength(self, best: NDArray[np.float32]) -> NDArray[np.float32]:
        """How strong a colour is, by the probability of its class."""
        chance = 1 / max(2, self.tiles.classes)
        share: NDArray[np.float32] = np.clip((best - chance) / (1 - chance), 0, 1)
        return np.float32(0.35) + np.float32(0.65) * share

    def _paint_picture(self, painter: QPainter, camera: Camera) -> None:
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, on=False)
        if self._image is None:
            height, width = self._pixels.shape[:2]
            form = QImage.Format.Format_ARGB32
            self._image = QImage(self._pixels.tobytes(), width, height, 4 * width, form).copy()
        (left, top), (across, down) = self.tiles.origin, self.tiles.step
        x, y = camera.to_screen(left, top)
        size = (self._image.width() * across, self._image.height() * down)
        target = QRectF(x, y, size[0] * camera.zoom, size[1] * camera.zoom)
        painter.drawImage(target, self._image)

    # Tile by tile ------------------------------------------------------------------------------

    def _paint_tiles(self, painter: QPainter, camera: Camera, seen: NDArray[np.int64]) -> None:
        side = float(self.tiles.boxes[0, 2]) * camera.zoom
        font = QFont(painter.font())
        font.setBold(True)
        font.setPixelSize(int(min(18, max(11, side / 5))))
        painter.setFont(font)
        for row in seen.tolist():
            x, y, width, height = self.tiles.boxes[row].tolist()
            left, top = camera.to_screen(x, y)
            rect = QRectF(left, top, width * camera.zoom, height * camera.zoom)
            self._paint_tile(painter, rect, row, lettered=side >= LETTER_FROM)

    def _paint_tile(self, painter: QPainter, rect: QRectF, row: int, *, lettered: bool) -> None:
        code = int(self.tiles.state[row])
        if code == PENDING:
            dot = QRectF(0, 0, 5, 5)
            dot.moveCenter(rect.center())
            painter.fillRect(dot.adjusted(-1, -1, 1, 1), QColor(255, 255, 255))
            painter.fillRect(dot, QColor(*PALE))
        elif STATES[code] is TileState.FAILED:
            painter.fillRect(rect, self._hatch(QColor(*DARK), Qt.BrushStyle.DiagCrossPattern))
        elif STATES[code] is not TileState.USED:
            painter.fillRect(rect, self._hatch(QColor(*GREY), Qt.BrushStyle.FDiagPattern))
        else:
            self._paint_used(painter, rect, row, lettered=lettered)

    def _paint_used(self, painter: QPainter, rect: QRectF, row: int, *, lettered: bool) -> None:
        probs = self.tiles.probs[row]
        index = int(probs.argmax())
        best = float(probs[index])
        if not self._look.shown[index] or best < self._look.threshold:
            return
        colour = QColor(*self.rgb[index])
        if best < UNCERTAIN_BELOW:
            painter.fillRect(rect, QColor(255, 255, 255, 140))
            painter.fillRect(rect, self._hatch(colour, Qt.BrushStyle.BDiagPattern))
        elif self._look.filled:
            strength = float(self._strength(np.array([best], np.float32))[0])
            colour.setAlphaF(0.7 * strength * fading(rect.width()))
            painter.fillRect(rect, colour)
        if lettered:
            chip = QRectF(rect.left() + 3, rect.top() + 3, 18, 18)
            painter.fillRect(chip, QColor(*self.rgb[index]))
            painter.setPen(QColor(*on_color(self.rgb[index])))
            painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, self.letters[index])

    def _hatch(self, colour: QColor, style: Qt.BrushStyle) -> QBrush:
        """Stripes as wide on a dense screen as on any other; Qt draws them in device pixels."""
        brush = QBrush(colour, style)
        brush.setTransform(QTransform.fromScale(self._ratio, self._ratio))
        return brush

    # Outlines ----------------------------------------------------------------------------------

    def _paint_outlines(self, painter: QPainter, camera: Camera, outlines: Outlines) -> None:
        (left, top), (across, down) = self.tiles.origin, self.tiles.step
        x, y = camera.to_screen(left, top)
        zoom = camera.zoom
        place = QTransform(across * zoom, 0, 0, down * zoom, x, y)
        painter.setTransform(place, combine=True)
        for index, lines in outlines:
            pen = QPen(QColor(*self.rgb[index]).darker(140), OUTLINE)
            pen.setCosmetic(True)
            painter.setPen(pen)
            painter.drawLines(lines)

    def _all_outlines(self) -> Outlines:
        """Those of the whole map; they are found again when it changes, but not for every batch."""
        now = time.monotonic()
        if self._lines_old and now - self._lines_at > OUTLINES_EVERY_S:
            self._lines = self._outlines(slice(None), slice(None))
            self._lines_at, self._lines_old = now, False
        return self._lines

    def _cells_in(self, view: Box) -> tuple[slice, slice]:
        """Rows and columns of the cells that a part of level 0 touches."""
        found = []
        for axis in (1, 0):
            origin, step = self.tiles.origin[axis], self.tiles.step[axis]
            first = max(0, floor((view[axis] - origin) / step))
            found.append(
                slice(first, max(first, ceil((view[axis] + view[axis + 2] - origin) / step)))
            )
        return found[0], found[1]

    def _outlines(self, rows: slice, columns: slice) -> Outlines:
        """The borders of the regions of each class, in cells; none where there are too many."""
        top, left = rows.start or 0, columns.start or 0
        shown = self.tiles.shown_classes(self._look, rows, columns)
        found: Outlines = []
        for index in np.unique(shown[shown >= 0]).tolist():
            inside = np.pad(shown == index, 1)
            across = _runs(inside[1:, 1:-1] != inside[:-1, 1:-1])
            down = _runs((inside[1:-1, 1:] != inside[1:-1, :-1]).T)
            if len(across) + len(down) > MOST_LINES:
                continue
            at, begin, end = across.T
            lying = np.column_stack((left + begin, top + at, left + end, top + at))
            at, begin, end = down.T
            standing = np.column_stack((left + at, top + begin, left + at, top + end))
            found.append((index, lines_of(np.concatenate((lying, standing)).astype(np.float64))))
        return found


def fading(side: float) -> float:
    """How much of a tile's colour is left when it is seen ``side`` points large.

    Whoever looks at cells wants to see cells: the outlines and letters still tell the class.
    """
    near = (side - FADES_FROM) / (FADES_TO - FADES_FROM)
    return 1 - (1 - LEFT_OF_COLOUR) * min(max(near, 0.0), 1.0)


def _runs(edge: NDArray[np.bool_]) -> NDArray[np.int64]:
    """``(n, 3)`` unbroken stretches of each row: the row, where it begins, and where it ends."""
    steps = np.diff(np.pad(edge, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, begins = np.nonzero(steps == 1)
    _, ends = np.nonzero(steps == -1)
    return np.column_stack((rows, begins, ends))
