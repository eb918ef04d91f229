"""What the forms of both pages are made of."""

from __future__ import annotations

from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton


def button(text: str, tip: str) -> QPushButton:
    """A button, and what it does in more words."""
    made = QPushButton(text)
    made.setToolTip(tip)
    return made


def main_button(text: str, tip: str) -> QPushButton:
    """That which a form is filled in for."""
    made = button(text, tip)
    made.setObjectName("primary")
    return made


def note(text: str = "") -> QLabel:
    """A path, or a remark: beside what it is about, and quieter."""
    made = QLabel(text)
    made.setObjectName("muted")
    made.setWordWrap(True)
    return made


def row(*buttons: QPushButton) -> QHBoxLayout:
    """Buttons beside one another."""
    made = QHBoxLayout()
    for one in buttons:
        made.addWidget(one)
    return made
