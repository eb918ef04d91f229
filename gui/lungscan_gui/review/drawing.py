"""Regions to leave out: drawn over the image, corner by corner or freehand.

A click sets a corner, a drag still pans; freehand, a drag draws the whole region. Without a mouse a
cross in the middle of the view is steered by the arrow keys, and Space sets the corner there.
"""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QEvent, QObject, QPointF, QRectF, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import (
    QColor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
    QPolygonF,
)

from lungscan_gui.engine import Region
from lungscan_gui.review.outline import simplified
from lungscan_gui.viewer.camera import Camera
from lungscan_gui.viewer.viewer import Viewer

CLICK = 4  # points by which the mouse may move between press and release
NEAR = 9  # points from the first corner that close the polygon
LEAST = 3  # corners
STROKE = 3  # points from one corner of a line drawn by hand to the next
SMOOTH = 1.0  # points by which that line may be off when corners are left out
DARK, LIGHT, VEIL = QColor(20, 20, 20), QColor(255, 255, 255), QColor(240, 240, 240, 165)
NAME = "left out"
HELP = (
    "Click the corners of the region, drag to pan. Double click or Enter closes it, Backspace "
    "takes a corner back, Esc gives up. By keyboard: arrow keys and Space."
)
FREEHAND = (
    "Hold the left button and draw around the region: it closes when you let go. The wheel zooms, "
    "arrow keys and the middle button pan, Esc gives up."
)


