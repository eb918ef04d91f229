"""Opens the training page when it is asked for, and brings the model that was taken from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject

if TYPE_CHECKING:
    from lungscan_gui.learning.page import TrainingPage
    from lungscan_gui.window import MainWindow


class Training(QObject):
    """The page of a window; nothing of it is loaded before it is asked for."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.page: TrainingPage | None = None

    def open(self) -> None:
        """Show the page."""
        if self.page is None:
            from lungscan_gui.learning.page import TrainingPage

            self.page = TrainingPage(self._window.settings)
            self.page.model_taken.connect(self.take)
        self.page.show()
        self.page.raise_()
        self.page.activateWindow()

    def close(self) -> None:
        """The window closes."""
        if self.page is not None:
            self.page.close()

    def take(self, folder: Path) -> None:
        """Use a model for the next analysis, and keep it among the options."""
        window = self._window
        window.settings.take_model(folder)
        for box in (window.options.boxes["model"], window.compare.models):
            if box.findText(str(folder)) < 0:
                box.addItem(str(folder))
        window.options.boxes["model"].setCurrentText(str(folder))
