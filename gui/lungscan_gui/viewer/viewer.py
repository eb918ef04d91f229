"""The widget that shows an image: mouse, wheel, touchpad and keys move the camera."""

from __future__ import annotations

from typing import Protocol

from PyQt6.QtCore import QEvent, QPointF, Qt, pyqtSignal
from PyQt6.QtGui import (
    QColor,
    QFocusEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PyQt6.QtWidgets import QWidget

from lungscan_gui.viewer.camera import Camera, open_camera
from lungscan_gui.viewer.picture import Picture
from lungscan_gui.viewer.scale import draw_scale_bar
from lungscan_gui.words import as_typed, at_the_window

NOTCH = 120  # of a wheel, in eighths of a degree
PER_NOTCH = 1.25
ARROW = 0.12  # of the view
FRAME_PX = 2  # of the focus
WELCOME = (
    "Drop slides, fields or a folder of results here, press Ctrl+O,\n"
    "or choose File > Open the demo slide"
)


class Layer(Protocol):
    """Something drawn over the image."""

    def paint(self, painter: QPainter, camera: Camera, ratio: float) -> None:
        """Draw what of it is seen."""


class Viewer(QWidget):
    """Deep zoom over a ``Picture``. Positions in its signals are level-0 pixels."""

    moved = pyqtSignal()  # the camera
    pictured = pyqtSignal()  # more of the image, or other colours of it, are here
    pointed = pyqtSignal(float, float)  # where the mouse is
    left = pyqtSignal()  # it is nowhere
    opacity_asked = pyqtSignal(int)  # Ctrl and wheel: +1 or -1
    turned = pyqtSignal(int)  # Alt and wheel: eighths of a degree

    def __init__(self) -> None:
        super().__init__()
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(320, 240)
        self.setAccessibleName("Image")
        self.setAccessibleDescription("No image is open.")
        self.picture: Picture | None = None
        self.camera: Camera | None = None
        self.layers: list[Layer] = []
        self.um_per_px: float | None = None
        self.message = as_typed(WELCOME)
        self.backdrop = QColor(238, 238, 238)
        self._drag: QPointF | None = None
        self._by_tab = False  # whether it has the focus, and by that key
        self._shared = False  # the picture is another viewer's
        self.objectives = True  # whether a magnification means something: not of a CT slice

    def show_picture(
        self, picture: Picture | None, um_per_px: float | None, name: str, *, shared: bool = False
    ) -> None:
        """Show another image, or none; the one before is closed, but for another viewer's."""
        if self.picture is not None:
            self.picture.leave(self)
            if not self._shared:
                self.picture.close()
        self._shared = shared
        self.picture, self.um_per_px = picture, um_per_px
        self.message = "" if picture else as_typed(WELCOME)
        self.camera = None
        if picture is not None:
            picture.changed.connect(self.update)
            picture.changed.connect(self.pictured)
            self.camera = open_camera(picture.size, self._screen())
        self.setAccessibleDescription(f"Shows {name}." if name else "No image is open.")
        self.moved.emit()
        self.update()

    def say(self, message: str) -> None:
        """Show words in the place of an image."""
        self.message = message = at_the_window(message)
        self.setAccessibleDescription(message)
        self.update()

    def look(self, camera: Camera) -> None:
        """Move the camera."""
        if camera != self.camera:
            self.camera = camera
            self.moved.emit()
            self.update()

    def fit(self) -> None:
        """Show the whole image."""
        if self.camera:
            self.look(self.camera.fitted())

    def zoom_by(self, factor: float) -> None:
        """Zoom at the middle."""
        if self.camera:
            self.look(self.camera.zoomed(factor))

    def magnify(self, power: float) -> None:
        """Zoom to what an objective of that power shows: a point measures 10 µm / power."""
        if self.camera and self.um_per_px and self.objectives:
            self.look(self.camera.zoomed_to(self.um_per_px * power / 10))

    def go_to(self, x: float, y: float, power: float | None = None) -> None:
        """Bring a position to the middle; at a magnification where the scale is known."""
        if not self.camera:
            return
        self.look(self.camera.moved_to(x, y))
        if power is not None:
            if self.um_per_px:
                self.magnify(power)
            else:
                self.look(self.camera.zoomed_to(1.0))

    @property
    def power(self) -> float | None:
        """The magnification at which the image is seen; None where the scale is unknown."""
        if not self.camera or not self.um_per_px or not self.objectives:
            return None
        return 10 * self.camera.zoom / self.um_per_px

    def _screen(self) -> tuple[int, int]:
        return max(1, self.width()), max(1, self.height())

    # Painting ----------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802, ARG002  Qt's names
        """Draw the image, what lies over it, and the scale."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.backdrop)
        if self.picture is None or self.camera is None or self.message:
            painter.setPen(QColor(110, 110, 110))
            space = self.rect().adjusted(40, 40, -40, -40)
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(space, flags, self.message)
            self._frame(painter)
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        ratio = self.devicePixelRatioF()
        self.picture.paint(painter, self.camera, ratio, self)
        for layer in self.layers:
            layer.paint(painter, self.camera, ratio)
        draw_scale_bar(painter, self.camera, self.um_per_px)
        self._frame(painter)

    def _frame(self, painter: QPainter) -> None:
        """Show who comes by the Tab key that the keys are the image's now."""
        if self._by_tab:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Highlight), FRAME_PX))
            painter.drawRect(self.rect().adjusted(1, 1, -2, -2))

    def focusInEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802
        """Remember whether it came by the Tab key."""
        tab = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        self._by_tab = event is not None and event.reason() in tab
        self.update()

    def focusOutEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802, ARG002
        """The keys are another's."""
        self._by_tab = False
        self.update()

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802, ARG002
        """Keep the centre; an image that was fitted stays fitted."""
        if self.camera:
            self.look(self.camera.resized(self._screen()))

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """What nobody sees is not read."""
        if self.picture is not None:
            self.picture.leave(self)
        super().hideEvent(event)

    # Mouse, wheel, touchpad, keys --------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Take hold of the image."""
        if event and event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            self._drag = event.position()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Drag, and tell where the mouse is."""
        if not event or not self.camera:
            return
        here = event.position()
        if self._drag is not None:
            by = here - self._drag
            self._drag = here
            self.look(self.camera.panned(by.x(), by.y()))
        self.pointed.emit(*self.camera.to_image(here.x(), here.y()))

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802, ARG002
        """Let go."""
        self._drag = None
        self.unsetCursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802, ARG002
        """Fit."""
        self.fit()

    def leaveEvent(self, event: QEvent | None) -> None:  # noqa: N802, ARG002
        """The mouse is elsewhere."""
        self.left.emit()

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802
        """Zoom at the cursor; two fingers on a touchpad pan."""
        if not event or not self.camera:
            return
        notches = event.angleDelta().y() / NOTCH
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.opacity_asked.emit(1 if notches > 0 else -1)
        elif event.modifiers() & Qt.KeyboardModifier.AltModifier:  # Qt turns the axes, then
            self.turned.emit(event.angleDelta().y() or event.angleDelta().x())
        elif not event.pixelDelta().isNull():  # a touchpad, where the system tells them apart
            self.look(self.camera.panned(event.pixelDelta().x(), event.pixelDelta().y()))
        elif notches:
            at = (event.position().x(), event.position().y())
            self.look(self.camera.zoomed(PER_NOTCH**notches, at))
        event.accept()

    def event(self, event: QEvent | None) -> bool:
        """Pinch zooms."""
        pinch = Qt.NativeGestureType.ZoomNativeGesture
        if isinstance(event, QNativeGestureEvent) and event.gestureType() == pinch and self.camera:
            at = (event.position().x(), event.position().y())
            self.look(self.camera.zoomed(1 + event.value(), at))
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Arrows pan, plus and minus zoom, F and 0 fit."""
        if event is None or not self.camera or not self._moved_by(Qt.Key(event.key())):
            super().keyPressEvent(event)

    def _moved_by(self, key: Qt.Key) -> bool:
        """Whether the key moves the camera; it has, then."""
        camera = self.camera
        assert camera is not None  # noqa: S101  asked by the caller
        across, down = ARROW * self.width(), ARROW * self.height()
        moves = {
            Qt.Key.Key_Left: lambda: camera.panned(across, 0),
            Qt.Key.Key_Right: lambda: camera.panned(-across, 0),
            Qt.Key.Key_Up: lambda: camera.panned(0, down),
            Qt.Key.Key_Down: lambda: camera.panned(0, -down),
            Qt.Key.Key_Plus: lambda: camera.zoomed(PER_NOTCH),
            Qt.Key.Key_Equal: lambda: camera.zoomed(PER_NOTCH),
            Qt.Key.Key_Minus: lambda: camera.zoomed(1 / PER_NOTCH),
            Qt.Key.Key_F: camera.fitted,
            Qt.Key.Key_0: camera.fitted,
        }
        if key in moves:
            self.look(moves[key]())
        return key in moves
