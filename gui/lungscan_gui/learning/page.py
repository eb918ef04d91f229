"""The training page: a folder, its audit and split, a training, its figures, and the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PyQt6.QtWidgets import (
    QFileDialog,
    QLabel,
    QMainWindow,
    QPlainTextEdit,
    QProgressBar,
    QScrollArea,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from lungscan_gui.engine import RESEARCH_USE, duration
from lungscan_gui.learning.curves import Curves
from lungscan_gui.learning.engine import EpochFinished, RunStarted, StageFinished, StageStarted
from lungscan_gui.learning.form import TrainForm
from lungscan_gui.learning.runner import LearnRunner
from lungscan_gui.learning.tables import TableView
from lungscan_gui.learning.tasks import (
    DataSeen,
    Judged,
    JudgeModel,
    LookAtData,
    ModelMade,
    Step,
    Table,
    TrainModel,
)
from lungscan_gui.panels.message import MessageBar
from lungscan_gui.scanning.job import Failure, Stopped
from lungscan_gui.settings import Settings

TAKEN = "{name} is chosen for the next analysis; it stays in the list of models."
KEPT = "Stopped. Every finished epoch is kept: start the training again to go on from it."
BUSY = "Something is being done already. Wait for its end, or stop it first (Esc)."


class TrainingPage(QMainWindow):
    """Draws the engine's events; all that it decides is what can be asked for now."""

    model_taken = pyqtSignal(Path)

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.setWindowTitle("LungScan: training")
        self.resize(1180, 780)
        self._settings = settings
        self.runner = LearnRunner()
        self.runner.happened.connect(self._take)
        self.runner.ended.connect(self._show_state)
        self.form = TrainForm()
        self.message = MessageBar()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress")
        self.now = QLabel()
        self.now.setObjectName("muted")
        self.now.setWordWrap(True)
        self.curves = Curves()
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setTabChangesFocus(True)
        self.log.setAccessibleName("What the training tells")
        self.log.setMaximumBlockCount(5000)
        self.log.setPlaceholderText("What the training tells appears here.")
        self.made: ModelMade | None = None
        self._seen = False
        self._accuracy = ""
        self._lay_out()
        self._connect()
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
        self.form.show_folder(folder, folder.with_name(f"{folder.name}-model"))
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

    def _busy(self) -> bool:
        """Whether something is being done; then a shortcut changes nothing, and that is said."""
        if self.runner.running:
            self.message.say(BUSY, error=False)
        return self.runner.running

    def cancel(self) -> None:
        """Stop what runs."""
        if self.runner.running:
            self.now.setText("Stopping ...")
            self.runner.stop()

    def take_model(self) -> None:
        """Use the model for the next analysis."""
        if self.made is not None:
            self.model_taken.emit(self.made.folder)
            words = TAKEN.format(name=self.made.name)
            self.message.say(f"{words} {self.made.doubt}".strip())

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802  Qt's name
        """End what runs; finished epochs are kept."""
        self.runner.close()
        super().closeEvent(event)

    # News --------------------------------------------------------------------------------------

    def _take(self, event: Any) -> None:
        match event:
            case Step():
                self._show_step(event)
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
            case ModelMade():
                self.made = event
                self._say(f"The model lies in {event.folder}. {event.doubt}".strip())
                self.message.say(f"The model lies in {event.folder}. {event.doubt}".strip())
            case Judged():
                self._show_tables(event.tables)
                notes = " ".join(event.warnings)
                self.message.say(f"{notes} Tables and figures lie in {event.out}.".strip())
            case Stopped():
                training = isinstance(self.runner.task, TrainModel)
                self.message.say(KEPT if training else "Stopped.")
            case Failure():
                self.message.say(event.message, f"{event.code}\n{event.details}".strip())

    def _show_step(self, event: Step) -> None:
        count = f": {event.done:,} of {event.total:,}" if event.total else " ..."
        self._progress(f"{event.what}{count}", event.done, event.total)

    def _show_epoch(self, event: EpochFinished) -> None:
        self.curves.put(event.epoch, event.epochs, event.loss, event.validation_accuracy)
        if event.validation_accuracy is not None:
            self._accuracy = f", validation {event.validation_accuracy:.1%}"
        left = duration((event.epochs - event.epoch) * event.seconds)
        words = (
            f"{event.stage.capitalize()}: epoch {event.epoch} of {event.epochs}, loss "
            f"{event.loss:.3f}{self._accuracy}, {event.images_per_s:,.0f} pictures/s"
        )
        rest = f", about {left} left" if event.epoch < event.epochs else ""
        self._progress(words + rest, event.epoch, event.epochs)

    def _progress(self, words: str, done: int, total: int) -> None:
        self.now.setText(words)
        self.bar.setRange(0, total)
        self.bar.setValue(done)

    def _say(self, line: str) -> None:
        self.log.appendPlainText(line)

    def _ask(self, task: LookAtData | TrainModel | JudgeModel, words: str) -> None:
        self._progress(words, 0, 0)
        self.runner.ask(task)
        self._show_state()

    def _show_state(self) -> None:
        running = self.runner.running
        self.form.show_state(running=running, seen=self._seen, made=self.made is not None)
        self.bar.setVisible(running)
        self.now.setVisible(running)

    # Looks -------------------------------------------------------------------------------------

    def _show_tables(self, tables: tuple[Table, ...]) -> None:
        while (item := self._tables.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        for table in tables:
            self._tables.addWidget(TableView(table))
        self._tables.addStretch()

    def _connect(self) -> None:
        form = self.form
        form.choose.clicked.connect(self.choose_folder)
        form.start.clicked.connect(self.start)
        form.cancel.clicked.connect(self.cancel)
        form.evaluate.clicked.connect(self.evaluate)
        form.take.clicked.connect(self.take_model)
        for keys, do in (
            ("Ctrl+O", self.choose_folder), ("Ctrl+Return", self.start), ("Esc", self.cancel),
            ("Ctrl+W", self.close),
        ):  # fmt: skip
            QShortcut(QKeySequence(keys), self).activated.connect(do)

    def _lay_out(self) -> None:
        below = QWidget()
        self._tables = QVBoxLayout(below)
        self._tables.setContentsMargins(10, 6, 10, 6)
        scroll = QScrollArea()
        scroll.setWidget(below)
        scroll.setWidgetResizable(True)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        side = _column(self.form, self.now, self.bar, self.curves, self.log)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(side)
        split.addWidget(scroll)
        split.setSizes([560, 620])
        split.setChildrenCollapsible(False)
        whole = _column(self.message, split)
        whole.setContentsMargins(0, 0, 0, 0)
        self.setCentralWidget(whole)
        research = QLabel(RESEARCH_USE)
        research.setObjectName("research")
        status = self.statusBar()
        if status is not None:
            status.addPermanentWidget(research)


def _column(*widgets: QWidget) -> QWidget:
    column = QWidget()
    layout = QVBoxLayout(column)
    layout.setContentsMargins(8, 6, 8, 6)
    for widget in widgets:
        grows = isinstance(widget, QSplitter | QPlainTextEdit | Curves)
        layout.addWidget(widget, 1 if grows else 0)
    return column
