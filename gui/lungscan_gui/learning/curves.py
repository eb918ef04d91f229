"""Loss and validation accuracy of each network, epoch by epoch, as they come."""

from __future__ import annotations

from dataclasses import dataclass, field

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QSizePolicy, QWidget

from lungscan_gui.engine import shares

LOSS, ACCURACY = "#d55e00", "#0072b2"  # of Okabe and Ito's colours; the line styles differ too
LEFT, RIGHT, TOP, BOTTOM = 46, 46, 26, 26


@dataclass
class Curve:
    """One network's epochs."""

    title: str
    epochs: int
    loss: list[tuple[int, float]] = field(default_factory=list)
    accuracy: list[tuple[int, float]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its last figures in words, for a screen reader."""
        if not self.loss:
            return f"{self.title}: no epoch yet"
        epoch, loss = self.loss[-1]
        words = f"{self.title}: epoch {epoch} of {self.epochs}, loss {loss:.3f}"
        if not self.accuracy:
            return words
        return f"{words}, validation {shares.percent(self.accuracy[-1][1])}"


class Curves(QWidget):
    """The network that is fitted now, or the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[Curve] = []
        self.setMinimumHeight(180)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Curves")
        self.setAccessibleDescription("No epoch yet.")

    def sizeHint(self) -> QSize:  # noqa: N802  Qt's name
        """Wide and low."""
        return QSize(480, 220)

    def begin(self, title: str, epochs: int) -> None:
        """Another network."""
        self.all.append(Curve(title, epochs))
        self.update()

    def clear(self) -> None:
        """Another training."""
        self.all = []
        self.update()

    def put(self, epoch: int, epochs: int, loss: float, accuracy: float | None) -> None:
        """An epoch has ended."""
        if not self.all:
            self.all.append(Curve("", epochs))
        curve = self.all[-1]
        curve.epochs = epochs
        curve.loss.append((epoch, loss))
        if accuracy is not None:
            curve.accuracy.append((epoch, accuracy))
        self.setAccessibleDescription(curve.text)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802, ARG002
        """Draw both curves with their scales: loss at the left, accuracy at the right."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().color(self.foregroundRole())
        rule = self.palette().mid().color()
        frame = QRectF(self.rect()).adjusted(LEFT, TOP, -RIGHT, -BOTTOM)
        painter.setPen(QPen(rule, 1))
        painter.drawRect(frame)
        shown = next((curve for curve in reversed(self.all) if curve.loss), None)
        if shown is None:
            painter.setPen(self.palette().placeholderText().color())
            words = "Loss and accuracy appear here, epoch by epoch."
            painter.drawText(frame, Qt.AlignmentFlag.AlignCenter, words)
            return
        highest = max(value for _, value in shown.loss) * 1.05 or 1.0
        self._scales(painter, frame, ink, highest)
        painter.setPen(ink)
        painter.drawText(QPointF(frame.left(), frame.top() - 10), shown.text)
        epochs = f"{shown.epochs} epochs"
        space = QRectF(frame.left(), frame.bottom() + 4, frame.width(), 18)
        painter.drawText(space, Qt.AlignmentFlag.AlignRight, epochs)
        for values, top, colour, style in (
            (shown.loss, highest, LOSS, Qt.PenStyle.SolidLine),
            (shown.accuracy, 1.0, ACCURACY, Qt.PenStyle.DashLine),
        ):
            painter.setPen(QPen(QColor(colour), 2, style))
            points = [_at(frame, epoch, shown.epochs, value / top) for epoch, value in values]
            painter.drawPolyline(points)  # type: ignore[call-overload]
            for point in points if len(points) < 40 else points[-1:]:
                painter.drawEllipse(point, 2, 2)

    def _scales(self, painter: QPainter, frame: QRectF, ink: QColor, highest: float) -> None:
        right, left = Qt.AlignmentFlag.AlignRight, Qt.AlignmentFlag.AlignLeft
        for share in (0.0, 0.5, 1.0):
            y = frame.bottom() - share * frame.height()
            painter.setPen(ink)
            at = QRectF(0, y - 8, LEFT - 6, 16)
            painter.drawText(at, right, f"{share * highest:.2f}")
            at = QRectF(frame.right() + 6, y - 8, RIGHT - 6, 16)
            painter.drawText(at, left, shares.percent(share, 0))
        for x, words, colour, style in (
            (frame.left(), "Loss", LOSS, Qt.PenStyle.SolidLine),
            (frame.left() + 70, "Validation accuracy", ACCURACY, Qt.PenStyle.DashLine),
        ):
            y = frame.bottom() + 13
            painter.setPen(QPen(QColor(colour), 2, style))
            painter.drawLine(QPointF(x, y), QPointF(x + 20, y))
            painter.setPen(ink)
            painter.drawText(QPointF(x + 25, y + 4), words)


def _at(frame: QRectF, epoch: int, epochs: int, share: float) -> QPointF:
    x = frame.left() + frame.width() * epoch / max(1, epochs)
    return QPointF(x, frame.bottom() - frame.height() * min(1.0, max(0.0, share)))