class Drawing(QObject):
    """A layer of the viewer that shows regions, and takes the mouse while one is drawn."""

    drawn = pyqtSignal(object)  # Region
    ended = pyqtSignal()  # closed or given up

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(viewer)
        self._viewer = viewer
        self._file = 0  # the image of the case that is looked at
        self.regions: tuple[Region, ...] = ()
        self.corners: list[tuple[float, float]] = []  # of the one being drawn, level-0 pixels
        self.active = False
        self.freehand = False
        self._pressed: QPointF | None = None
        self._mouse: QPointF | None = None
        viewer.installEventFilter(self)

    def show_regions(self, regions: tuple[Region, ...], file: int) -> None:
        """Show those of these that lie in one image of the case."""
        if file != self._file:
            self.give_up()
        self.regions, self._file = regions, file
        self._viewer.update()

    def begin(self, *, freehand: bool = False) -> None:
        """Draw one from now on."""
        if self._viewer.camera is None:
            return
        self.active, self.corners, self._mouse = True, [], None
        self.freehand, self._pressed = freehand, None
        self._viewer.setCursor(Qt.CursorShape.CrossCursor)
        self._viewer.setFocus()
        self._viewer.update()

    def give_up(self) -> None:
        """Forget what was drawn of it."""
        if self.active:
            self._end()

    def close(self) -> None:
        """Close the polygon, if it is one."""
        if self.active and len(self.corners) >= LEAST:
            region = Region(self._file, tuple(self.corners))
            self._end()
            self.drawn.emit(region)

    def _end(self) -> None:
        self.active, self.corners = False, []
        self._viewer.unsetCursor()
        self._viewer.update()
        self.ended.emit()

    # Mouse and keys ----------------------------------------------------------------------------

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Take what sets corners; all else moves the view as ever."""
        if not self.active or event is None or self._viewer.camera is None:
            return super().eventFilter(watched, event)
        kind = event.type()
        if isinstance(event, QMouseEvent):
            draw = self._stroke if self.freehand else self._mouse_event
            return draw(kind, event)
        if isinstance(event, QKeyEvent) and event.key() in self._keys():
            if kind == QEvent.Type.ShortcutOverride:
                event.accept()  # not the window's meaning of the key
            elif kind == QEvent.Type.KeyPress:
                self._keys()[Qt.Key(event.key())]()
            return True
        return super().eventFilter(watched, event)

    def _mouse_event(self, kind: QEvent.Type, event: QMouseEvent) -> bool:
        self._mouse = event.position()
        left = event.button() == Qt.MouseButton.LeftButton
        if kind == QEvent.Type.MouseButtonDblClick:
            self.close()
            return True  # the image is not fitted
        if kind == QEvent.Type.MouseButtonPress and left:
            self._pressed = event.position()
        elif kind == QEvent.Type.MouseButtonRelease and left and self._pressed is not None:
            moved = event.position() - self._pressed
            self._pressed = None
            if abs(moved.x()) + abs(moved.y()) <= CLICK:
                self._set_corner(event.position())
            QTimer.singleShot(0, self._keep_cross)
        self._viewer.update()
        return False

    def _stroke(self, kind: QEvent.Type, event: QMouseEvent) -> bool:
        """A line drawn by hand: from press to release of the left button, nothing pans."""
        at, left = event.position(), event.button() == Qt.MouseButton.LeftButton
        self._mouse = at
        if kind == QEvent.Type.MouseButtonPress and left:
            self._pressed, self.corners = at, []
            self._set_corner(at)
        elif kind == QEvent.Type.MouseMove and self._pressed is not None:
            moved = at - self._pressed
            if abs(moved.x()) + abs(moved.y()) >= STROKE:
                self._pressed = at
                self._set_corner(at)
        elif kind == QEvent.Type.MouseButtonRelease and left and self._pressed is not None:
            self._pressed = None
            self._close_stroke()
        elif kind != QEvent.Type.MouseButtonDblClick:
            return False  # another button still pans
        self._viewer.update()
        return True

    def _close_stroke(self) -> None:
        camera = self._viewer.camera
        if camera is not None:
            self.corners = list(simplified(self.corners, SMOOTH / camera.zoom))
        if len(self.corners) >= LEAST:
            self.close()
        else:
            self.corners = []  # a click is no region: go on waiting for one

    def _keep_cross(self) -> None:
        if self.active:
            self._viewer.setCursor(Qt.CursorShape.CrossCursor)

    def _keys(self) -> dict[Qt.Key, Callable[[], None]]:
        return {
            Qt.Key.Key_Escape: self.give_up,
            **({} if self.freehand else self._keys_of_corners()),
        }

    def _keys_of_corners(self) -> dict[Qt.Key, Callable[[], None]]:
        return {
            Qt.Key.Key_Return: self.close,
            Qt.Key.Key_Enter: self.close,
            Qt.Key.Key_Backspace: self._take_back,
            Qt.Key.Key_Space: self._corner_in_the_middle,
        }

    def _corner_in_the_middle(self) -> None:
        self._mouse = None
        middle = QPointF(self._viewer.width() / 2, self._viewer.height() / 2)
        self._set_corner(middle)
        self._viewer.update()

    def _take_back(self) -> None:
        if self.corners:
            self.corners.pop()
        self._viewer.update()

    def _set_corner(self, at: QPointF) -> None:
        camera = self._viewer.camera
        if camera is None:
            return
        if len(self.corners) >= LEAST and not self.freehand:
            x, y = camera.to_screen(*self.corners[0])
            if abs(x - at.x()) <= NEAR and abs(y - at.y()) <= NEAR:
                self.close()
                return
        corner = camera.to_image(at.x(), at.y())
        if not self.corners or corner != self.corners[-1]:
            self.corners.append(corner)

    # Painting ----------------------------------------------------------------------------------

    def paint(self, painter: QPainter, camera: Camera, ratio: float) -> None:  # noqa: ARG002
        """Draw the regions, and the one in the making."""
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for region in self.regions:
            if region.file_index == self._file:
                shape = _on_screen(region.points, camera)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(VEIL)
                painter.drawPolygon(shape, Qt.FillRule.WindingFill)
                _outline(painter, shape, closed=True)
                _name(painter, shape)
        if self.active:
            self._paint_made(painter, camera)
        painter.restore()

    def _paint_made(self, painter: QPainter, camera: Camera) -> None:
        shape = _on_screen(tuple(self.corners), camera)
        middle = QPointF(self._viewer.width() / 2, self._viewer.height() / 2)
        ahead = self._mouse or middle
        if self.corners:
            line = QPolygonF(shape)
            line.append(ahead)
            _outline(painter, line, closed=False)
        painter.setPen(QPen(DARK, 1))
        painter.setBrush(LIGHT)
        for position in () if self.freehand else self.corners:
            x, y = camera.to_screen(*position)
            painter.drawRect(QRectF(x - 4, y - 4, 8, 8))
        if self._mouse is None and not self.freehand:
            for pen in (QPen(LIGHT, 4), QPen(DARK, 1.6)):
                painter.setPen(pen)
                painter.drawLine(middle - QPointF(12, 0), middle + QPointF(12, 0))
                painter.drawLine(middle - QPointF(0, 12), middle + QPointF(0, 12))


def _on_screen(points: tuple[tuple[float, float], ...], camera: Camera) -> QPolygonF:
    return QPolygonF([QPointF(*camera.to_screen(x, y)) for x, y in points])


def _outline(painter: QPainter, shape: QPolygonF, *, closed: bool) -> None:
    """Dark and dashed over white: seen on any tissue, and unlike the outlines of classes."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    dashed = QPen(DARK, 2, Qt.PenStyle.DashLine)
    for pen in (QPen(LIGHT, 4), dashed):
        painter.setPen(pen)
        if closed:
            painter.drawPolygon(shape)
        else:
            painter.drawPolyline(shape)


def _name(painter: QPainter, shape: QPolygonF) -> None:
    """Say what it is, inside it, where there is room."""
    size = painter.fontMetrics().boundingRect(NAME).size()
    room = QRectF(0, 0, size.width() + 12, size.height() + 6)
    room.moveCenter(shape.boundingRect().center())
    corners = (room.topLeft(), room.topRight(), room.bottomLeft(), room.bottomRight())
    if all(shape.containsPoint(at, Qt.FillRule.WindingFill) for at in corners):
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(LIGHT)
        painter.drawRoundedRect(room, 4, 4)
        painter.setPen(DARK)
        painter.drawText(room, Qt.AlignmentFlag.AlignCenter, NAME)
