"""What a model is adapted to, and the buttons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PyQt6.QtWidgets import QComboBox, QFileDialog, QFormLayout, QFrame, QVBoxLayout

from lungscan_gui.fitting import short
from lungscan_gui.learning.widgets import button, main_button, note, row
from lungscan_gui.panels.pixel_size import PixelSize
from lungscan_gui.settings import Settings

NO_FOLDER = "No folder is chosen: some 100 fields or a few slides of your own lung."
NO_REVIEWS = "Labels are the names of folders, where they are those of the model's classes."


class AdaptForm(QFrame):
    """Pictures, model, pixel size, reviews, where to; start, cancel, take."""

    def __init__(self, settings: Settings, models: Sequence[str]) -> None:
        super().__init__()
        self.setObjectName("card")
        self._settings = settings
        self.folder: Path | None = None
        self.out: Path | None = None
        self.reviews: Path | None = None
        self.choose = button("Choose folder ...", "Fields or slides of your own lung (Ctrl+O)")
        self._folder = note(NO_FOLDER)
        self.model = QComboBox()
        self.model.setAccessibleName("Model to adapt")
        self.show_models(models)
        self.mpp = PixelSize()
        self.pick = button("Reviews ...", "Results whose reviews say what these images show")
        self.pick.clicked.connect(self._choose_reviews)
        self._reviews = note(NO_REVIEWS)
        self.where = button("Model folder ...", "Where the adapted model is put")
        self.where.clicked.connect(self._choose_out)
        self._out = note()
        self.start = main_button("Adapt", "Adapt the model to these images (Ctrl+Enter)")
        self.cancel = button("Cancel", "Stop; nothing is written (Esc)")
        self.take = button("Take the model", "Use it for the next analysis")
        form = QFormLayout()
        form.addRow(self.choose, self._folder)
        form.addRow("Model", self.model)
        form.addRow("Pixel size", self.mpp)
        form.addRow(self.pick, self._reviews)
        form.addRow(self.where, self._out)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 10)
        layout.addLayout(form)
        layout.addLayout(row(self.start, self.cancel, self.take))

    def show_models(self, models: Sequence[str]) -> None:
        """The models to choose from; the one that is chosen stays."""
        chosen = self.model.currentData()
        self.model.clear()
        for model in models:
            self.model.addItem(short(model), model)
        self.model.setCurrentIndex(max(0, self.model.findData(chosen)))

    def show_folder(self, folder: Path) -> None:
        """Other pictures; the model goes beside them unless another place is chosen."""
        self.folder, self.out = folder, folder.with_name(f"{folder.name}-model")
        self._folder.setText(str(folder))
        self._out.setText(str(self.out))

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

    def _choose_out(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder of the model", str(self.out or ""))
        if chosen:
            self.out = Path(chosen)
            self._out.setText(chosen)
