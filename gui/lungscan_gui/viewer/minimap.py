"""The whole image, small, with a frame around what is seen; a click jumps."""

from __future__ import annotations

from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QWidget

from lungscan_gui.viewer.viewer import Viewer

LONGEST, MARGIN = 190, 12
NEARER = 1.05  # than the whole image
MOST_SHARE = 0.3  # of the viewer's width


class Minimap(QWidget):
    """Lies over the viewer's upper right corner."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(viewer)
        self._viewer = viewer
        self.setAccessibleName("Overview")
        self.setToolTip("Click to go there")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        viewer.moved.connect(self.follow)
        viewer.pictured.connect(self.update)
        self.follow()

    def follow(self) -> None:
        """Take its place, and draw the frame anew."""
        picture = self._viewer.picture
        camera = self._viewer.camera
        # With the whole image in view it would only hide a part of it.
        self.setVisible(camera is not None and camera.zoom > camera.fit_zoom * NEARER)
        if picture is None:
            return
        width, height = picture.size
        longest = min(LONGEST, self._viewer.width() * MOST_SHARE)
        factor = longest / max(width, height)
        size = (max(24, round(width * factor)), max(24, round(height * factor)))
        self.setGeometry(self._viewer.width() - MARGIN - size[0], MARGIN, *size)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802, ARG002
        """Draw the image and the frame."""
        picture, camera = self._viewer.picture, self._viewer.camera
        if picture is None or camera is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(self.rect(), picture.overview)
        painter.setPen(QPen(QColor(90, 90, 90), 1))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        factor = self.width() / picture.size[0]
        left, top, width, height = (value * factor for value in camera.visible)
        seen = QRectF(left, top, width, height) & QRectF(self.rect()).adjusted(1, 1, -2, -2)
        painter.setPen(QPen(QColor(255, 255, 255), 3))
        painter.drawRect(seen)
        painter.setPen(QPen(QColor(0, 90, 200), 1.5))
        painter.drawRect(seen)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Jump."""
        self._jump(event)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Drag the frame."""
        self._jump(event)

    def _jump(self, event: QMouseEvent | None) -> None:
        picture = self._viewer.picture
        if event and picture:
            factor = picture.size[0] / max(1, self.width())
            self._viewer.go_to(event.position().x() * factor, event.position().y() * factor)
