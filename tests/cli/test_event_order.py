"""The shell's fake sends what the engine sends; the judge of both knows wrong orders."""

from __future__ import annotations

from pathlib import Path

import pytest

from lungscan.events import (
    CaseFinished,
    CaseStarted,
    RunFinished,
    RunStarted,
    ScanEvent,
    TilesScored,
)
from lungscan.options import ScanOptions
from lungscan.types import CaseStatus
from tests.cli.fake_engine import FakeEngine, make_result
from tests.event_order import check_order

OUT = Path("out")
SLIDE, FIELD = make_result("s.svs", label="adeno", tiles=40), make_result("f.png", label="benign")
JUNK = make_result("Thumbs.db", CaseStatus.SKIPPED)
BEGIN = RunStarted(2, 1, "fake 1.0", "CPU (fake)", OUT)
END = RunFinished(2, 0, 0, 0, 1, 41, 1.0, OUT)
RIGHT: list[ScanEvent] = [
    BEGIN,
    CaseFinished(JUNK, 1),
    CaseStarted(FIELD.key, FIELD.case_id, 2),
    CaseFinished(FIELD, 2),
    CaseStarted(SLIDE.key, SLIDE.case_id, 3),
    TilesScored(SLIDE.key, 16, 40),
    TilesScored(SLIDE.key, 40, 40),
    CaseFinished(SLIDE, 3),
    END,
]


def test_the_fake_sends_what_the_engine_sends() -> None:
    fake = FakeEngine()
    fake.results = (SLIDE, FIELD, JUNK, make_result("g.png", CaseStatus.FAILED, error="cut"))
    order = check_order(fake.scan(ScanOptions((), OUT)))
    names = [item.result.case_id for item in order.finished]
    assert names == ["Thumbs.db", "f.png", "g.png", "s.svs"]
    assert order.ended is not None


def test_a_right_order_may_break_off_anywhere() -> None:
    for length in range(len(RIGHT) + 1):
        check_order(RIGHT[:length])


@pytest.mark.parametrize("missing", range(len(RIGHT) - 1))
def test_an_event_that_is_missing_is_noticed(missing: int) -> None:
    if missing in {5, 6}:  # of the tiles any number may be told
        check_order(RIGHT[:missing] + RIGHT[missing + 1 :])
        return
    with pytest.raises(AssertionError):
        check_order(RIGHT[:missing] + RIGHT[missing + 1 :])


@pytest.mark.parametrize("first", [0, 1, 2, 4, 5, 6, 7])  # a slide may be begun before a field ends
def test_events_that_change_places_are_noticed(first: int) -> None:
    swapped = RIGHT.copy()
    swapped[first], swapped[first + 1] = swapped[first + 1], swapped[first]
    with pytest.raises(AssertionError):
        check_order(swapped)


@pytest.mark.parametrize("twice", range(len(RIGHT)))
def test_an_event_that_comes_twice_is_noticed(twice: int) -> None:
    with pytest.raises(AssertionError):
        check_order([*RIGHT[: twice + 1], *RIGHT[twice:]])
