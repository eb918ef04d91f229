"""Processes for jobs: one is kept ready, so that the next job finds its libraries loaded."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Protocol

from lungscan.errors import MachineError
from lungscan.opening.apart import Apart
from lungscan_web.jobs.messages import Message

CHILD = "lungscan_web.jobs.child"
REST_S = 3.0  # after one was taken: its job has the machine first, unless others wait
STOP_S = 0.7  # what a job may take to stop by itself: cancelling takes a second at the most


class Process(Protocol):
    """What runs a job; see ``lungscan.opening.apart.Apart``."""

    @property
    def alive(self) -> bool:
        """Whether it can be given a task."""

    def begin(self, task: object) -> None:
        """Give it its task."""

    def events(self) -> Iterator[Message]:
        """What it tells, to its end."""

    def stop(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it at once."""

    def close(self) -> None:
        """End one whose events nobody reads, and let go of it."""


def start_process() -> Process:
    """A process that waits for a job. Raises MachineError."""
    return Apart(CHILD, others="the page and other jobs are", stop_s=STOP_S)


class Ready:
    """The process that waits for the next job. May be used by several threads."""

    def __init__(
        self, start: Callable[[], Process], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._start, self._clock = start, clock
        self._taken = clock() - REST_S
        self._spare: Process | None = None
        self._lock = threading.Lock()
        self._closed = False

    def prepare(self, *, wanted: bool = False) -> None:
        """Have one ready, if the system lets us; the next job will say what is the matter.

        Loading its libraries takes a processor a while, so a job that has just begun is left
        alone for some seconds, unless one is ``wanted`` by a job that waits.
        """
        with self._lock:
            spare, gone = self._spare, self._closed
            rests = self._clock() - self._taken < REST_S and not wanted
        if gone or rests or (spare is not None and spare.alive):
            return
        with suppress(MachineError):
            self._put(self._start())

    def take(self) -> Process:
        """The one that waits, or a new one. Raises MachineError."""
        with self._lock:
            spare, self._spare = self._spare, None
            self._taken = self._clock()
        if spare is not None and not spare.alive:
            spare.close()
            spare = None
        return spare or self._start()

    def close(self) -> None:
        """End the one that waits; none comes after it."""
        with self._lock:
            self._closed = True
        self._put(None)

    def _put(self, fresh: Process | None) -> None:
        """Let ``fresh`` wait, and let go of the one before, or of it when nobody will take it."""
        with self._lock:
            if self._closed:
                earlier = [self._spare, fresh]
                self._spare = None
            else:
                earlier = [self._spare]
                self._spare = fresh
        for process in earlier:
            if process is not None:
                process.close()
