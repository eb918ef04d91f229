"""Offers the models that judge a case, where the chosen one does not."""

from __future__ import annotations

from functools import partial

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from lungscan_gui.fitting import Unfit, card_if_readable, short


class OtherModel(QWidget):
    """A sentence, and a button for each of them."""

    chosen = pyqtSignal(str)  # a model, as the options name it

    def __init__(self) -> None:
        super().__init__()
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.buttons: list[QPushButton] = []
        self._shown: Unfit | None = None
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.addWidget(self.words)

    def show_unfit(self, unfit: Unfit) -> None:
        """Say why, and offer them."""
        if unfit == self._shown:  # a button that has the focus keeps it
            return
        self._shown = unfit
        self.words.setText(unfit.words)
        for button in self.buttons:
            button.deleteLater()
        self.buttons = []
        for model in unfit.models:
            button = QPushButton(f"Analyse with {short(model)}")
            card = card_if_readable(model)
            button.setToolTip(card.summary if card else model)
            button.clicked.connect(partial(self._choose, model))
            self._layout.addWidget(button)
            self.buttons.append(button)

    def _choose(self, model: str, _checked: bool = False) -> None:
        self.chosen.emit(model)
