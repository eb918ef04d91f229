"""Cases with a slide among their files: one after the other, tiles spread over all threads.

The next file is opened and masked while the present one is scored, and no more are open, so memory
does not grow with the number of files.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain

from lungscan.errors import CaseError, case_error
from lungscan.events import TilesScored
from lungscan.outcome import RunContext, ScoredFile, about, finished_case, scored_file
from lungscan.prepare import Plan, plan_file
from lungscan.provenance import utc_now
from lungscan.scoring import Scorer, TileBatch, score_span
from lungscan.store import RunStore
from lungscan.types import CaseInput, CaseResult, InputFile
from lungscan.workers import Workers

Opened = Plan | CaseError


@dataclass(frozen=True)
class BegunCase:
    """A case whose first file is open, or that an earlier run has finished."""

    case: CaseInput
    first: Opened | CaseResult
    files: ExitStack  # closes what is open
    started: str
    seconds: float  # so far

    @property
    def resumed(self) -> bool:
        """Whether an earlier run had finished it."""
        return isinstance(self.first, CaseResult)


def begin_case(case: CaseInput, run: RunContext, store: RunStore) -> BegunCase:
    """Look for an earlier result, else open the first file."""
    clock, started = time.perf_counter(), utc_now()
    files = ExitStack()
    earlier = store.finished(case, run.card.sha256, run.settings_hash, pictures=True)
    first = earlier or _open(case.files[0], run)
    if isinstance(first, Plan):
        files.callback(first.source.close)
    return BegunCase(case, first, files, started, time.perf_counter() - clock)


def drop_case(begun: BegunCase) -> None:
    """Close what is open of a case that nobody will score."""
    begun.files.close()


def score_case(
    begun: BegunCase, run: RunContext, scorer: Scorer, workers: Workers
) -> Generator[TilesScored, None, CaseResult]:
    """Score the files of a case in order; a bad one costs only itself.

    The caller closes ``begun.files`` in the end.

    Raises:
        LungScanError: the model or the machine failed, so no other case would do better.
    """
    if isinstance(begun.first, CaseResult):
        return begun.first
    clock, case = time.perf_counter() - begun.seconds, begun.case
    progress = _Progress(case.key)
    files: list[ScoredFile] = []
    problems: list[CaseError] = []
    with workers.in_order(
        lambda file: _open(file, run), case.files[1:], ahead=1, drop=_drop
    ) as rest:
        for file, opened in zip(case.files, chain([begun.first], rest), strict=True):
            if opened is not begun.first and isinstance(opened, Plan):
                begun.files.callback(opened.source.close)
            try:
                files.append((yield from _score_file(opened, scorer, workers, progress)))
            except Exception as error:  # noqa: BLE001  one bad file must not cost the others
                problems.append(about(case_error(error), file, case))
            begun.files.close()
    seconds = time.perf_counter() - clock
    return finished_case(case, run, files, problems, begun.started, seconds)


@dataclass
class _Progress:
    """Counts the tiles of a case, as far as its files are open."""

    key: str
    done: int = 0
    total: int = 0

    def add(self, tiles: int) -> TilesScored:
        """So many more tiles are scored."""
        self.done += tiles
        return TilesScored(self.key, self.done, self.total)


def _open(file: InputFile, run: RunContext) -> Opened:
    try:
        return plan_file(file, run.options, run.card, picture=True)
    except Exception as error:  # noqa: BLE001  libraries raise many kinds on damaged files
        return case_error(error)


def _drop(opened: Opened) -> None:
    if isinstance(opened, Plan):
        opened.source.close()


def _score_file(
    opened: Opened, scorer: Scorer, workers: Workers, progress: _Progress
) -> Generator[TilesScored, None, ScoredFile]:
    if isinstance(opened, CaseError):
        raise opened
    total, size = len(opened.grid.boxes), scorer.runtime.batch_size
    progress.total += total
    batches: list[TileBatch] = []
    with workers.in_order(
        lambda start: score_span(opened, start, start + size, scorer), range(0, total, size)
    ) as scored:
        for batch in scored:
            batches.append(batch)
            yield progress.add(len(batch.state))
    return scored_file(opened, batches, scorer.card, picture=True)
