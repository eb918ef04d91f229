"""Runs the cases that were asked for, one job after the other, and tells the window.

A thread takes the events of the job; a timer hands them over in bundles, so that many small events
never hold up the window.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, assert_never

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from lungscan.errors import LungScanError
from lungscan.events import (
    CaseFinished,
    CaseStarted,
    Notice,
    RunFinished,
    RunStarted,
    TilesScored,
)
from lungscan.options import ScanOptions
from lungscan.types import ModelStamp
from lungscan_gui import engine
from lungscan_gui.cases import Answer, Case, CaseState, Pace, answer_of
from lungscan_gui.scanning.job import Failure, JobEvent, Jobs, Stopped
from lungscan_gui.viewer.tilemap import TileMap
from lungscan_gui.words import at_the_window

TICK_MS = 50
BUDGET_S = 0.03  # of one tick; the rest waits for the next


class Job(Protocol):
    """A run that tells of itself; see ``scanning.job.ScanJob``."""

    def events(self) -> Iterator[JobEvent]:
        """All that it tells; the last one ends it."""

    def stop(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it at once."""


@dataclass(eq=False)
class Order:
    """Cases that are analysed together: one run, one folder of results."""

    options: ScanOptions
    cases: list[Case]


@dataclass(frozen=True, slots=True)
class Known:
    """What a job's thread found out before the run."""

    by_key: dict[str, Case]
    model: ModelStamp


RunMessage = Known | Answer | JobEvent


@dataclass(eq=False)
class Running:
    """The order in progress."""

    order: Order
    messages: queue.SimpleQueue[RunMessage] = field(default_factory=queue.SimpleQueue)
    job: Job | None = None
    known: Known | None = None
    stopping: bool = False
    pace: Pace = field(default_factory=Pace)
    device: str = ""


