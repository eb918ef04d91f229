"""Helpers to watch a folder in a test: time that passes only in the pauses of the watch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from lungscan.events import CaseFinished, Notice, ScanEvent
from lungscan.options import ScanOptions
from lungscan.scanning.watching.watch import watch
from tests.engine.scanning import rows

Step = Callable[[], None]


class Clock:
    """Time that passes only while the watch waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class Pauses(threading.Event):
    """The stop of a watch: each pause lets its seconds pass, then does the next step."""

    def __init__(self, clock: Clock, steps: Iterator[Step]) -> None:
        super().__init__()
        self._clock, self._steps = clock, steps

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.now += timeout or 0.0
        step = next(self._steps, None)
        if step is None:
            self.set()
        else:
            step()
        return self.is_set()


def nothing() -> None:
    """A pause in which nothing happens."""


def follow(chosen: ScanOptions, clock: Clock, *steps: Step) -> list[ScanEvent]:
    """Watch while the ``steps`` happen, one in each pause, and six empty pauses after each."""
    spread = (one for step in (nothing, *steps) for one in (step, *[nothing] * 6))
    return list(watch(chosen, stop=Pauses(clock, spread)))


def notices(events: list[ScanEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


def ended(events: list[ScanEvent]) -> list[str]:
    return [event.result.case_id for event in events if isinstance(event, CaseFinished)]


def ids(out: Path) -> list[str]:
    return [row["case_id"] for row in rows(out)]
