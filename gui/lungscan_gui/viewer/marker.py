"""A frame around the tile of the evidence that is looked at."""

from __future__ import annotations

from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPen

from lungscan_gui.viewer.camera import Camera


class Marker:
    """White and dark, so that it is seen on any tissue."""

    def __init__(self) -> None:
        self.box: tuple[int, int, int, int] | None = None  # level-0 pixels

    def paint(self, painter: QPainter, camera: Camera, ratio: float) -> None:  # noqa: ARG002
        """Draw it, if there is one."""
        if self.box is None:
            return
        x, y = camera.to_screen(self.box[0], self.box[1])
        frame = QRectF(x, y, self.box[2] * camera.zoom, self.box[3] * camera.zoom)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for width, colour in ((5.0, QColor(255, 255, 255)), (2.0, QColor(20, 20, 20))):
            painter.setPen(QPen(colour, width))
            painter.drawRect(frame)