class Runner(QObject):
    """The queue of orders. All its signals come in the thread of the window."""

    changed = pyqtSignal(object)  # a Case: its state, progress or result
    mapped = pyqtSignal(object, int, slice)  # a Case, the file, rows of cells that changed
    progressed = pyqtSignal(str)  # words for people
    noticed = pyqtSignal(str)
    failed = pyqtSignal(object)  # Failure
    finished = pyqtSignal(object, int)  # RunFinished, and how many cases it was asked for
    idle = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.jobs = Jobs()
        self.make_job: Callable[[ScanOptions], Job] = self.jobs.start
        self.rebuild: Callable[[Order], ScanOptions] = lambda order: order.options
        self.orders: list[Order] = []
        self.now: Running | None = None
        self.model: ModelStamp | None = None  # of the run in progress, or of the last one
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._drain)

    def ask(self, order: Order) -> None:
        """Analyse these cases after those that were asked for before."""
        for case in order.cases:
            case.state = CaseState.QUEUED
            self.changed.emit(case)
        self.orders.append(order)
        if self.now is None:
            self._next()

    def holds(self, case: Case) -> bool:
        """Whether the run in progress will still answer this case."""
        busy = (CaseState.QUEUED, CaseState.RUNNING)
        return self.now is not None and case in self.now.order.cases and case.state in busy

    def forget(self, case: Case) -> None:
        """Leave a case out whose run has not begun."""
        for order in self.orders:
            if case in order.cases:
                order.cases = [other for other in order.cases if other is not case]
                if order.cases:
                    order.options = self.rebuild(order)
        self.orders = [order for order in self.orders if order.cases]

    def arrange(self, cases: list[Case]) -> None:
        """Take what waits in the order of these cases; what runs already is not changed."""
        places = {case: place for place, case in enumerate(cases)}
        last = len(cases)
        self.orders.sort(key=lambda o: min(places.get(case, last) for case in o.cases))

    def cancel(self) -> None:
        """Stop the run, and forget all other orders. What was scored is kept."""
        for order in self.orders:
            for case in order.cases:
                self._stop(case)
        self.orders = []
        if self.now is not None:
            self.now.stopping = True
            if self.now.job is not None:
                self.now.job.stop()
            self.progressed.emit("Stopping ...")

    def close(self) -> None:
        """The window closes: end the run and keep what is scored. Waits for it, but not long."""
        self.cancel()
        deadline = time.monotonic() + 3
        while self.now is not None and time.monotonic() < deadline:
            self._drain()
            time.sleep(0.02)
        if self.now is not None and self.now.job is not None:
            self.now.job.kill()
        self.jobs.close()
        self._timer.stop()

    # The thread --------------------------------------------------------------------------------

    def _next(self) -> None:
        if not self.orders:
            self._timer.stop()
            self.progressed.emit("")
            self.idle.emit()
            self.jobs.prepare()
            return
        self.now = Running(self.orders.pop(0))
        self.progressed.emit("Starting ...")
        threading.Thread(
            target=_work, args=(self.now, self.make_job), name="analysis", daemon=True
        ).start()
        self._timer.start()

    # The window's thread -----------------------------------------------------------------------

    def _drain(self) -> None:
        """Take what has come, as much as fits into one tick."""
        end = time.monotonic() + BUDGET_S
        while self.now is not None and time.monotonic() < end:
            try:
                event = self.now.messages.get_nowait()
            except queue.Empty:
                return
            self._take(event, self.now)

    def _take(self, event: RunMessage, now: Running) -> None:  # noqa: PLR0912  one case per kind
        match event:
            case Known():
                now.known, self.model = event, event.model
            case RunStarted():
                now.device = event.device
                self.progressed.emit(f"{event.model} on {event.device}")
            case CaseStarted():
                self._start(event, now)
            case TilesScored():
                self._score(event, now)
            case Answer():
                self._finish(event, now)
            case CaseFinished():
                pass  # came as an ``Answer``
            case Notice():
                self.noticed.emit(event.text)
            case RunFinished():
                self._end(now)
                self.finished.emit(event, len(now.order.cases))
            case Stopped():
                self._end(now)
            case Failure():
                for case in now.order.cases:
                    if case.state in (CaseState.QUEUED, CaseState.RUNNING):
                        case.error = at_the_window(event.message)
                self.failed.emit(event)
                self._end(now)
            case _:
                assert_never(event)

    def _start(self, event: CaseStarted, now: Running) -> None:
        case = _case(now, event.key)
        if case is not None:
            case.begin()
            case.state = CaseState.RUNNING
            case.modality = now.known.model.modality if now.known else None
            now.pace = Pace()
            self.changed.emit(case)

    def _score(self, event: TilesScored, now: Running) -> None:
        case, tiles = _case(now, event.key), event.tiles
        if case is None:
            return
        if not case.done:
            now.pace = Pace(first=event.done)
        case.done, case.total = event.done, event.total
        self.progressed.emit(now.pace.text(event.done, event.total, what=case.words.tiles))
        self.changed.emit(case)
        if tiles is None:
            return
        if tiles.file_index not in case.maps:
            case.maps[tiles.file_index] = TileMap(tiles.grid, tiles.probs.shape[1])
        rows = case.maps[tiles.file_index].put(tiles.first, tiles.probs, tiles.state)
        self.mapped.emit(case, tiles.file_index, rows)

    def _finish(self, event: Answer, now: Running) -> None:
        case = _case(now, event.result.key)
        if case is not None:
            case.finish(event)
            case.proven = set(range(len(event.result.files)))  # the run has just read them
            self.changed.emit(case)

    def _end(self, now: Running) -> None:
        for case in now.order.cases:
            if case.state in (CaseState.QUEUED, CaseState.RUNNING):
                self._stop(case)
        self.now = None
        self._next()

    def _stop(self, case: Case) -> None:
        case.state = CaseState.STOPPED
        self.changed.emit(case)


def _case(now: Running, key: str) -> Case | None:
    return now.known.by_key.get(key) if now.known else None


def _work(now: Running, make_job: Callable[[ScanOptions], Job]) -> None:
    """Everything of a run that takes time; its last word ends the run."""
    options = now.order.options
    try:
        model = engine.find_model(options.model).stamp()
        now.messages.put(Known(_by_key(now.order), model))
        now.job = make_job(options)
        if now.stopping:
            now.job.stop()
        for event in now.job.events():
            if isinstance(event, CaseFinished):
                now.messages.put(answer_of(event.result, options.out))
            else:
                now.messages.put(event)
    except LungScanError as error:
        now.messages.put(Failure(str(error), error.code))


def _by_key(order: Order) -> dict[str, Case]:
    """The keys that the run will give these cases."""
    owners = {path: case for case in order.cases for path in case.paths}
    found = {}
    options = order.options
    for case in engine.find_cases(options.paths, options.cases, options.found):
        for file in case.files:
            if file.path in owners:
                found[case.key] = owners[file.path]
    return found
