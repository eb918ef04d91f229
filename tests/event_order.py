"""The order in which a scan tells of itself: for the engine and for the shell's fake alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from lungscan.events import (
    CaseFinished,
    CaseStarted,
    Notice,
    RunFinished,
    RunStarted,
    ScanEvent,
    TilesScored,
)
from lungscan.types import CaseStatus


class EventOrder:
    """Takes the events of one scan, one by one; AssertionError at the first out of order."""

    def __init__(self) -> None:
        self.run: RunStarted | None = None
        self.finished: list[CaseFinished] = []
        self.ended: RunFinished | None = None
        self._open: dict[str, str] = {}  # by key, the names of cases begun and not finished
        self._begun: set[str] = set()
        self._tiles: dict[str, int] = {}  # by key, how many are scored

    def take(self, event: ScanEvent) -> None:
        """The next event."""
        assert self.ended is None, f"{event} after the end"
        if isinstance(event, RunStarted):
            assert self.run is None, "the run starts twice"
            self.run = event
            return
        assert self.run is not None, f"{event} before the start"
        match event:
            case CaseStarted():
                self._start(event, self.run)
            case TilesScored():
                self._score(event)
            case CaseFinished():
                self._finish(event, self.run)
            case Notice():
                assert event.text
            case RunFinished():
                self._end(event, self.run)
            case _:
                assert_never(event)

    def _start(self, event: CaseStarted, run: RunStarted) -> None:
        assert len(self.finished) >= run.skipped, "skipped files come first"
        assert event.key not in self._begun, f"{event.case_id} is started twice"
        assert not self._tiles, "a case is taken up while a slide is being scored"
        self._begun.add(event.key)
        self._open[event.key] = event.case_id
        assert event.index == run.skipped + len(self._begun)
        assert len(self._begun) <= run.cases

    def _score(self, event: TilesScored) -> None:
        assert event.key in self._open, "scored before it was started"
        assert set(self._tiles) <= {event.key}, "slides are scored one by one"
        assert self._tiles.get(event.key, 0) < event.done <= event.total
        self._tiles[event.key] = event.done

    def _finish(self, event: CaseFinished, run: RunStarted) -> None:
        self.finished.append(event)
        result = event.result
        assert event.index == len(self.finished)
        assert (result.status is CaseStatus.SKIPPED) == (event.index <= run.skipped)
        if result.status is not CaseStatus.SKIPPED:
            assert self._open.pop(result.key, None) == result.case_id, "finished, never started"
        if self._tiles.pop(result.key, 0):
            assert {file.kind for file in result.files} != {"field"}, "fields send no TilesScored"

    def _end(self, event: RunFinished, run: RunStarted) -> None:
        self.ended = event
        assert not self._open
        assert len(self.finished) == run.cases + run.skipped
        for status in CaseStatus:
            ended = sum(item.result.status is status for item in self.finished)
            assert getattr(event, status.value) == ended
        assert event.out == run.out


def check_order(events: Iterable[ScanEvent]) -> EventOrder:
    """All events of a scan; returns what was seen."""
    order = EventOrder()
    for event in events:
        order.take(event)
    return order
