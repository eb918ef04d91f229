"""What the answer depends on: explained tiles beside their cells; a click goes there."""

from __future__ import annotations

from operator import is_

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QIcon, QPixmap
from PyQt6.QtWidgets import QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from lungscan.types import CaseResult, Explanation
from lungscan_gui.explaining.engine import ExplainedTile, explanations

WIDTH = 296  # of a pair of pictures, in screen pixels before scaling


class ExplainedBox(QWidget):
    """A button that asks for one more, and all that was explained of a case."""

    visited = pyqtSignal(object)  # Explanation
    asked = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[QToolButton] = []
        self._shown: tuple[Explanation, ...] = ()
        self.ask = QPushButton()
        self.ask.clicked.connect(self.asked)
        self.scale, self.words, self.working = QLabel(), QLabel(), QLabel()
        self.scale.setAccessibleName("Colour scale in log-odds")
        for label in (self.words, self.working):
            label.setWordWrap(True)
            label.setObjectName("muted")
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        for widget in (self.ask, self.working, self.scale, self.words):
            self._column.addWidget(widget)
        self.say("")
        self.scale.hide()
        self.words.hide()
        self.show_result(None)

    def say(self, words: str) -> None:
        """One is being made; "": none is."""
        self.working.setText(words)
        self.working.setVisible(bool(words))
        self.ask.setEnabled(not words)

    def show_result(self, result: CaseResult | None, tile: str = "tile") -> None:
        """Show what was explained of a case; ``tile`` is what its model judges."""
        self.ask.setText(f"Explain this {tile}")
        self.ask.setToolTip(
            f"What the answer of the {tile} under the cursor, or of the marked one, depends on (E)"
        )
        explained = (result.explained or ()) if result is not None else ()
        if _same(explained, self._shown):
            return  # to draw them takes a while
        self._shown = explained
        for pair in self.pairs:
            self._column.removeWidget(pair)
            pair.deleteLater()
        self.pairs = []
        shown = explanations(result) if result is not None else None
        self.scale.setVisible(shown is not None)
        self.words.setVisible(shown is not None)
        if shown is None:
            return
        for place, one in enumerate(shown.tiles, start=2):  # below the button and its words
            pair = self._pair(one, tile)
            self.pairs.append(pair)
            self._column.insertWidget(place, pair)
        self.scale.setPixmap(_pixmap(shown.scale_png))
        self.words.setText(" ".join((f"{shown.title}.", *shown.sentences)))

    def _pair(self, one: ExplainedTile, tile: str) -> QToolButton:
        """A tile and its cells, as something that can be pressed with mouse or keyboard."""
        pair = QToolButton()
        pair.setAutoRaise(True)
        pixmap = _pixmap(one.png)
        pair.setIcon(QIcon(pixmap))
        pair.setIconSize(QSize(WIDTH, round(WIDTH * pixmap.height() / pixmap.width())))
        pair.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        pair.setText("\n".join(one.caption).replace("; ", "\n"))  # in lines that fit the panel
        pair.setToolTip(f"Go to this {tile}")
        pair.setAccessibleName(f"Explained {tile}: " + ", ".join(one.caption))
        pair.clicked.connect(lambda: self.visited.emit(one.explanation))
        return pair


def _same(some: tuple[Explanation, ...], others: tuple[Explanation, ...]) -> bool:
    return len(some) == len(others) and all(map(is_, some, others))


def _pixmap(png: bytes) -> QPixmap:
    """A picture with two pixels for each of the screen's."""
    pixmap = QPixmap()
    pixmap.loadFromData(png, "PNG")
    pixmap.setDevicePixelRatio(2)
    return pixmap
