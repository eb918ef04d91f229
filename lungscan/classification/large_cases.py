"""Cases with a slide among their files: one after the other, tiles spread over all threads.

The next file is opened and masked while the present one is scored, and no more are open, so memory
does not grow with the number of files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from itertools import chain
from pathlib import Path

import numpy as np

from lungscan import __version__
from lungscan.classification.case_record import (
    RunContext,
    ScoredFile,
    about,
    finished_case,
    scored_file,
)
from lungscan.classification.explained_case import explain_file
from lungscan.classification.journal import Journal, NoJournal
from lungscan.classification.scoring import Scorer, TileBatch, score_span
from lungscan.errors import CaseError, case_error
from lungscan.events import ScoredTiles, TilesScored
from lungscan.inputs import in_motion, look
from lungscan.opening.opener import Readers
from lungscan.opening.plan import Plan
from lungscan.results.provenance import library_versions, utc_now
from lungscan.types import BoxArray, CaseInput, CaseResult, InputFile
from lungscan.workers import Workers

Opened = Plan | CaseError


@dataclass(frozen=True)
class BegunCase:
    """A case whose first file is open, or could not be opened."""

    case: CaseInput
    first: Opened
    files: ExitStack  # closes what is open
    started: str
    seconds: float  # so far


def begin_case(case: CaseInput, readers: Readers) -> BegunCase:
    """Open the first file of a case."""
    clock, started = time.perf_counter(), utc_now()
    files = ExitStack()
    first = _open(case.files[0], readers)
    if isinstance(first, Plan):
        files.callback(first.source.close)
    return BegunCase(case, first, files, started, time.perf_counter() - clock)


def drop_case(begun: BegunCase) -> None:
    """Close what is open of a case that nobody will score."""
    begun.files.close()


def score_case(
    begun: BegunCase,
    run: RunContext,
    scorer: Scorer,
    workers: Workers,
    readers: Readers,
    journal: Callable[[int], Path] | None,
) -> Generator[TilesScored, None, CaseResult]:
    """Score the files of a case in order; a bad one costs only itself.

    The caller closes ``begun.files`` in the end.

    Raises:
        LungScanError: the model or the machine failed, so no other case would do better.
    """
    clock, case = time.perf_counter() - begun.seconds, begun.case
    progress = _Progress(case.key)
    files: list[ScoredFile] = []
    problems: list[CaseError] = []
    with workers.in_order(
        lambda file: _open(file, readers), case.files[1:], ahead=1, drop=_drop
    ) as rest:
        opened_files = enumerate(zip(case.files, chain([begun.first], rest), strict=True))
        for index, (file, opened) in opened_files:
            if opened is not begun.first and isinstance(opened, Plan):
                begun.files.callback(opened.source.close)
            try:
                progress.file_index = len(files)
                kept = _journal(journal, index, opened, run)
                files.append((yield from _score_file(opened, run, scorer, workers, progress, kept)))
            except Exception as error:  # noqa: BLE001  one bad file must not cost the others
                problems.append(about(case_error(error), file, case))
            begun.files.close()
    seconds = time.perf_counter() - clock
    return finished_case(case, run, files, problems, begun.started, seconds)


@dataclass
class _Progress:
    """Counts the tiles of a case, as far as its files are open."""

    key: str
    file_index: int = 0  # of the file being scored, among those that could be read
    done: int = 0
    total: int = 0

    def add(self, grid: BoxArray, first: int, batches: Sequence[TileBatch]) -> TilesScored:
        """These more tiles are scored, those of ``grid`` from ``first`` on."""
        states = tuple(state for batch in batches for state in batch.state)
        self.done += len(states)
        probs = np.concatenate([batch.probs for batch in batches])
        tiles = ScoredTiles(self.file_index, grid, first, probs, states)
        return TilesScored(self.key, self.done, self.total, tiles)


def _open(file: InputFile, readers: Readers) -> Opened:
    before = look(file)
    try:
        return readers.plan(file, picture=True)
    except Exception as error:  # noqa: BLE001  libraries raise many kinds on damaged files
        return in_motion(file, before) or case_error(error)


def _drop(opened: Opened) -> None:
    if isinstance(opened, Plan):
        opened.source.close()


def _journal(
    path: Callable[[int], Path] | None, index: int, opened: Opened, run: RunContext
) -> Callable[[], Journal | NoJournal]:
    """What keeps the tiles of a case's file ``index``; opened when the file proves readable."""
    if path is None or isinstance(opened, CaseError):
        return NoJournal
    return partial(Journal, path(index), _journal_key(opened, run), len(run.card.class_names))


def _score_file(
    opened: Opened,
    run: RunContext,
    scorer: Scorer,
    workers: Workers,
    progress: _Progress,
    kept: Callable[[], Journal | NoJournal],
) -> Generator[TilesScored, None, ScoredFile]:
    if isinstance(opened, CaseError):
        raise opened
    total, size = len(opened.grid.boxes), scorer.runtime.batch_size
    progress.total += total
    with kept() as journal:
        batches: list[TileBatch] = list(journal.earlier)
        grid = opened.grid.boxes
        if journal.done:
            yield progress.add(grid, 0, journal.earlier)
        starts = range(journal.done, total, size)
        with workers.in_order(
            lambda start: score_span(opened, start, start + size, scorer), starts
        ) as scored:
            for first, batch in zip(starts, scored, strict=True):
                batches.append(batch)
                journal.add(batch)
                yield progress.add(grid, first, [batch])
    result = scored_file(opened, batches, scorer.card, picture=True)
    if moving := in_motion(opened.file, opened.before):
        raise moving
    explained = explain_file(opened, result.scores, scorer, run.options)
    return replace(result, explained=explained)


def _journal_key(opened: Plan, run: RunContext) -> str:
    """Input, model and settings, and how the tiles lie: what scored tiles depend on."""
    boxes = np.ascontiguousarray(opened.grid.boxes, "<i4")
    made = (run.card.sha256, run.settings_hash, run.device, __version__, repr(library_versions()))
    parts = (opened.result.sha256, *made)
    return sha256("".join(parts).encode() + boxes.tobytes()).hexdigest()
