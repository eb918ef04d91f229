"""The answer once more, from the tiles that a reviewer does not leave out.

Nothing is read and no network is asked: tiles, areas, rule, policy and limits are those of the
first answer, so without regions the second answer is the first one to the last digit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from lungscan.classification.aggregate import Evidence, count, gather, total_weight
from lungscan.classification.case_record import ScoredFile, how_unscaled
from lungscan.classification.decide import decide
from lungscan.errors import ModelError, UsageProblem
from lungscan.model.card import ModelCard
from lungscan.model.checked import find_model
from lungscan.options import ABSTAIN, Abstain, require_choice
from lungscan.results.provenance import SCHEMA_NAME, SETTINGS_SCHEMA
from lungscan.results.review_json import Region, SecondAnswer
from lungscan.review.regions import left_out
from lungscan.types import (
    CaseResult,
    CaseStatus,
    MaskArray,
    TilePicture,
    TileQuality,
    TileScores,
)


def card_of(result: CaseResult, places: Iterable[str] = ()) -> ModelCard:
    """The card of the model that answered: a shipped one, or one of the folders in ``places``.

    The name in a record is compared, never opened: it could be any path.

    Raises:
        ModelError: none of them is the model that answered.
    """
    from lungscan_models import shipped_models

    shipped = {folder.name for folder in shipped_models().iterdir() if folder.is_dir()}
    names = [result.model.name] if result.model.name in shipped else []
    for name in [*names, *places]:
        try:
            card = find_model(name)
        except ModelError:
            continue
        if card.sha256 == result.model.sha256:
            return card
    raise ModelError(
        f"{result.model.name} {result.model.version}, the model that answered, is not here, so the "
        "answer cannot be formed again: its limits stand in its card. Choose its folder as model."
    )


def answer_again(result: CaseResult, card: ModelCard, regions: Sequence[Region]) -> CaseResult:
    """The case as if the tiles in ``regions`` had not been there.

    Raises:
        UsageProblem: the case has no answer that could be formed again, or rules have changed.
        ModelError: ``card`` is of another model.
    """
    if result.prediction is None or not result.scores:
        raise UsageProblem("This case was not classified, so there is no answer to form again.")
    if card.sha256 != result.model.sha256:
        raise ModelError(f"{card.name} {card.version} is not the model that answered.")
    schema = dict(result.settings).get(SCHEMA_NAME, str(SETTINGS_SCHEMA))
    if schema != str(SETTINGS_SCHEMA):
        raise UsageProblem(
            "This case was answered by the rules of another version of LungScan, so its answer "
            "cannot be formed again without some tiles. Classify it once more first."
        )
    whole = _evidence(result)
    gone = [left_out(part.boxes, regions, part.file_index) for part in result.scores]
    keep = ~np.concatenate(gone)
    rule, abstain = result.prediction.rule, _policy(result)
    unscaled = how_unscaled([_scored(result, part) for part in result.scores], card)
    prediction, flags = decide(_only(whole, keep), card, rule, abstain, unscaled)
    _, before = decide(whole, card, rule, abstain, unscaled)
    answered = CaseStatus.NO_RESULT if prediction.label is None else CaseStatus.OK
    area = result.tissue_mm2
    if area is not None:
        area = max(0.0, area - total_weight(whole.weight[~keep])) if keep.any() else 0.0
    return replace(
        result,
        status=result.status if result.status is CaseStatus.PARTIAL else answered,
        prediction=prediction,
        counts=count(_only(whole, keep)),
        tissue_mm2=area,
        scores=tuple(_rows(part, ~rows) for part, rows in zip(result.scores, gone, strict=True)),
        pictures=tuple(p for p in result.pictures if not _lies_in(p, regions)),
        flags=tuple(dict.fromkeys((*flags, *(f for f in result.flags if f not in before)))),
    )


def second_answer(result: CaseResult, again: CaseResult) -> SecondAnswer:
    """What a review keeps of ``answer_again``."""
    if again.prediction is None:
        raise UsageProblem("This case was not classified, so there is no answer to form again.")
    known = result.tissue_mm2 is not None and again.tissue_mm2 is not None
    return SecondAnswer(
        again.prediction,
        again.counts,
        again.tissue_mm2,
        again.flags,
        result.counts.total - again.counts.total,
        (result.tissue_mm2 or 0.0) - (again.tissue_mm2 or 0.0) if known else None,
    )


def _evidence(result: CaseResult) -> Evidence:
    areas = [result.files[part.file_index].tissue_mm2 for part in result.scores]
    return gather(result.scores, areas, len(result.model.class_names))


def _only(evidence: Evidence, keep: MaskArray) -> Evidence:
    known, place = evidence.appearance, evidence.place
    return Evidence(
        evidence.probs[keep],
        evidence.weight[keep],
        tuple(state for state, kept in zip(evidence.state, keep, strict=True) if kept),
        evidence.measured,
        None if known is None else known[keep],
        None if place is None else place[keep],
    )


def _rows(part: TileScores, keep: MaskArray) -> TileScores:
    quality = part.quality
    return TileScores(
        part.file_index,
        part.boxes[keep],
        part.tissue_fraction[keep],
        part.probs[keep],
        part.novelty[keep],
        TileQuality(
            quality.focus[keep], quality.pen[keep], quality.blank[keep], quality.valid[keep]
        ),
        tuple(state for state, kept in zip(part.state, keep, strict=True) if kept),
        None if part.appearance is None else part.appearance[keep],
    )


def _lies_in(picture: TilePicture, regions: Sequence[Region]) -> bool:
    box = np.array([picture.box], np.int32)
    return bool(left_out(box, regions, picture.file_index)[0])


def _scored(result: CaseResult, part: TileScores) -> ScoredFile:
    return ScoredFile(result.files[part.file_index], part, (), 0.0)


def _policy(result: CaseResult) -> Abstain:
    """The policy on no result, as the record's settings name it. Raises UsageProblem."""
    policy = dict(result.settings).get("abstain", "strict")
    require_choice("abstain", policy, ABSTAIN)
    return policy  # type: ignore[return-value]  # one of the choices
