"""What lies over both images: frames around changed tiles, and where the mouse is in the other."""

from __future__ import annotations

import numpy as np
from PyQt6.QtCore import QLineF, QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPen

from lungscan.types import BoxArray
from lungscan_gui.viewer.camera import Camera

MOST_FRAMES = 3000  # more in one view are points: they would only cover the image
LEAST = 6.0  # points; a lone tile seen from afar is still that large
ARM = 14  # points of the cross
WHITE, INK = QColor(255, 255, 255), QColor(20, 20, 20)


class ChangeMarks:
    """Frames, black and white dashed, so that they are no class's colour and seen on any tissue."""

    def __init__(self) -> None:
        self.boxes: BoxArray = np.zeros((0, 4), np.int32)  # level-0 pixels
        self.visible = True

    def paint(self, painter: QPainter, camera: Camera, ratio: float) -> None:  # noqa: ARG002
        """Draw those that are seen."""
        frames = self._frames(camera)
        if not frames or not self.visible:
            return
        painter.save()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if len(frames) > MOST_FRAMES:
            for width, colour in ((5, WHITE), (3, INK)):
                painter.setPen(QPen(colour, width))
                painter.drawPoints([frame.center() for frame in frames])  # type: ignore[call-overload]
        else:
            dashed = QPen(INK, 2.5, Qt.PenStyle.CustomDashLine)
            dashed.setDashPattern([2.0, 1.6])
            for pen in (QPen(WHITE, 2.5), dashed):
                painter.setPen(pen)
                painter.drawRects(frames)  # type: ignore[call-overload]
        painter.restore()

    def _frames(self, camera: Camera) -> list[QRectF]:
        left, top, width, height = camera.visible
        x, y, across, down = self.boxes.T
        seen = (x < left + width) & (x + across > left) & (y < top + height) & (y + down > top)
        return [self._frame(camera, box) for box in self.boxes[seen].tolist()]

    @staticmethod
    def _frame(camera: Camera, box: list[int]) -> QRectF:
        x, y = camera.to_screen(box[0], box[1])
        width, height = box[2] * camera.zoom, box[3] * camera.zoom
        if width >= LEAST and height >= LEAST:
            return QRectF(x + 2, y + 2, width - 4, height - 4)  # inside, beside its neighbour's
        size = max(width, LEAST), max(height, LEAST)
        return QRectF(x + (width - size[0]) / 2, y + (height - size[1]) / 2, *size)


class Cross:
    """Where the mouse is in the other image."""

    def __init__(self) -> None:
        self.at: tuple[float, float] | None = None  # level-0 pixels

    def paint(self, painter: QPainter, camera: Camera, ratio: float) -> None:  # noqa: ARG002
        """Draw it, if the mouse is there."""
        if self.at is None:
            return
        middle = QPointF(*camera.to_screen(*self.at))
        lines = [
            QLineF(middle.x() - ARM, middle.y(), middle.x() + ARM, middle.y()),
            QLineF(middle.x(), middle.y() - ARM, middle.x(), middle.y() + ARM),
        ]
        for width, colour in ((4.0, WHITE), (1.6, INK)):
            painter.setPen(QPen(colour, width))
            painter.drawLines(*lines)
