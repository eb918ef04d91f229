"""Errors and remarks, in the window and never as a dialog: what, why, what to do."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication, QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton


class MessageBar(QFrame):
    """One message at a time, until it is closed or another comes."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("bar")
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.copy = QPushButton("Copy details")
        self.copy.clicked.connect(self._copy)
        close = QToolButton()
        close.setText("✕")
        close.setAccessibleName("Close this message")
        close.clicked.connect(self.hide)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 6, 8, 6)
        layout.addWidget(self.words, 1)
        layout.addWidget(self.copy)
        layout.addWidget(close)
        self._details = ""
        self.hide()

    def say(self, words: str, details: str = "") -> None:
        """Show a message; ``details`` go to the clipboard when asked for."""
        self.words.setText(words)
        self._details = f"{words}\n{details}".strip()
        self.copy.setVisible(bool(details))
        self.setAccessibleName(f"Message: {words}")
        self.setVisible(bool(words))

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self._details)
