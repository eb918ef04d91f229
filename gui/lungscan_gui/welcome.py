"""The first start: the demo slide, and which device will be used."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, pyqtSignal

from lungscan.errors import LungScanError
from lungscan_gui.engine import __version__
from lungscan_gui.scanning.job import Failure
from lungscan_gui.scanning.machine import Machine, MachineJob, Question

if TYPE_CHECKING:
    from lungscan_gui.window import MainWindow

WELCOME = (
    "Welcome. This is the demo slide: press Analyse to see what LungScan makes of it, or drop "
    "slides, fields or folders of your own. F1 shows all keys."
)
LOOKING = "Finding out what this machine computes with ..."


class Welcome(QObject):
    """Keeps the line of the run panel that names the device; asked for once for each choice."""

    _answered = pyqtSignal(str, object)  # the choice, a Machine or Failure

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._asked: set[str] = set()
        self.make_job = MachineJob
        self._answered.connect(self._take)
        for box in (window.options.boxes["model"], window.options.boxes["device"]):
            box.currentTextChanged.connect(self.show_known)
        window.options.threads.valueChanged.connect(self.show_known)
        window.run.ask_machine.connect(self.ask)
        self.show_known()

    def greet(self) -> None:
        """Only ever at the first start: show the demo slide, and say which device there is."""
        window = self._window
        if window.settings.started:
            return
        window.settings.started = True
        window.analysis.add_demo(WELCOME)
        self.ask()

    def ask(self) -> None:
        """Find out what the chosen model will be computed with, beside the window."""
        question, choice = self._question(), self._choice()
        if choice in self._asked:
            return
        self._asked.add(choice)
        self._window.run.show_machine(LOOKING)

        def work() -> None:
            try:
                for event in self.make_job(question).events():
                    self._answered.emit(choice, event)
            except LungScanError as error:
                self._answered.emit(choice, Failure(str(error), error.code))

        threading.Thread(target=work, name="machine", daemon=True).start()

    def show_known(self) -> None:
        """Say what was found out before of this choice, if anything."""
        known = self._window.settings.machine
        choice = self._choice()
        self._window.run.show_machine(known[1] if known and known[0] == choice else "")

    def _take(self, choice: str, answer: Machine | Failure) -> None:
        self._asked.discard(choice)
        if isinstance(answer, Failure):
            self._window.run.show_machine("")
            self._window.message.say(answer.message, f"{answer.code}\n{answer.details}")
            return
        self._window.settings.machine = (choice, answer.text)
        self.show_known()

    def _question(self) -> Question:
        options = self._window.options
        return Question(
            options.boxes["model"].currentText(),
            options.boxes["device"].currentText(),
            options.threads.value() or None,
        )

    def _choice(self) -> str:
        question = self._question()
        return f"{question.model} {question.device} {question.threads} {__version__}"
