"""Reviewed cases as labelled fields and slides, for adapting a model.

A label goes to an image by its content, because a record holds no place where the image lies and a
run may have hidden its name. A slide that is called a tumour still holds other tissue, so only
those of its tiles speak for a tumour class in which the model saw any tumour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungscan.model.card import ModelCard
from lungscan.results.review_json import Verdict
from lungscan.review.gathering import Reviewed, reviews_below
from lungscan.review.regions import left_out
from lungscan.types import BoxArray, FloatArray, MaskArray, ModelStamp, TileScores, TileState

# What looks strange to the model is what adapting it is for.
_TISSUE = (TileState.USED, TileState.NOVEL, TileState.OTHER_STAIN)


@dataclass(frozen=True)
class ReviewedFile:
    """What a reviewer holds an image to be, and which of its tiles show it."""

    label: str  # a class of the model; "" where nothing is held
    boxes: BoxArray  # (n, 4) level-0 pixels; sharp tissue that is not left out
    tissue_fraction: FloatArray  # (n,)
    why: str = ""  # why there is no label; a sentence


@dataclass(frozen=True)
class ReviewLabels:
    """By SHA-256 of the image."""

    files: dict[str, ReviewedFile]
    problems: tuple[str, ...]  # sentences about reviews that cannot be used


def labels_below(root: Path, card: ModelCard) -> ReviewLabels:
    """The labels of all reviews below a folder of results.

    The latest review of an image counts; where two of them name another class, the older one is
    told of.

    Raises:
        NothingToDo: there is no review.
    """
    gathered = reviews_below(root)
    files: dict[str, ReviewedFile] = {}
    problems = [*gathered.damaged, *gathered.outdated]
    for case in sorted(gathered.cases, key=lambda case: case.review.opinion.reviewed_utc):
        for part in case.result.scores:
            digest = case.result.files[part.file_index].sha256
            found = _of_file(case, part, card)
            before = files.get(digest)
            if before is not None and before.label and before.label != found.label:
                problems.append(
                    f"{case.result.case_id}: an earlier review of this image says "
                    f"{before.label}; the latest counts."
                )
            files[digest] = found
    return ReviewLabels(files, tuple(problems))


def _of_file(case: Reviewed, part: TileScores, card: ModelCard) -> ReviewedFile:
    sharp = np.array([state in _TISSUE for state in part.state], np.bool_)
    keep = sharp & ~left_out(part.boxes, case.review.regions, part.file_index)
    held = held_right(case)
    name = case.result.case_id
    if not held:
        return _file(part, keep, "", f"{name}: its review names no class.")
    if held not in card.class_names:
        return _file(part, keep, "", f"{name}: {held} is no class of {card.name}.")
    # A field is of one class, unless the answer that was reviewed is of several files.
    mixed = case.result.files[part.file_index].kind == "slide" or len(case.result.scores) > 1
    if mixed and card.tumour[card.class_names.index(held)]:
        shown = keep & _tumour(part, case.result.model)
        if not shown.any():
            why = (
                f"{name}: held to be {held}, but the model saw tumour nowhere on "
                f"{case.result.files[part.file_index].relative_path}, so nobody knows which "
                "tiles show it. Give fields of the tumour."
            )
            return _file(part, keep, "", why)
        keep = shown
    return _file(part, keep, held, "")


def held_right(case: Reviewed) -> str:
    """The class that a reviewer holds right; "" where none was named."""
    opinion, prediction = case.review.opinion, case.result.prediction
    if opinion.verdict is Verdict.AGREE:
        return (prediction.label or "") if prediction else ""
    return opinion.right_class if opinion.verdict is Verdict.DISAGREE else ""


def _tumour(part: TileScores, model: ModelStamp) -> MaskArray:
    """Tiles whose likeliest class is a tumour."""
    tumour: Sequence[bool] = model.tumour
    best = np.nan_to_num(part.probs, nan=-1.0).argmax(1)
    rows: MaskArray = np.array(tumour, np.bool_)[best]
    return rows


def _file(part: TileScores, keep: MaskArray, label: str, why: str) -> ReviewedFile:
    return ReviewedFile(label, part.boxes[keep], part.tissue_fraction[keep], why)
