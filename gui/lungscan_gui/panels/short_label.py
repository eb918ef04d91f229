"""A line that may be cut short: a long name must not push the window beyond the screen."""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QPainter, QPaintEvent
from PyQt6.QtWidgets import QLabel

LEAST_PX = 60


class ShortLabel(QLabel):
    """One line, with an ellipsis where it does not fit; all of it is in its tip."""

    def __init__(self, elide: Qt.TextElideMode) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._elide = elide

    def say(self, words: str) -> None:
        """Show these words."""
        self.setText(words)
        self.setToolTip(words)

    def minimumSizeHint(self) -> QSize:  # noqa: N802  Qt's name
        """Few words are enough."""
        return QSize(LEAST_PX, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802, ARG002
        """Draw what fits; a screen reader gets it whole."""
        place = self.contentsRect()
        shown = self.fontMetrics().elidedText(self.text(), self._elide, place.width())
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(place, int(self.alignment()), shown)
