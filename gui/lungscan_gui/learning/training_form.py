"""Options of a training, and its buttons."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QLineEdit,
    QSpinBox,
)

from lungscan_gui.learning.form import ModelForm, button, note

STANDARD = "The standard recipe"
DEVICES = ("auto", "cpu", "cuda")


class TrainForm(ModelForm):
    """Folder, recipe, name, folds, device, where to; start, cancel, evaluate, take."""

    def __init__(self) -> None:
        super().__init__(
            choose="One folder of pictures per class (Ctrl+O)",
            nothing="No folder is chosen: one folder of pictures per class.",
            where="Where the model and its checkpoints lie",
            start=button("Start training", "Train, or go on where it was stopped (Ctrl+Enter)"),
            cancel="Stop; finished epochs are kept (Esc)",
        )
        self.recipe: Path | None = None
        self._recipe = note(STANDARD)
        self._pick = button("Recipe ...", "A TOML file of training options")
        self._pick.clicked.connect(self._choose_recipe)
        self.name = QLineEdit()
        self.name.setAccessibleName("Name of the model")
        self.folds = QSpinBox()
        self.folds.setRange(0, 20)
        self.folds.setSpecialValueText("one split")
        self.folds.setSuffix(" folds")
        self.folds.setAccessibleName("Folds to judge by")
        self.folds.setToolTip("Folds judge every picture once, and take as many trainings")
        self.device = QComboBox()
        self.device.addItems(DEVICES)
        self.device.setAccessibleName("Device")
        self.evaluate = button("Evaluate", "Measure it on the pictures that were held out")
        form = QFormLayout()
        form.addRow(self.choose, self._folder)
        form.addRow(self._pick, self._recipe)
        form.addRow(self.where, self._out)
        form.addRow("Name", self.name)
        form.addRow("Judged by", self.folds)
        form.addRow("Device", self.device)
        self._lay_out(form, self.start, self.cancel, self.evaluate, self.take)

    def show_folder(self, folder: Path) -> None:
        """Another data folder; the model bears its name unless another is given."""
        super().show_folder(folder)
        self.name.setText(folder.name)

    def show_state(self, *, running: bool, seen: bool, made: bool) -> None:
        """What can be asked for now."""
        self.start.setEnabled(seen and not running)
        self.cancel.setEnabled(running)
        self.evaluate.setEnabled(made and not running)
        self.take.setEnabled(made and not running)
        for widget in (self.choose, self._pick, self.where, self.name, self.folds, self.device):
            widget.setEnabled(not running)

    def _choose_recipe(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Recipe", "", "Recipes (*.toml)")
        self.recipe = Path(chosen) if chosen else None
        self._recipe.setText(chosen or STANDARD)
