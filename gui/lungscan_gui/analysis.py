"""What the window analyses: cases in, orders for the runner, results out."""

from __future__ import annotations

import threading
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, QTimer, pyqtSignal
from PyQt6.QtWidgets import QApplication

from lungscan.errors import LungScanError, MachineError
from lungscan.events import RunFinished
from lungscan.options import ScanOptions
from lungscan_gui import engine
from lungscan_gui.cases import Answer, Case, CaseState
from lungscan_gui.finding import cases_at, give, missing_place
from lungscan_gui.fitting import LEFT, is_unfit, short, unfit
from lungscan_gui.same_image import Missing, missing_of
from lungscan_gui.scanning.job import Failure
from lungscan_gui.scanning.runner import Order, Runner

if TYPE_CHECKING:
    from lungscan_gui.window import MainWindow

SCALE_FIRST = (
    "This slide does not say how large a pixel is. Choose on the right with which objective it was "
    "scanned; the analysis then starts."
)
CHOOSE = "Choose a model for it on the right, among the options."

ANOTHER_CONTENT = (
    "{path} is another image than the analysed one of that name, so it is a case of its own."
)
KEPT = (
    "{name} belongs to the run in progress, so it stays in the list until its answer is there. "
    "Cancel stops the run."
)
PREPARE_MS = 1500  # after an image was opened


