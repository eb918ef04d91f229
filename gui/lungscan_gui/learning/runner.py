"""Follows one task of a page after the other, and tells the page in its own thread."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from lungscan.errors import LungScanError
from lungscan_gui.learning.job import LearnJob
from lungscan_gui.learning.tasks import Task
from lungscan_gui.scanning.job import Failure, Stopped

TICK_MS = 50
BUDGET_S = 0.03  # of one tick
CLOSE_S = 3.0


class Job(Protocol):
    """A task that tells of itself; see ``LearnJob``."""

    def events(self) -> Iterator[Any]:
        """All that it tells."""

    def stop(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it at once."""


class LearnRunner(QObject):
    """One task at a time."""

    happened = pyqtSignal(object)  # an event, a ``Failure`` or ``Stopped``
    ended = pyqtSignal()

    def __init__(self, make_job: Callable[[Task], Job] = LearnJob) -> None:
        super().__init__()
        self.make_job = make_job
        self.task: Task | None = None
        self._job: Job | None = None
        self._stopping = False
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._drain)

    @property
    def running(self) -> bool:
        """Whether a task is being done."""
        return self.task is not None

    def ask(self, task: Task) -> None:
        """Do this, unless something is being done already."""
        if self.task is not None:
            return
        self.task, self._job, self._stopping = task, None, False
        self._events = queue.SimpleQueue()
        threading.Thread(
            target=self._work, args=(task, self._events), name="learning", daemon=True
        ).start()
        self._timer.start()

    def stop(self) -> None:
        """Ask it to end; what it has finished is kept."""
        self._stopping = True
        if self._job is not None:
            self._job.stop()

    def close(self) -> None:
        """The window closes: end it, but do not wait long."""
        self.stop()
        deadline = time.monotonic() + CLOSE_S
        while self.task is not None and time.monotonic() < deadline:
            self._drain()
            time.sleep(0.02)
        if self.task is not None:
            self._give_up()
        self._timer.stop()

    def _give_up(self) -> None:
        """End what does not answer: what it still tells is not heard, and the page is free."""
        self._events = queue.SimpleQueue()
        if self._job is not None:
            self._job.kill()
        self.happened.emit(Stopped())
        self.task = None
        self.ended.emit()

    def _work(self, task: Task, events: queue.SimpleQueue[Any]) -> None:
        try:
            job = self.make_job(task)
            if events is not self._events:  # given up while it was started
                job.kill()
                return
            self._job = job
            if self._stopping:
                job.stop()
            for event in job.events():
                events.put(event)
        except LungScanError as error:
            events.put(Failure(str(error), error.code))
        events.put(None)

    def _drain(self) -> None:
        end = time.monotonic() + BUDGET_S
        while self.task is not None and time.monotonic() < end:
            try:
                event = self._events.get_nowait()
            except queue.Empty:
                return
            if event is None:
                self.task = None
                self._timer.stop()
                self.ended.emit()
            else:
                self.happened.emit(event)
