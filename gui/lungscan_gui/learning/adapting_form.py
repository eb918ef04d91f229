"""What a model is adapted to, and the buttons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PyQt6.QtWidgets import QComboBox, QFileDialog, QFormLayout

from lungscan_gui.fitting import short
from lungscan_gui.learning.form import ModelForm, button, note
from lungscan_gui.panels.pixel_size import PixelSize
from lungscan_gui.settings import Settings

NO_FOLDER = "No folder is chosen: some 100 fields or a few slides of your own lung."
NO_REVIEWS = "Labels are the names of folders, where they are those of the model's classes."


class AdaptForm(ModelForm):
    """Pictures, model, pixel size, reviews, where to; start, cancel, take."""

    def __init__(self, settings: Settings, models: Sequence[str]) -> None:
        super().__init__(
            choose="Fields or slides of your own lung (Ctrl+O)",
            nothing=NO_FOLDER,
            where="Where the adapted model is put",
            start=button("Adapt", "Adapt the model to these images (Ctrl+Enter)"),
            cancel="Stop; nothing is written (Esc)",
        )
        self._settings = settings
        self.reviews: Path | None = None
        self.model = QComboBox()
        self.model.setAccessibleName("Model to adapt")
        self.show_models(models)
        self.mpp = PixelSize()
        self.pick = button("Reviews ...", "Results whose reviews say what these images show")
        self.pick.clicked.connect(self._choose_reviews)
        self._reviews = note(NO_REVIEWS)
        form = QFormLayout()
        form.addRow(self.choose, self._folder)
        form.addRow("Model", self.model)
        form.addRow("Pixel size", self.mpp)
        form.addRow(self.pick, self._reviews)
        form.addRow(self.where, self._out)
        self._lay_out(form, self.start, self.cancel, self.take)

    def show_models(self, models: Sequence[str]) -> None:
        """The models to choose from; the one that is chosen stays."""
        chosen = self.model.currentData()
        self.model.clear()
        for model in models:
            self.model.addItem(short(model), model)
        self.model.setCurrentIndex(max(0, self.model.findData(chosen)))

    def show_state(self, *, running: bool, made: bool) -> None:
        """What can be asked for now."""
        self.start.setEnabled(self.folder is not None and not running)
        self.cancel.setEnabled(running)
        self.take.setEnabled(made and not running)
        for widget in (self.choose, self.model, self.mpp, self.pick, self.where):
            widget.setEnabled(not running)

    def _choose_reviews(self) -> None:
        chosen = QFileDialog.getExistingDirectory(
            self, "Results that were reviewed", str(self._settings.results)
        )
        self.reviews = Path(chosen) if chosen else None
        self._reviews.setText(f"Labels are the reviews in {chosen}" if chosen else NO_REVIEWS)
