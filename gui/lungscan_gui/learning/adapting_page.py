"""The page that fits a model to a laboratory's own stain and scanner. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PyQt6.QtWidgets import QFileDialog

from lungscan_gui.learning.adapting_form import AdaptForm
from lungscan_gui.learning.page import LearningPage
from lungscan_gui.learning.tasks import AdaptModel
from lungscan_gui.settings import Settings

WHAT_TO_GIVE = (
    "The shipped models have learned from one laboratory's tissue and refuse most lung of others. "
    "Give some 100 fields or a few slides of your own lung, at least 20 fields or two slides: of "
    "your scanner and your stain, tumour and benign tissue, and nothing but lung.",
    "No labels are needed. With some 20 fields in folders named as each of the model's classes, or "
    "with reviews that you saved in the window, it also learns from these, and you are told how "
    "often it is right on your tissue.",
    "It takes seconds to minutes. Nothing is written that would be no gain, and your images stay "
    "as they are.",
)


class AdaptingPage(LearningPage):
    """Images, a model, and what it gains by them."""

    def __init__(self, settings: Settings, models: Sequence[str]) -> None:
        super().__init__("adapting a model", "the adaptation")
        self._settings = settings
        self.form = AdaptForm(settings, models)
        self._lay_out(self.form, self.now, self.bar, self.log)
        self._connect(self.form)
        self._show_tables((), WHAT_TO_GIVE)
        self._show_state()

    def choose_folder(self) -> None:
        """Ask for fields or slides."""
        if self._busy():
            return
        chosen = QFileDialog.getExistingDirectory(
            self, "Folder of your own fields or slides", self._settings.folder
        )
        if chosen:
            self.made = None
            self.message.hide()
            self.form.show_folder(Path(chosen))
            self._show_tables((), WHAT_TO_GIVE)
            self._show_state()

    def start(self) -> None:
        """Adapt the chosen model."""
        form = self.form
        if form.folder is None or form.out is None or self._busy():
            return
        self.message.hide()
        self.log.clear()
        self.made = None
        task = AdaptModel(
            form.model.currentData(), form.folder, form.out, form.mpp.value() or None, form.reviews
        )
        self._ask(task, "Reading the model ...")

    def reminder(self) -> str:
        """The pixel size that the model's own fields do not say: an analysis needs it again."""
        mpp = self.form.mpp.value()
        if not mpp:
            return ""
        return f"Images like these need their pixel size among the options, too: {mpp:g} µm."

    def _stopped(self) -> str:
        return "Stopped; nothing was written."

    def _show_state(self) -> None:
        super()._show_state()
        self.form.show_state(running=self.runner.running, made=self.made is not None)
