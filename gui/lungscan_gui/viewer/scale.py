"""The scale bar, at the lower left."""

from __future__ import annotations

from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor, QPainter

from lungscan_gui.engine import scale_bar
from lungscan_gui.viewer.camera import Camera

MARGIN, HEIGHT = 14, 40
INK, PAPER = QColor(20, 20, 20), QColor(255, 255, 255, 215)


def scale_text(camera: Camera, um_per_px: float | None) -> str:
    """The words beside the bar."""
    return scale_bar(um_per_px / camera.zoom, 480).label if um_per_px else "Scale unknown"


def draw_scale_bar(painter: QPainter, camera: Camera, um_per_px: float | None) -> None:
    """Draw a bar of a round length, or say that the scale is unknown."""
    words = scale_text(camera, um_per_px)
    length = scale_bar(um_per_px / camera.zoom, 480).length_px if um_per_px else 0.0
    text = painter.fontMetrics().horizontalAdvance(words)
    box = QRectF(MARGIN, camera.screen[1] - MARGIN - HEIGHT, max(length, text) + 20, HEIGHT)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(PAPER)
    painter.drawRoundedRect(box, 5, 5)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
    painter.setPen(INK)
    space = box.adjusted(0, 3, 0, -12 if length else -3)
    painter.drawText(space, Qt.AlignmentFlag.AlignCenter, words)
    if length:
        left, y = box.center().x() - length / 2, box.bottom() - 9
        painter.fillRect(QRectF(left, y, length, 3), INK)
        for x in (left, left + length - 1):
            painter.fillRect(QRectF(x, y - 3, 1, 9), INK)
