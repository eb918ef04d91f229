"""Options of a training, and its buttons."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
)

from lungscan_gui.learning.widgets import button, main_button, note, row

STANDARD = "The standard recipe"
DEVICES = ("auto", "cpu", "cuda")


class TrainForm(QFrame):
    """Folder, recipe, name, folds, device, where to; start, cancel, evaluate, take."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("card")
        self.folder: Path | None = None
        self.out: Path | None = None
        self.recipe: Path | None = None
        self.choose = button("Choose folder ...", "One folder of pictures per class (Ctrl+O)")
        self._folder = note("No folder is chosen: one folder of pictures per class.")
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
        self._out = note("")
        self._where = button("Model folder ...", "Where the model and its checkpoints lie")
        self._where.clicked.connect(self._choose_out)
        self.start = main_button(
            "Start training", "Train, or go on where it was stopped (Ctrl+Enter)"
        )
        self.cancel = button("Cancel", "Stop; finished epochs are kept (Esc)")
        self.evaluate = button("Evaluate", "Measure it on the pictures that were held out")
        self.take = button("Take the model", "Use it for the next analysis")
        form = QFormLayout()
        form.addRow(self.choose, self._folder)
        form.addRow(self._pick, self._recipe)
        form.addRow(self._where, self._out)
        form.addRow("Name", self.name)
        form.addRow("Judged by", self.folds)
        form.addRow("Device", self.device)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 10)
        layout.addLayout(form)
        layout.addLayout(row(self.start, self.cancel, self.evaluate, self.take))

    def show_folder(self, folder: Path, out: Path) -> None:
        """Another data folder; the model goes beside it unless another place is chosen."""
        self.folder, self.out = folder, out
        self._folder.setText(str(folder))
        self._out.setText(str(out))
        self.name.setText(folder.name)

    def show_state(self, *, running: bool, seen: bool, made: bool) -> None:
        """What can be asked for now."""
        self.start.setEnabled(seen and not running)
        self.cancel.setEnabled(running)
        self.evaluate.setEnabled(made and not running)
        self.take.setEnabled(made and not running)
        for widget in (self.choose, self._pick, self._where, self.name, self.folds, self.device):
            widget.setEnabled(not running)

    def _choose_recipe(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Recipe", "", "Recipes (*.toml)")
        self.recipe = Path(chosen) if chosen else None
        self._recipe.setText(chosen or STANDARD)

    def _choose_out(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder of the model", str(self.out or ""))
        if chosen:
            self.out = Path(chosen)
            self._out.setText(chosen)
