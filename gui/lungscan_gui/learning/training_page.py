"""The training page: a folder, its audit and split, a training, its figures, and the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PyQt6.QtWidgets import QFileDialog

from lungscan_gui.engine import duration, shares
from lungscan_gui.learning.curves import Curves
from lungscan_gui.learning.engine import EpochFinished, RunStarted, StageFinished, StageStarted
from lungscan_gui.learning.page import LearningPage
from lungscan_gui.learning.tasks import DataSeen, Judged, JudgeModel, LookAtData, TrainModel
from lungscan_gui.learning.training_form import TrainForm
from lungscan_gui.settings import Settings

KEPT = "Stopped. Every finished epoch is kept: start the training again to go on from it."
WHAT_TO_GIVE = (
    "Give a folder with one folder of pictures for each class. Pictures of one patient belong "
    "together: a table groups.csv (file,label,group) says which they are; without it those that "
    "look alike are found.",
    "The folder is looked at first: what cannot be read, what stands in it twice, and how it would "
    "be split. Nothing of it is changed.",
    "Without a GPU a training takes hours. One that was stopped goes on where it was.",
)


class TrainingPage(LearningPage):
    """A data folder is looked at first; a training that was stopped goes on."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("training", "the training")
        self._settings = settings
        self.form = TrainForm()
        self.curves = Curves()
        self._seen = False
        self._accuracy = ""
        self._lay_out(self.form, self.now, self.bar, self.curves, self.log)
        self._connect(self.form)
        self.form.evaluate.clicked.connect(self.evaluate)
        self._show_tables((), WHAT_TO_GIVE)
        self._show_state()

    def choose_folder(self) -> None:
        """Ask for a data folder, and look at it."""
        if self._busy():
            return
        chosen = QFileDialog.getExistingDirectory(
            self, "Folder with one folder of pictures per class", self._settings.folder
        )
        if chosen:
            self.look_at(Path(chosen))

    def look_at(self, folder: Path) -> None:
        """Audit a data folder."""
        if self._busy():
            return
        self.message.hide()
        self.form.show_folder(folder)
        self._seen, self.made = False, None
        self._show_tables(())
        self.curves.clear()
        self._ask(LookAtData(folder), "Reading the folder ...")

    def start(self) -> None:
        """Train, or go on with a training that was stopped."""
        folder, out = self.form.folder, self.form.out
        if folder is None or out is None or self._busy():
            return
        changes = [f"name={json.dumps(self.form.name.text().strip() or folder.name)}"]
        changes.append(f"device={json.dumps(self.form.device.currentText())}")
        if self.form.folds.value():
            changes.append(f"folds={self.form.folds.value()}")
        self.message.hide()
        self.log.clear()
        self.curves.clear()
        self.made = None
        task = TrainModel(folder, out, self.form.recipe, tuple(changes))
        self._ask(task, "Loading torch ...")

    def evaluate(self) -> None:
        """Measure the model on the pictures that its training held out."""
        folder, model = self.form.folder, self.made.folder if self.made else None
        if folder is not None and model is not None and not self._busy():
            self.message.hide()
            self._ask(JudgeModel(model, folder), "Loading the model ...")

    # Events ------------------------------------------------------------------------------------

    def _take(self, event: Any) -> None:
        match event:
            case DataSeen():
                self._seen = True
                self._show_tables(event.tables)
                if event.warnings:
                    self.message.say("Look at these first. " + " ".join(event.warnings))
            case RunStarted():
                self._say(f"{event.title} (training {event.number} of {event.count})")
            case StageStarted():
                self._accuracy = ""
                self._say(f"{event.stage.capitalize()}: {event.detail}")
                if event.epochs:
                    self.curves.begin(event.stage.capitalize(), event.epochs)
                self._progress(f"{event.stage.capitalize()}: {event.detail}", 0, event.epochs)
            case EpochFinished():
                self._show_epoch(event)
            case StageFinished():
                self._say(f"  {event.detail}")
            case Judged():
                self._show_tables(event.tables)
                notes = " ".join(event.warnings)
                self.message.say(f"{notes} Tables and figures lie in {event.out}.".strip())
            case _:
                super()._take(event)

    def _stopped(self) -> str:
        return KEPT if isinstance(self.runner.task, TrainModel) else super()._stopped()

    def _show_epoch(self, event: EpochFinished) -> None:
        self.curves.put(event.epoch, event.epochs, event.loss, event.validation_accuracy)
        if event.validation_accuracy is not None:
            self._accuracy = f", validation {shares.percent(event.validation_accuracy)}"
        left = duration((event.epochs - event.epoch) * event.seconds)
        words = (
            f"{event.stage.capitalize()}: epoch {event.epoch} of {event.epochs}, loss "
            f"{event.loss:.3f}{self._accuracy}, {event.images_per_s:,.0f} pictures/s"
        )
        rest = f", about {left} left" if event.epoch < event.epochs else ""
        self._progress(words + rest, event.epoch, event.epochs)

    def _show_state(self) -> None:
        super()._show_state()
        running = self.runner.running
        self.form.show_state(running=running, seen=self._seen, made=self.made is not None)
