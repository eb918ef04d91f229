"""Reviews for tests: made of a result, with or without a region."""

from __future__ import annotations

from lungscan.model.card import ModelCard
from lungscan.results.review_json import Opinion, Region, Review, Verdict, answer_digest
from lungscan.review.again import answer_again, second_answer
from lungscan.types import CaseResult

WHEN = "2026-03-04T10:15:00+00:00"


def rectangle(left: float, top: float, right: float, bottom: float, file_index: int = 0) -> Region:
    """A region of four corners, level-0 pixels."""
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    return Region(file_index, corners)


def review_of(
    result: CaseResult,
    verdict: Verdict | None = Verdict.AGREE,
    right_class: str = "",
    *regions: Region,
    card: ModelCard | None = None,
    reviewer: str = "Dr. Ada Example",
    comment: str = "",
    seen: tuple[int, ...] = (),
) -> Review:
    """A review; with regions and a ``card`` it has the second answer."""
    opinion = Opinion(verdict, right_class, comment, reviewer, WHEN)
    second = None
    if regions and card is not None:
        second = second_answer(result, answer_again(result, card, regions))
    return Review(
        result.key, result.case_id, answer_digest(result), opinion, regions, second, seen,
        len(result.pictures),
    )  # fmt: skip
