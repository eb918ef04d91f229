"""``review.json``: what a person said of an answer, beside the record and never inside it.

A review belongs to one answer, not to one run: ``answer_digest`` names the images, the model, the
settings and what came out, so the same answer, computed again, keeps its review, and another answer
never inherits one.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from lungscan.layout import REVIEW
from lungscan.results.case_json import DamagedRecord, dump_record, load_record
from lungscan.results.checksums import known_sums
from lungscan.types import CaseResult, Prediction, TileCounts

LEAST_CORNERS = 3
_MAX_BYTES = 1 << 24


class Verdict(StrEnum):
    """What a reviewer says of the model output."""

    AGREE = "agree"
    DISAGREE = "disagree"
    NOT_ASSESSABLE = "not_assessable"


@dataclass(frozen=True, slots=True)
class Region:
    """A polygon of one file whose tiles are left out. A border that crosses itself is filled."""

    file_index: int  # which of ``CaseResult.files``
    points: tuple[tuple[float, float], ...]  # corners in level-0 pixels, at least three


@dataclass(frozen=True, slots=True)
class Opinion:
    """One person's word on the answer."""

    verdict: Verdict | None = None  # None: nothing was said of the answer yet
    right_class: str = ""  # with ``disagree``: the class held right; "": none was named
    comment: str = ""
    reviewer: str = ""
    reviewed_utc: str = ""  # ISO 8601


@dataclass(frozen=True, slots=True)
class SecondAnswer:
    """The answer from the tiles that are not left out, by the same rule and policy."""

    prediction: Prediction
    counts: TileCounts
    tissue_mm2: float | None
    flags: tuple[str, ...]
    tiles_left_out: int
    left_out_mm2: float | None  # tissue; None when the scale is unknown


@dataclass(frozen=True, slots=True)
class Review:
    """The review of one answer. ``review.json`` is this record."""

    key: str  # of the case
    case_id: str
    answer_sha256: str  # see ``answer_digest``
    opinion: Opinion
    regions: tuple[Region, ...] = ()
    second: SecondAnswer | None = None  # with regions
    seen: tuple[int, ...] = ()  # pictures of the evidence that were looked at
    pictures: int = 0  # of the evidence
    earlier: tuple[Opinion, ...] = ()  # of other reviewers, the first one first
    lungscan_version: str = ""
    schema_version: int = 1


@dataclass(frozen=True, slots=True)
class Beside:
    """What lies beside a record: a review, none, or one that cannot be used."""

    review: Review | None = None
    problem: str = ""  # a sentence


def answer_digest(result: CaseResult) -> str:
    """SHA-256 of what a review speaks of: images, model, settings, and what came out."""
    prediction = result.prediction
    stored = (
        result.key,
        [file.sha256 for file in result.files],
        result.model.sha256,
        result.settings_hash,
        None if prediction is None else [prediction.label, prediction.suggested, prediction.reason],
    )
    return sha256(json.dumps(stored).encode()).hexdigest()


def read_review(folder: Path) -> Review | None:
    """The review in a case's folder, None when there is none. Raises DamagedRecord."""
    path = folder / REVIEW
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DamagedRecord(f"This {REVIEW} is too large to be one.")
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DamagedRecord(f"This {REVIEW} cannot be read ({error.strerror or error}).") from error
    expected = known_sums(folder).get(REVIEW)
    if expected is not None and expected != sha256(data).hexdigest():
        raise DamagedRecord(f"This {REVIEW} was changed since it was saved; review the case again.")
    return review_from_json(data)


def review_beside(folder: Path, result: CaseResult) -> Beside:
    """The review of ``result`` in its folder; never an error, because a report is made anyhow."""
    try:
        review = read_review(folder)
    except DamagedRecord as error:
        return Beside(problem=str(error))
    if review is None:
        return Beside()
    if review.answer_sha256 != answer_digest(result):
        return Beside(problem=f"The {REVIEW} here is of another answer, so it is not shown.")
    return Beside(review)


def review_to_json(review: Review) -> bytes:
    """The review as ASCII JSON; equal reviews give equal bytes."""
    return dump_record(review)


def review_from_json(data: bytes) -> Review:
    """The review that ``review_to_json`` wrote. Raises DamagedRecord."""
    review = load_record(Review, data, REVIEW)
    for region in review.regions:
        numbers = [number for point in region.points for number in point]
        if len(region.points) < LEAST_CORNERS or not all(map(math.isfinite, numbers)):
            raise DamagedRecord(f"This {REVIEW} is damaged: a region is no polygon.")
    return review
