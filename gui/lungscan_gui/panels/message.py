"""Errors and remarks, in the window and never as a dialog: what, why, what to do."""

from __future__ import annotations

import platform

from PyQt6.QtCore import PYQT_VERSION_STR, QT_VERSION_STR, Qt
from PyQt6.QtWidgets import QApplication, QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton

from lungscan_gui.engine import __version__
from lungscan_gui.panels.nameless import nameless
from lungscan_gui.words import at_the_window


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
        self.words.setFocusPolicy(Qt.FocusPolicy.TabFocus)
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

    def say(self, words: str, details: str = "", *, error: bool = True) -> None:
        """Show a message; of an error can be copied what its repair needs, without any name.

        ``details`` are its code, a trace, or both, a line each.
        """
        words = at_the_window(words)
        self.words.setText(words)
        self._details = "\n".join((*nameless(details), *installation()))
        self.copy.setVisible(error)
        self.setAccessibleName(f"Message: {words}")
        self.words.setAccessibleName(f"Message: {words}")
        self.setVisible(bool(words))

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self._details)


def installation() -> tuple[str, ...]:
    """What an error's report should say of where it happened."""
    return (
        f"LungScan {__version__}, Python {platform.python_version()}, PyQt {PYQT_VERSION_STR}, "
        f"Qt {QT_VERSION_STR}",
        platform.platform(),
    )
