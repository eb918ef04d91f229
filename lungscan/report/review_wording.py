"""A review in words; reports, tables, shell and window take them from here."""

from __future__ import annotations

from dataclasses import replace

from lungscan.modalities.table import modality_of
from lungscan.model.card import Metric
from lungscan.report.quantities import area, moment, percent, probability
from lungscan.report.wording import answer_line, display_name
from lungscan.results.review_json import Opinion, Review, SecondAnswer, Verdict
from lungscan.types import CaseResult, ModelStamp

VERDICT_NAMES = {
    Verdict.AGREE: "Agrees",
    Verdict.DISAGREE: "Disagrees",
    Verdict.NOT_ASSESSABLE: "Not assessable",
}
CHOICES = {
    Verdict.AGREE: "Agree",
    Verdict.DISAGREE: "Disagree",
    Verdict.NOT_ASSESSABLE: "Not assessable",
}
NONE_OF_THESE = "none of these, or not sure"  # what stands there until a class is chosen
SEEN_HEAD = "Evidence looked at"


def verdict_text(opinion: Opinion, model: ModelStamp) -> str:
    """``Agrees``, ``Disagrees; holds Adenocarcinoma right``, ``Not assessable``, ``Undecided``."""
    if opinion.verdict is None:
        return "Undecided"
    words = VERDICT_NAMES[opinion.verdict]
    if opinion.verdict is not Verdict.DISAGREE:
        return words
    if not opinion.right_class:
        return f"{words}; names none of these classes as right"
    return f"{words}; holds {display_name(model, opinion.right_class)} right"


def opinion_line(opinion: Opinion, model: ModelStamp) -> str:
    """Who said what, and when, in one line."""
    who = opinion.reviewer or "a reviewer without a name"
    when = f", {moment(opinion.reviewed_utc)}" if opinion.reviewed_utc else ""
    return f"{verdict_text(opinion, model)} ({who}{when})"


def agreement_text(model: str, share: Metric) -> str:
    """``Agreement with lung-histology 0.1.0: 91.7 % (64.6 to 98.5 %), 11 groups of cases``."""
    low, high = share.low or 0.0, share.high or 0.0
    return (
        f"Agreement with {model}: {100 * share.value:.1f} % ({100 * low:.1f} to "
        f"{100 * high:.1f} %), {share.groups} groups of cases."
    )


def seen_text(review: Review, model: ModelStamp) -> str:
    """``9 of 12 tiles``, or slices."""
    return f"{len(review.seen)} of {review.pictures} {modality_of(model.modality).words.tiles}"


def left_out_text(second: SecondAnswer, regions: int, model: ModelStamp) -> str:
    """``2 regions, 41 tiles, 0.52 mm² of tissue``; of slices no area."""
    modality = modality_of(model.modality)
    words = [f"{regions} region" + ("" if regions == 1 else "s")]
    number = second.tiles_left_out
    words.append(f"{number:,} {modality.words.tile if number == 1 else modality.words.tiles}")
    if second.left_out_mm2 is not None and modality.scaled:
        words.append(f"{area(second.left_out_mm2)} mm² of tissue")
    return ", ".join(words)


def as_second(result: CaseResult, second: SecondAnswer) -> CaseResult:
    """The case with its second answer, for whatever puts an answer into words."""
    return replace(
        result,
        prediction=second.prediction,
        counts=second.counts,
        tissue_mm2=second.tissue_mm2,
        flags=second.flags,
    )


def side_by_side(first: CaseResult, second: CaseResult) -> list[tuple[str, str, str]]:
    """The two answers row by row: what, of the first, of the second."""
    cases = (first, second)
    modality = modality_of(first.model.modality)
    used = f"{modality.words.tiles.capitalize()} used"
    known = first.tissue_mm2 is not None
    rows = [
        ("Answer", [answer_line(case) for case in cases]),
        ("Probability", [_confidence(case) for case in cases]),
        (used, [f"{case.counts.used:,} of {case.counts.total:,}" for case in cases]),
    ]
    if modality.scaled:
        tissue = [f"{area(case.tissue_mm2)} mm²" if known else "unknown" for case in cases]
        rows.append(("Tissue", tissue))
    for index, name in enumerate(first.model.display_names):
        rows.append((name, [_of_class(case, index) for case in cases]))
    return [(name, values[0], values[1]) for name, values in rows]


def _confidence(case: CaseResult) -> str:
    return probability(case.prediction.confidence if case.prediction else None)


def _of_class(case: CaseResult, index: int) -> str:
    """Area of a class, or its share of the tiles where areas are unknown or mean nothing."""
    prediction, scaled = case.prediction, modality_of(case.model.modality).scaled
    if prediction is not None and prediction.area_mm2 and scaled:
        return f"{area(prediction.area_mm2[index])} mm²"
    if prediction is not None and prediction.tile_share:
        return percent(prediction.tile_share[index])
    return "–"
