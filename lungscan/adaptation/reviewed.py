"""The own files that a person has reviewed: their labels, and the squares that show them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungscan.errors import CaseError, UsageProblem
from lungscan.evaluation.records import LabelledField
from lungscan.inputs import sha256_of, show
from lungscan.model.card import ModelCard
from lungscan.review.labels import ReviewedFile, labels_below
from lungscan.types import BoxArray, InputFile
from lungscan.workers import Workers

_CHUNK = 256  # boxes compared at once

Reviews = tuple[ReviewedFile | None, ...]  # one for each input


def reviews_of(
    inputs: Sequence[InputFile], root: Path, card: ModelCard, threads: int
) -> tuple[Reviews, tuple[str, ...]]:
    """The review of each file, found by its content, and sentences about what cannot be used.

    Raises:
        NothingToDo: there is no review below ``root``.
        UsageProblem: none of the files was reviewed there.
    """
    labels = labels_below(root, card)
    with Workers(threads) as workers, workers.in_order(_digest, inputs) as digests:
        found = tuple(labels.files.get(digest) for digest in digests)
    if not any(found):
        raise UsageProblem(
            f"None of the images is one whose answer was reviewed in {show(root.name)}. Give the "
            "folder of the images that were classified, unchanged: they are known by their content."
        )
    notes = [review.why for review in found if review is not None and review.why]
    return found, (*labels.problems, *dict.fromkeys(notes))


def _digest(file: InputFile) -> str:
    try:
        return sha256_of(file)
    except CaseError:
        return ""  # reading it will say why


def labelled_by(review: ReviewedFile | None, field: LabelledField) -> LabelledField:
    """The field with the reviewer's class; a review that names none takes the folder's away."""
    if review is None:
        return field
    return LabelledField(field.file, field.path, review.label, field.group, field.um_px)


def shown_in(boxes: BoxArray, review: ReviewedFile | None) -> NDArray[np.int64]:
    """Rows of ``boxes`` ``(n, 4)`` whose middle lies in a tile that the review lets count.

    Another model's squares may be of another size than the tiles that were reviewed.
    """
    if review is None:
        return np.arange(len(boxes))
    middle = boxes[:, :2] + boxes[:, 2:] // 2
    left, top, width, height = review.boxes.astype(np.int64).T
    inside = np.zeros(len(boxes), np.bool_)
    for start in range(0, len(boxes), _CHUNK):
        x, y = middle[start : start + _CHUNK].T[..., None]
        hit = (left <= x) & (x < left + width) & (top <= y) & (y < top + height)
        inside[start : start + _CHUNK] = hit.any(1)
    return np.flatnonzero(inside)
