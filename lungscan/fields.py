"""Many field images at once: a job reads, scores and judges a handful that share batches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lungscan.errors import CaseError, LungScanError, UnreadableFile
from lungscan.outcome import RunContext, failed_case, finished_case, pick_pictures, utc_now
from lungscan.prepare import Plan, plan_file
from lungscan.reading import TilePixels
from lungscan.scoring import Scorer, TileBatch, join
from lungscan.store import RunStore
from lungscan.types import CaseInput, CaseResult


@dataclass(frozen=True)
class FieldOutcome:
    """One finished case, and whether an earlier run had finished it."""

    result: CaseResult
    resumed: bool


def score_fields(
    cases: Sequence[CaseInput], run: RunContext, scorer: Scorer, store: RunStore, picture: bool
) -> list[FieldOutcome]:
    """Classify cases of one field each, in order. A bad file costs only its own case."""
    clock, started = time.perf_counter(), utc_now()
    opened = [_open(case, run, store, picture) for case in cases]
    plans = [item for item in opened if isinstance(item, Plan)]
    small = [planned for planned in plans if _is_small(planned, scorer)]
    shared = iter(_score_together(small, scorer))
    outcomes = []
    for case, item in zip(cases, opened, strict=True):
        seconds = (time.perf_counter() - clock) / len(cases)
        if isinstance(item, CaseResult):
            outcomes.append(FieldOutcome(item, resumed=True))
        elif isinstance(item, LungScanError):
            result = failed_case(case, run, item, started, seconds)
            outcomes.append(FieldOutcome(result, resumed=False))
        else:
            batches = [next(shared)] if _is_small(item, scorer) else _score_alone(item, scorer)
            result = _finish(case, run, item, batches, started, seconds)
            outcomes.append(FieldOutcome(result, resumed=False))
    for planned in plans:
        planned.source.close()
    return outcomes


def _open(
    case: CaseInput, run: RunContext, store: RunStore, picture: bool
) -> Plan | CaseResult | LungScanError:
    try:
        planned = plan_file(case.files[0], run.options, run.card, picture=picture)
    except CaseError as error:
        return error
    except Exception as error:  # libraries raise many kinds on damaged files; one case fails
        return UnreadableFile(
            f"The file made a library fail in an unexpected way ({type(error).__name__}: {error}). "
            "It is probably damaged; if other programs open it, please report this.",
            code="E_UNEXPECTED",
        )
    earlier = store.finished(
        case, (planned.result.sha256,), run.card.sha256, run.settings_hash
    )
    if earlier is None:
        return planned
    planned.source.close()
    return earlier


def _is_small(planned: Plan, scorer: Scorer) -> bool:
    return 0 < len(planned.grid.boxes) <= scorer.runtime.batch_size


def _score_together(plans: Sequence[Plan], scorer: Scorer) -> list[TileBatch]:
    """Score the tiles of several files as one batch; returns one part per file."""
    if not plans:
        return []
    reads = [p.source.read_tiles(p.grid.boxes, p.grid.size_px) for p in plans]
    pixels = TilePixels(
        np.concatenate([read.rgb for read in reads]),
        np.concatenate([read.valid for read in reads]),
        np.concatenate([read.failed for read in reads]),
    )
    scored = scorer.score(pixels, np.concatenate([p.fraction for p in plans]))
    edges = np.cumsum([0] + [len(p.grid.boxes) for p in plans])
    return [
        scored.rows(int(start), int(stop)) for start, stop in zip(edges, edges[1:], strict=False)
    ]


def _score_alone(planned: Plan, scorer: Scorer) -> list[TileBatch]:
    """Score a large field batch by batch."""
    boxes, size = planned.grid.boxes, scorer.runtime.batch_size
    return [
        scorer.score(
            planned.source.read_tiles(boxes[start : start + size], planned.grid.size_px),
            planned.fraction[start : start + size],
        )
        for start in range(0, len(boxes), size)
    ]


def _finish(
    case: CaseInput,
    run: RunContext,
    planned: Plan,
    batches: Sequence[TileBatch],
    started: str,
    seconds: float,
) -> CaseResult:
    scores = [join(batches, planned.grid.boxes, 0, len(run.card.class_names))]
    pictures = pick_pictures([planned], scores) if planned.result.thumbnail_jpeg else ()
    return finished_case(
        case, run, [planned.result], scores, pictures, (), started, seconds
    )
