"""What the pages that make models have in common: a task, what it tells, tables, and the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PyQt6.QtWidgets import (
    QLabel,
    QMainWindow,
    QPlainTextEdit,
    QProgressBar,
    QScrollArea,
    QSizePolicy,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from lungscan_gui.engine import RESEARCH_USE
from lungscan_gui.learning.form import ModelForm, note
from lungscan_gui.learning.runner import LearnRunner
from lungscan_gui.learning.tables import TableView
from lungscan_gui.learning.tasks import Finding, ModelMade, Step, Table, Task
from lungscan_gui.panels.message import MessageBar
from lungscan_gui.scanning.job import Failure, Stopped
from lungscan_gui.words import at_the_window

TAKEN = "{name} is chosen for the next analysis; it stays in the list of models."
BUSY = "Something is being done already. Wait for its end, or stop it first (Esc)."


class LearningPage(QMainWindow):
    """Draws the engine's events; all that it decides is what can be asked for now.

    A page of this kind adds its form, what it asks for, and events of its own.
    """

    model_taken = pyqtSignal(Path)

    def __init__(self, title: str, what: str) -> None:
        """``what`` it does, for whoever reads the screen: "the training"."""
        super().__init__()
        self.setWindowTitle(f"LungScan: {title}")
        self.resize(1180, 780)
        self.runner = LearnRunner()
        self.runner.happened.connect(self._take)
        self.runner.ended.connect(self._show_state)
        self.message = MessageBar()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress")
        self.now = note()
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setTabChangesFocus(True)
        self.log.setAccessibleName(f"What {what} tells")
        self.log.setMaximumBlockCount(5000)
        self.log.setPlaceholderText(f"What {what} tells appears here.")
        self.made: ModelMade | None = None

    def choose_folder(self) -> None:
        """Ask for a folder of pictures."""
        raise NotImplementedError

    def start(self) -> None:
        """Make the model."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Stop what runs."""
        if self.runner.running:
            self.now.setText("Stopping ...")
            self.runner.stop()

    def take_model(self) -> None:
        """Use the model for the next analysis."""
        if self.made is not None:
            self.model_taken.emit(self.made.folder)
            words = (TAKEN.format(name=self.made.name), self.reminder(), self.made.doubt)
            self.message.say(" ".join(filter(None, words)), error=False)

    def reminder(self) -> str:
        """What else has to be set for the model that was made; "" for nothing."""
        return ""

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802  Qt's name
        """End what runs."""
        self.runner.close()
        super().closeEvent(event)

    # Events ------------------------------------------------------------------------------------

    def _take(self, event: Any) -> None:
        match event:
            case Step():
                count = f": {event.done:,} of {event.total:,}" if event.total else " ..."
                self._progress(f"{event.what}{count}", event.done, event.total)
            case Finding():
                self._say(at_the_window(event.words))
            case ModelMade():
                self.made = event
                if event.tables:
                    self._show_tables(event.tables, event.notes)
                words = f"The model lies in {event.folder}. {event.doubt}".strip()
                self._say(words)
                self.message.say(words, error=False)
            case Stopped():
                self.message.say(self._stopped(), error=False)
            case Failure():
                self.message.say(event.message, f"{event.code}\n{event.details}".strip())

    def _ask(self, task: Task, words: str) -> None:
        self._progress(words, 0, 0)
        self.runner.ask(task)
        self._show_state()

    def _busy(self) -> bool:
        """Whether something is being done; then a shortcut changes nothing, and that is said."""
        if self.runner.running:
            self.message.say(BUSY, error=False)
        return self.runner.running

    def _stopped(self) -> str:
        """What to say of what was stopped."""
        return "Stopped."

    # Looks -------------------------------------------------------------------------------------

    def _show_state(self) -> None:
        self.bar.setVisible(self.runner.running)
        self.now.setVisible(self.runner.running)

    def _progress(self, words: str, done: int, total: int) -> None:
        self.now.setText(words)
        self.bar.setRange(0, total)
        self.bar.setValue(done)

    def _say(self, line: str) -> None:
        self.log.appendPlainText(line)

    def _show_tables(self, tables: tuple[Table, ...], notes: tuple[str, ...] = ()) -> None:
        """Tables beside the form, and sentences below them; what was there goes."""
        while (item := self._tables.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for table in tables:
            self._tables.addWidget(TableView(table))
        for words in notes:
            sentence = QLabel(at_the_window(words))
            sentence.setWordWrap(True)
            sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._tables.addWidget(sentence)
        self._tables.addStretch()

    def _lay_out(self, *side: QWidget) -> None:
        """The form and what comes below it at the left, tables at the right."""
        below = QWidget()
        self._tables = QVBoxLayout(below)
        self._tables.setContentsMargins(10, 6, 10, 6)
        scroll = QScrollArea()
        scroll.setWidget(below)
        scroll.setWidgetResizable(True)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(_column(*side))
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

    def _connect(self, form: ModelForm) -> None:
        """The buttons that every form has, and the keys that do the same."""
        form.choose.clicked.connect(self.choose_folder)
        form.start.clicked.connect(self.start)
        form.cancel.clicked.connect(self.cancel)
        form.take.clicked.connect(self.take_model)
        for keys, do in (
            ("Ctrl+O", self.choose_folder), ("Ctrl+Return", self.start), ("Esc", self.cancel),
            ("Ctrl+W", self.close),
        ):  # fmt: skip
            QShortcut(QKeySequence(keys), self).activated.connect(do)


def _column(*widgets: QWidget) -> QWidget:
    """One below the other; what can grow takes the room."""
    column = QWidget()
    layout = QVBoxLayout(column)
    layout.setContentsMargins(8, 6, 8, 6)
    for widget in widgets:
        expands = widget.sizePolicy().verticalPolicy() == QSizePolicy.Policy.Expanding
        layout.addWidget(widget, 1 if expands or isinstance(widget, QSplitter) else 0)
    return column
