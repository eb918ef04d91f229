"""What the answer depends on: explained tiles beside their cells; a click goes there."""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QIcon, QPixmap
from PyQt6.QtWidgets import QLabel, QToolButton, QVBoxLayout, QWidget

from lungscan.types import CaseResult
from lungscan_gui import engine

WIDTH = 280  # of a pair of pictures, in screen pixels before scaling


class ExplainedBox(QWidget):
    """Hidden where nothing was explained."""

    visited = pyqtSignal(object)  # Explanation

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[QToolButton] = []
        self.scale, self.words = QLabel(), QLabel()
        self.scale.setAccessibleName("Colour scale in log-odds")
        self.words.setWordWrap(True)
        self.words.setObjectName("muted")
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addWidget(self.scale)
        self._column.addWidget(self.words)
        self.show_result(None)

    def show_result(self, result: CaseResult | None) -> None:
        """Show what was explained of a case."""
        for pair in self.pairs:
            self._column.removeWidget(pair)
            pair.deleteLater()
        self.pairs = []
        shown = engine.explanations(result) if result is not None else None
        self.setVisible(shown is not None)
        if shown is None:
            return
        for place, tile in enumerate(shown.tiles):
            pair = self._pair(tile)
            self.pairs.append(pair)
            self._column.insertWidget(place, pair)
        self.scale.setPixmap(_pixmap(shown.scale_png))
        self.words.setText(" ".join((f"{shown.title}.", *shown.sentences)))

    def _pair(self, tile: engine.ExplainedTile) -> QToolButton:
        """A tile and its cells, as something that can be pressed with mouse or keyboard."""
        pair = QToolButton()
        pair.setAutoRaise(True)
        pixmap = _pixmap(tile.png)
        pair.setIcon(QIcon(pixmap))
        pair.setIconSize(QSize(WIDTH, round(WIDTH * pixmap.height() / pixmap.width())))
        pair.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        pair.setText("\n".join(tile.caption).replace("; ", "\n"))  # in lines that fit the panel
        pair.setToolTip("Go to this tile")
        pair.setAccessibleName("Explained tile: " + ", ".join(tile.caption))
        pair.clicked.connect(lambda: self.visited.emit(tile.explanation))
        return pair


def _pixmap(png: bytes) -> QPixmap:
    """A picture with two pixels for each of the screen's."""
    pixmap = QPixmap()
    pixmap.loadFromData(png, "PNG")
    pixmap.setDevicePixelRatio(2)
    return pixmap
