"""Opens the pages that make models when they are asked for, and brings what was taken from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject

from lungscan_gui.fitting import to_adapt

if TYPE_CHECKING:
    from lungscan_gui.learning.adapting_page import AdaptingPage
    from lungscan_gui.learning.page import LearningPage
    from lungscan_gui.learning.training_page import TrainingPage
    from lungscan_gui.window import MainWindow


class Learning(QObject):
    """The pages of a window; nothing of them is loaded before it is asked for."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.training: TrainingPage | None = None
        self.adapting: AdaptingPage | None = None

    def train(self) -> None:
        """Show the page that trains a model."""
        if self.training is None:
            from lungscan_gui.learning.training_page import TrainingPage

            self.training = TrainingPage(self._window.settings)
            self.training.model_taken.connect(self.take)
        _show(self.training)

    def adapt(self) -> None:
        """Show the page that adapts one."""
        models = to_adapt(self._window.options.models)
        if self.adapting is None:
            from lungscan_gui.learning.adapting_page import AdaptingPage

            self.adapting = AdaptingPage(self._window.settings, models)
            self.adapting.model_taken.connect(self.take)
        elif not self.adapting.runner.running:
            self.adapting.form.show_models(models)
        _show(self.adapting)

    def close(self) -> None:
        """The window closes."""
        for page in (self.training, self.adapting):
            if page is not None:
                page.close()

    def take(self, folder: Path) -> None:
        """Use a model for the next analysis, and keep it among the options."""
        window = self._window
        window.settings.take_model(folder)
        for box in (window.options.boxes["model"], window.compare.models):
            if box.findText(str(folder)) < 0:
                box.addItem(str(folder))
        window.options.boxes["model"].setCurrentText(str(folder))


def _show(page: LearningPage) -> None:
    page.show()
    page.raise_()
    page.activateWindow()
