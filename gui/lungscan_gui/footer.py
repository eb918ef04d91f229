"""A picture that leaves the window says what it may be used for."""

from __future__ import annotations

from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPixmap

HEIGHT = 26  # points


def with_footer(picture: QPixmap, words: str) -> QPixmap:
    """The picture with a line of words below it."""
    ratio = picture.devicePixelRatio()
    whole = QPixmap(picture.width(), picture.height() + round(HEIGHT * ratio))
    whole.setDevicePixelRatio(ratio)
    whole.fill(QColor(255, 255, 255))
    painter = QPainter(whole)
    painter.drawPixmap(0, 0, picture)
    size = picture.deviceIndependentSize()
    line = QRectF(8, size.height(), size.width() - 16, HEIGHT)
    painter.setPen(QColor("#a32018"))
    painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, words)
    painter.end()
    return whole
