"""Follow a running scan: draw its events, keep of each case only what the summary needs."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
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
from lungscan.report.wording import ending
from lungscan.types import CaseResult, CaseStatus
from lungscan_cli.views.run import View, tile_word


@dataclass(frozen=True, slots=True)
class CaseLine:
    """One case as the shell shows it; the tiles' scores are let go."""

    key: str
    case_id: str
    status: CaseStatus
    label: str | None  # class name
    answer: str  # for people
    confidence: float | None
    probabilities: dict[str, float]
    reason: str | None
    flags: tuple[str, ...]
    seconds: float
    error_code: str
    error_message: str


@dataclass(slots=True)
class Outcome:
    """What is known of a run so far; it also holds when the run is interrupted."""

    lines: list[CaseLine] = field(default_factory=list)
    resumed: int = 0  # of the lines, how many an earlier run had finished
    started: RunStarted | None = None
    finished: RunFinished | None = None

    def with_status(self, *statuses: CaseStatus) -> list[CaseLine]:
        """Cases that ended so, in the order in which they ended."""
        return [line for line in self.lines if line.status in statuses]

    @property
    def tile(self) -> str:
        """What a tile is called: of CT it is a slice."""
        return tile_word(self.started)


def watch(
    events: Generator[ScanEvent, None, None],
    view: View,
    outcome: Outcome,
    *,
    keep_lines: bool = True,
) -> None:
    """Draw each event and note it in ``outcome``. Leaving early closes the scan.

    A watched folder never ends, so its cases' lines are not kept.
    """
    with closing(events), view:
        for event in events:
            match event:
                case RunStarted():
                    outcome.started = event
                    view.run_started(event)
                case CaseStarted():
                    view.case_started(event)
                case TilesScored():
                    view.tiles_scored(event)
                case CaseFinished():
                    line = line_of(event.result)
                    if keep_lines:
                        outcome.lines.append(line)
                    outcome.resumed += event.resumed
                    view.case_finished(event, line.answer)
                case Notice():
                    view.notice(event)
                case RunFinished():
                    outcome.finished = event
                case _:
                    assert_never(event)


def line_of(result: CaseResult) -> CaseLine:
    """Shrink a result to what the shell shows."""
    prediction = result.prediction
    names = result.model.class_names
    return CaseLine(
        key=result.key,
        case_id=result.case_id,
        status=result.status,
        label=prediction.label if prediction else None,
        answer=answer(result),
        confidence=prediction.confidence if prediction else None,
        probabilities=dict(zip(names, prediction.probs, strict=False)) if prediction else {},
        reason=prediction.reason if prediction else None,
        flags=result.flags,
        seconds=result.seconds,
        error_code=result.error_code,
        error_message=result.error_message,
    )


def answer(result: CaseResult) -> str:
    """Say in a few words how a case ended: ``No result: too blurred``, ``Failed: too small``."""
    return ending(result) + (", partly unreadable" if result.status is CaseStatus.PARTIAL else "")