class Analysis(QObject):
    """Finds cases, starts runs, keeps the list true."""

    _found = pyqtSignal(object, str, bool)  # list of Case; a message; whether it is of an error

    def __init__(self, window: MainWindow) -> None:
        super().__init__()
        self._window = window
        self.runner = Runner()
        self.runner.rebuild = self._rebuilt
        self.runner.changed.connect(self._changed)
        self.runner.mapped.connect(self._mapped)
        self.runner.progressed.connect(self._progressed)
        self.runner.noticed.connect(window.message.say)
        self.runner.failed.connect(self._failed)
        self.runner.finished.connect(self._finished)
        self.runner.idle.connect(self.show_state)
        self._found.connect(self._take)
        window.run.start_asked.connect(self.start)
        window.run.cancel_asked.connect(self.runner.cancel)
        window.queue.add_asked.connect(window.open_files)
        window.queue.retry_asked.connect(self.retry)
        window.queue.held = self.runner.holds
        window.queue.kept.connect(self._keep)
        window.queue.removed.connect(self.runner.forget)
        window.queue.moved.connect(lambda: self.runner.arrange(window.queue.model.cases))
        window.result.scale_given.connect(self._scale_given)
        window.result.model_given.connect(self._model_given)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(PREPARE_MS)
        self._soon.timeout.connect(self.runner.jobs.prepare)

    @property
    def running(self) -> bool:
        """Whether anything is being analysed."""
        return self.runner.now is not None

    def prepare(self) -> None:
        """Have a process ready for a run, once the image that was just opened is sharp."""
        if not self.running:
            self._soon.start()

    def close(self) -> None:
        """The window closes."""
        self._soon.stop()
        self.runner.close()

    # Cases in ----------------------------------------------------------------------------------

    def add(self, paths: list[Path]) -> None:
        """Look for images or results below these paths, beside the window's thread."""
        for path in paths:
            self._window.settings.opened(path)
        args = (paths, missing_of(self._window.display.case))
        threading.Thread(target=self._find, args=args, name="find", daemon=True).start()

    def add_demo(self, message: str = "") -> None:
        """Make the demo's slide, and show it, with a message."""
        threading.Thread(target=self._make_demo, args=(message,), name="demo", daemon=True).start()

    def _make_demo(self, message: str) -> None:
        folder = self._window.settings.scratch / "demo"
        try:
            slide = engine.make_demo_slide(folder)
            self._found.emit(cases_at(slide, []), message, False)
        except LungScanError as error:
            self._found.emit([], str(error), True)
        except OSError as error:
            why = error.strerror or error
            words = f"The demo slide cannot be written to {folder} ({why})."
            self._found.emit([], words, True)

    def _find(self, paths: list[Path], missing: tuple[Missing, ...]) -> None:
        cases: list[Case] = []
        problems: list[str] = []
        for path in paths:
            try:
                cases += cases_at(path, problems, missing)
            except LungScanError as error:
                problems.append(str(error))
            except OSError as error:
                problems.append(f"{path} cannot be searched ({error.strerror or error}).")
        self._found.emit(cases, " ".join(problems), True)

    def _take(self, cases: list[Case], message: str, error: bool) -> None:
        queue = self._window.queue
        known = {case.identity: case for case in queue.model.cases}
        attached = [case for case in cases if self._attach(case) or self._rejoin(case)]
        fresh = [case for case in cases if case not in attached and case.identity not in known]
        first = len(queue.model.cases)
        for case in cases:
            if (here := known.get(case.identity)) is not None:
                self._adopt(here, case)
        if fresh:
            queue.model.add(fresh)
            queue.choose(first)
        elif cases and cases[0].identity in known:
            queue.choose(queue.model.cases.index(known[cases[0].identity]))
        queue.refresh()
        if message:
            self._window.message.say(message, error=error)
        elif not cases:
            self._window.message.say(
                "No slide or field image was found there. LungScan reads what OpenSlide opens, and "
                "JPEG, PNG, TIFF, BMP and WebP."
            )
        elif apart := [case for case in fresh if case.sha256]:  # was compared, and is another one
            words = ANOTHER_CONTENT.format(path=apart[0].path)
            self._window.message.say(words, error=False)
        self.show_state()

    def _adopt(self, here: Case, found: Case) -> None:
        """Give a case of the list the earlier result that was found of it, if it has none."""
        idle = here.state in (CaseState.WAITING, CaseState.STOPPED)
        if idle and found.result is not None and found.out is not None:
            here.finish(Answer(found.result, found.out, found.maps, found.verdict))
            self.runner.changed.emit(here)

    def _attach(self, case: Case) -> bool:
        """Whether this file is the image of the chosen case, whose own was not found."""
        chosen = self._window.display.case
        if chosen is None or not case.sha256 or case.path is None:
            return False
        found = next((one for one in missing_of(chosen) if one.sha256 == case.sha256), None)
        if found is None:
            return False
        give(chosen, found.place, case)
        self._window.display.reopen()
        return True

    def _rejoin(self, found: Case) -> bool:
        """Give an image to the answer of the list that lacks it, by its place below a folder.

        Its content is compared when it is shown, as that of an image found beside its results.
        """
        for case in self._window.queue.model.cases:
            if (place := missing_place(case, found.path)) is not None:
                give(case, place, found)
                if case is self._window.display.case:
                    self._window.display.reopen()
                return True
        return False

    # Orders ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Analyse the chosen case, or all that wait when another one runs already."""
        case = self._window.queue.current
        if case is None or not self.can_start(case):
            return
        chosen = self._window.options.boxes["model"].currentText()
        if is_unfit(case, chosen):
            found = unfit(case, chosen, self._window.options.models)
            if found is not None:
                self._window.message.say(f"{found.words} {CHOOSE}", error=False)
            return
        if case.result is None and case.needs_scale:
            if self._window.options.mpp.value():
                self._scale_given(self._window.options.mpp.value())
            else:
                self._window.message.say(SCALE_FIRST, error=False)
            return
        self._order([case])

    def start_all(self) -> None:
        """Analyse all cases that have no answer yet, as one run."""
        wanted = (CaseState.WAITING, CaseState.STOPPED)
        waiting = [c for c in self._window.queue.model.cases if c.state in wanted and c.paths]
        chosen = self._window.options.boxes["model"].currentText()
        cases = [case for case in waiting if not is_unfit(case, chosen)]
        for mpp in dict.fromkeys(case.mpp for case in cases):
            self._order([case for case in cases if case.mpp == mpp])
        if left := len(waiting) - len(cases):
            self._window.message.say(LEFT.format(count=left, model=short(chosen)), error=False)

    def retry(self) -> None:
        """Analyse the failed ones again."""
        idle = (CaseState.FINISHED, CaseState.STOPPED)
        for case in self._window.queue.model.cases:
            if case.failed and case.state in idle and case.paths:
                self._order([case])

    def can_start(self, case: Case | None) -> bool:
        """Whether a case can be analysed now."""
        busy = (CaseState.QUEUED, CaseState.RUNNING)
        return case is not None and bool(case.paths) and case.state not in busy

    def show_state(self) -> None:
        """What can be done now."""
        case = self._window.queue.current
        again = "Analyse again" if case and case.result else "Analyse"
        if case and case.state is CaseState.STOPPED:
            again = "Go on"
        self._window.run.show_state(
            can_start=self.can_start(case), running=self.running, again=again
        )
        self._window.queue.refresh()

    def _order(self, cases: list[Case]) -> None:
        window = self._window
        try:
            options = self.filed(self.options_of(cases))
        except LungScanError as error:
            window.message.say(str(error), error.code)
            return
        window.message.hide()
        self.runner.ask(Order(options, cases))
        self.show_state()

    def options_of(self, cases: list[Case]) -> ScanOptions:
        """Options of a run of these cases, but for its folder. Raises LungScanError."""
        paths = tuple(path for case in cases for path in case.paths)
        return self._of(cases, self._window.options.options(paths, Path(), cases[0].mpp))

    def _rebuilt(self, order: Order) -> ScanOptions:
        """The options of an order from which a case was taken out."""
        try:
            return self.filed(self._of(order.cases, order.options))
        except LungScanError as error:
            self._window.message.say(str(error), error.code)
            return order.options

    def _of(self, cases: list[Case], options: ScanOptions) -> ScanOptions:
        """The same options for these cases. Raises MachineError."""
        paths = tuple(path for case in cases for path in case.paths)
        joined = [(case.name, case.paths) for case in cases if case.others]
        table = self._joined(joined) if joined else None
        found = tuple(file for case in cases for file in case.found)
        return replace(options, paths=paths, cases=table, found=found)

    def _joined(self, cases: list[tuple[str, tuple[Path, ...]]]) -> Path:
        """The table by which a run knows which images share a case. Raises MachineError."""
        text = engine.manifest_of(cases).encode("utf-8", "surrogateescape")
        folder = self._window.settings.scratch / "joined"
        table = folder / f"{sha256(text).hexdigest()[:16]}.csv"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            table.write_bytes(text)
        except OSError as error:
            why = error.strerror or error
            words = f"The table of this case's files cannot be written to {folder} ({why})."
            raise MachineError(f"{words} Make room there, then try again.") from error
        return table

    def filed(self, options: ScanOptions) -> ScanOptions:
        """The same, with the folder where its results belong."""
        return replace(options, out=engine.results_folder(self._window.settings.results, options))

    def _keep(self, case: Case) -> None:
        self._window.message.say(KEPT.format(name=case.name), error=False)

    # News --------------------------------------------------------------------------------------

    def _changed(self, case: Case) -> None:
        self._window.queue.model.touch(case)
        if case is self._window.display.case and not (
            case.state is CaseState.RUNNING and case.done
        ):
            self._window.display.refresh()

    def _mapped(self, case: Case, file: int, rows: slice) -> None:
        display = self._window.display
        if case is display.case and file == case.file:
            fresh = display.overlay is None
            display.set_map(rows)
            if fresh:
                self._window.result.show_case(case, self.runner.model)

    def _progressed(self, words: str) -> None:
        now = self.runner.now
        running = [c for c in now.order.cases if c.state is CaseState.RUNNING] if now else []
        done, total = (running[0].done, running[0].total) if running else (0, 0)
        if now and len(now.order.cases) > 1:
            ended = sum(c.state is CaseState.FINISHED for c in now.order.cases)
            words = f"{ended} of {len(now.order.cases)} cases. {words}"
            if not total:
                done, total = ended, len(now.order.cases)
        self._window.run.show_progress(words, done, total)

    def _finished(self, ended: RunFinished, count: int) -> None:
        """Say that an order is done; of a single case the answer says it."""
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.alert(self._window)
        if count > 1:
            self._window.message.say(finished_text(ended, count), error=False)

    def _failed(self, failure: Failure) -> None:
        details = f"{failure.code}\n{failure.details}".strip()
        self._window.message.say(failure.message, details)

    def _scale_given(self, mpp: float) -> None:
        case = self._window.display.case
        if case is not None and self.can_start(case):
            case.mpp = mpp
            self._window.display.reopen()
            self._order([case])

    def _model_given(self, model: str) -> None:
        """Analyse the chosen case with another model, which the options keep."""
        self._window.options.boxes["model"].setCurrentText(model)
        self.start()


def finished_text(ended: RunFinished, count: int) -> str:
    """``20 cases are done: 15 answers, 2 without result, 3 failed. They are filed in ...``."""
    parts = [
        f"{number:,} {words}"
        for number, words in (
            (ended.ok, "answered"), (ended.no_result, "without result"),
            (ended.partial, "in part"), (ended.failed, "failed"), (ended.skipped, "skipped"),
        )
        if number
    ]  # fmt: skip
    return f"{count:,} cases are done: {', '.join(parts)}. They are filed in {ended.out}."
