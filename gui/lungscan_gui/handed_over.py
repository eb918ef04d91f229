"""Files that macOS hands to the program: it does not name them when it starts one, but tells it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QEvent
from PyQt6.QtGui import QFileOpenEvent
from PyQt6.QtWidgets import QApplication


class Application(QApplication):
    """The program; ``take`` gets what Finder asks it to open."""

    take: Callable[[list[Path]], object] | None = None

    def event(self, event: QEvent | None) -> bool:
        """Qt's; a file is taken here."""
        file = file_of(event)
        if file is None or self.take is None:
            return super().event(event)
        self.take([file])
        return True


def file_of(event: QEvent | None) -> Path | None:
    """The file that is to be opened; None of all other events, and of an address."""
    name = event.file() if isinstance(event, QFileOpenEvent) else ""
    return Path(name) if name else None
