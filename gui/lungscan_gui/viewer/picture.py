"""The image on the screen: overview, coarse tiles, sharp tiles, in this order."""

from __future__ import annotations

from itertools import zip_longest

from PyQt6.QtCore import QObject, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QBrush, QColor, QPainter, QPixmap

from lungscan.types import Overview, RgbArray
from lungscan_gui.engine import ViewedImage
from lungscan_gui.viewer.cache import TileCache
from lungscan_gui.viewer.camera import Camera
from lungscan_gui.viewer.ladder import Ladder, TileKey
from lungscan_gui.viewer.loader import TileLoader, to_qimage

UNREADABLE = QColor(120, 120, 120)


class Picture(QObject):
    """What is drawn of one image; without a ``ViewedImage`` only its overview."""

    changed = pyqtSignal()
    broken = pyqtSignal(str)

    def __init__(
        self, size: tuple[int, int], overview: RgbArray, step: float, image: ViewedImage | None
    ) -> None:
        """``step`` is level-0 pixels per pixel of the overview."""
        super().__init__()
        self.size = size
        self.overview = QPixmap.fromImage(to_qimage(overview))
        self.cache = TileCache()
        self._step = step
        self._ladder = Ladder(*size, step)
        self.loader = TileLoader(image) if image else None
        self.profile = image.profile if image else ""  # name of a colour profile that can be used
        self.by_profile = False
        self.wishes: dict[object, list[TileKey]] = {}  # of each viewer that shows it
        if self.loader:
            self.loader.loaded.connect(self._take)
            self.loader.recoloured.connect(self._recoloured)
            self.loader.broken.connect(self.broken)

    @property
    def settled(self) -> bool:
        """Whether all that was asked for has come."""
        return self.loader is None or self.loader.idle

    def close(self) -> None:
        """Let go of the file."""
        if self.loader:
            self.loader.close()

    def recolour(self, by_profile: bool) -> None:
        """Show the colours that the profile means, or the stored ones."""
        if self.loader and self.profile and by_profile != self.by_profile:
            self.by_profile = by_profile
            self.loader.recolour(by_profile)

    def leave(self, viewer: object) -> None:
        """This viewer shows it no longer, so what it wanted need not be read."""
        if self.wishes.pop(viewer, None):
            self._ask()

    def paint(self, painter: QPainter, camera: Camera, ratio: float, viewer: object = None) -> None:
        """Draw the view, and ask for what is missing. ``ratio`` is device pixels per point."""
        self._draw_overview(painter, camera)
        step = self._ladder.step_for(camera.zoom * ratio) if self.loader else 0
        if not step or not self.loader:
            self.leave(viewer)
            return
        painter.setClipRect(_on_screen(camera, (0, 0, *self.size)))
        for key in self._ladder.tiles(step, camera.visible):
            self._draw_tile(painter, camera, ratio, key)
        painter.setClipping(False)
        self.wishes[viewer] = self._ladder.wanted(step, camera.visible)
        self._ask()

    def is_sharp(self, camera: Camera, ratio: float) -> bool:
        """Whether every tile of the view is here."""
        step = self._ladder.step_for(camera.zoom * ratio) if self.loader else 0
        return not step or not self.cache.missing(self._ladder.tiles(step, camera.visible))

    def _ask(self) -> None:
        """Read what is missing; of several viewers in turn, so that none waits for another."""
        turns = zip_longest(*self.wishes.values())
        keys = dict.fromkeys(key for turn in turns for key in turn if key is not None)
        if self.loader:
            self.loader.want(self.cache.missing(keys))

    def _draw_overview(self, painter: QPainter, camera: Camera) -> None:
        """Draw the part of the overview that is seen."""
        left, top, width, height = camera.visible
        seen = QRectF(left, top, width, height) & QRectF(0, 0, *self.size)
        source = QRectF(
            seen.x() / self._step, seen.y() / self._step,
            seen.width() / self._step, seen.height() / self._step,
        )  # fmt: skip
        box = (seen.x(), seen.y(), seen.width(), seen.height())
        painter.drawPixmap(_on_screen(camera, box), self.overview, source)

    def _draw_tile(self, painter: QPainter, camera: Camera, ratio: float, key: TileKey) -> None:
        """Draw a tile, or the part of a coarser one that stands in for it."""
        target = _snapped(_on_screen(camera, key.box), ratio)
        found, of = key, self.cache.get(key)
        if of is None and key in self.cache:
            painter.fillRect(target, QBrush(UNREADABLE, Qt.BrushStyle.DiagCrossPattern))
            return
        while of is None:
            found = found.parent
            if found.step > self._ladder.coarsest:
                return  # the overview shows
            of = self.cache.get(found)
        share = key.step / found.step
        side = of.width() * share
        at = (key.column - found.column / share, key.row - found.row / share)
        painter.drawPixmap(target, of, QRectF(at[0] * side, at[1] * side, side, side))

    def _recoloured(self, overview: Overview) -> None:
        self.overview = QPixmap.fromImage(to_qimage(overview.rgb))
        self.cache.clear()
        self.changed.emit()

    def _take(self, key: TileKey, image: object) -> None:
        self.cache.put(key, QPixmap.fromImage(image) if image is not None else None)  # type: ignore[arg-type]
        self.changed.emit()


def _on_screen(camera: Camera, box: tuple[float, float, float, float]) -> QRectF:
    x, y = camera.to_screen(box[0], box[1])
    return QRectF(x, y, box[2] * camera.zoom, box[3] * camera.zoom)


def _snapped(rect: QRectF, ratio: float) -> QRectF:
    """Edges on device pixels, so that neighbours touch without a gap."""
    left, top = round(rect.left() * ratio) / ratio, round(rect.top() * ratio) / ratio
    right, bottom = round(rect.right() * ratio) / ratio, round(rect.bottom() * ratio) / ratio
    return QRectF(left, top, right - left, bottom - top)
