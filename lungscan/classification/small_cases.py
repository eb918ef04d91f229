"""Many field images at once: a job reads, scores and judges a handful that share batches."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from lungscan.classification.case_record import (
    RunContext,
    ScoredFile,
    about,
    finished_case,
    scored_file,
)
from lungscan.classification.explained_case import explain_file
from lungscan.classification.scoring import Scorer, TileBatch, score_span
from lungscan.errors import CaseError, case_error
from lungscan.inputs import in_motion, look
from lungscan.opening.opener import OpenedField, Readers
from lungscan.opening.plan import Plan
from lungscan.reading import TilePixels, may_be_slide
from lungscan.results.provenance import utc_now
from lungscan.types import CaseInput, CaseResult, InputFile

FIELDS_PER_JOB = 16  # decoded at once by each thread
BYTES_PER_JOB = 64 << 20  # of files; a JPEG may hold 30 times as much once decoded

Scored = ScoredFile | CaseError


def field_jobs(cases: Sequence[CaseInput]) -> Iterator[list[CaseInput]]:
    """Whole cases that together are a handful: few files and few bytes, or one larger case."""
    job: list[CaseInput] = []
    files = size = 0
    for case in cases:
        more = sum(file.bytes_found for file in case.files)
        if job and (files + len(case.files) > FIELDS_PER_JOB or size + more > BYTES_PER_JOB):
            yield job
            job, files, size = [], 0, 0
        job.append(case)
        files, size = files + len(case.files), size + more
    if job:
        yield job


def classify_fields(
    cases: Sequence[CaseInput],
    run: RunContext,
    scorer: Scorer,
    readers: Readers,
    *,
    picture: bool,
) -> list[CaseResult | None]:
    """Classify cases of fields, in order; None where one holds a slide after all.

    A bad file costs only its own case.

    Raises:
        LungScanError: the model or the machine failed, so no other case would do better.
    """
    clock, started = time.perf_counter(), utc_now()
    slides = _slides_among(cases, readers)
    fields = [case for case in cases if case.key not in slides]
    files = [file for case in fields for file in case.files]
    scored = iter(_score_files(files, run, scorer, readers, picture))
    seconds = (time.perf_counter() - clock) / max(1, len(cases))
    return [
        None
        if case.key in slides
        else _judge(case, [next(scored) for _ in case.files], run, started, seconds)
        for case in cases
    ]


def _slides_among(cases: Sequence[CaseInput], readers: Readers) -> set[str]:
    """Keys of the cases that hold a slide, whatever the names of their files say."""
    doubtful = [file for case in cases for file in case.files if may_be_slide(file)]
    kinds = readers.are_slides(doubtful) if doubtful else ()
    slides = {file.path for file, slide in zip(doubtful, kinds, strict=True) if slide}
    return {case.key for case in cases if any(file.path in slides for file in case.files)}


def _judge(
    case: CaseInput, scored: Sequence[Scored], run: RunContext, started: str, seconds: float
) -> CaseResult:
    files = [item for item in scored if isinstance(item, ScoredFile)]
    problems = [
        about(item, file, case)
        for file, item in zip(case.files, scored, strict=True)
        if isinstance(item, CaseError)
    ]
    return finished_case(case, run, files, problems, started, seconds)


def _score_files(
    files: Sequence[InputFile], run: RunContext, scorer: Scorer, readers: Readers, picture: bool
) -> list[Scored]:
    """Open and score a handful at a time, in order."""
    scored: list[Scored] = []
    for start in range(0, len(files), FIELDS_PER_JOB):
        part = files[start : start + FIELDS_PER_JOB]
        before = [look(file) for file in part]
        opened = readers.fields(part, picture=picture)
        fields = [item for item in opened if isinstance(item, OpenedField)]
        shared = iter(_score_together([item for item in fields if item.pixels], scorer))
        done = [
            _finish(item, shared, run, scorer, picture) if isinstance(item, OpenedField) else item
            for item in opened
        ]
        scored += [
            in_motion(file, seen) or item
            for file, seen, item in zip(part, before, done, strict=True)
        ]
    return scored


def _score_together(fields: Sequence[OpenedField], scorer: Scorer) -> list[TileBatch]:
    """Score the tiles of several fields as one batch; returns one part per field."""
    pixels = [item.pixels for item in fields if item.pixels]
    if not pixels:
        return []
    scored = scorer.score(
        TilePixels(*(np.concatenate(column) for column in zip(*pixels, strict=True))),
        np.concatenate([item.plan.fraction for item in fields]),
    )
    ends = np.cumsum([len(part.valid) for part in pixels]).tolist()
    return [scored.rows(start, stop) for start, stop in zip([0, *ends], ends, strict=False)]


def _finish(
    item: OpenedField,
    shared: Iterator[TileBatch],
    run: RunContext,
    scorer: Scorer,
    picture: bool,
) -> Scored:
    """The field with its scores: the next of the ``shared`` ones, or now those of its own."""
    planned = item.plan
    batches = [next(shared)] if item.pixels else None
    try:
        batches = batches or _score_alone(planned, scorer)
        scored = scored_file(planned, batches, scorer.card, picture)
        explained = explain_file(planned, scored.scores, scorer, run.options, item.pixels)
        return replace(scored, explained=explained)
    except Exception as error:  # noqa: BLE001  one bad field must not cost the others
        return case_error(error)
    finally:
        planned.source.close()


def _score_alone(planned: Plan, scorer: Scorer) -> list[TileBatch]:
    """Score a large field batch by batch."""
    boxes, size = planned.grid.boxes, scorer.runtime.batch_size
    return [
        score_span(planned, start, min(start + size, len(boxes)), scorer)
        for start in range(0, len(boxes), size)
    ]
