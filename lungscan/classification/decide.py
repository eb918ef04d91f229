"""When to answer and when not to: the last step from an aggregate to a prediction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np

from lungscan.classification.aggregate import (
    Answer,
    Evidence,
    class_areas,
    rule_named,
    total_weight,
)
from lungscan.modalities.table import modality_of
from lungscan.model.card import ModelCard
from lungscan.model.shares import percent
from lungscan.options import Abstain
from lungscan.types import FloatArray, MaskArray, NoResult, Prediction, TileState

ANSWERED_RIGHT, ALL_RIGHT = "accuracy of the answered", "accuracy"  # metrics of a card
MOST = 0.5  # a fault that touches more of the tissue than this decides the case

_LOSES_TISSUE = 2.0  # times that a picture is shrunk
_DOUBT = (
    "The scale is unknown, which may be the only reason: cells may look too small, too large or "
    "squeezed. {} {} Give the pixel size (--mpp; usual: 0.25 µm for a 40x objective, 0.5 for 20x)."
)

# Whose stain and scanner a model knows, and what to do about another's.
_SHIPPED = "the training's", "adapt it to your own lung (lungscan adapt)"
_ADAPTED = "the fields it was adapted to", "adapt the model that it was made from to these"

_SCORED = (TileState.USED, TileState.NOVEL, TileState.BLURRED, TileState.OTHER_STAIN)


@dataclass(frozen=True, slots=True)
class Unscaled:
    """How a picture of unknown scale was shown to the network."""

    shown: str  # a sentence
    shrunk: float  # times; below 1 it was enlarged

    def may_make_up(self, reason: NoResult) -> bool:
        """Whether lung that is seen too large, too small or squeezed may end so.

        A piece of tissue is lost in a tile only where that shows much more than it should.
        """
        if reason is NoResult.SOME_TUMOUR:
            return False
        return reason is not NoResult.LITTLE_TISSUE or self.shrunk >= _LOSES_TISSUE


def decide(
    evidence: Evidence,
    card: ModelCard,
    rule: str,
    abstain: Abstain,
    unscaled: Unscaled | None = None,
) -> tuple[Prediction, tuple[str, ...]]:
    """Answer, or say why not; with flags for the result.

    ``unscaled`` tells of a picture without a scale; that stands before every reason that a wrong
    scale can make up.

    ``strict`` withholds the label whenever there is a reason to; ``flag`` gives it with the reason
    beside it, unless there is too little tissue; ``never`` gives one wherever a tile was scored.
    """
    used = evidence.where(TileState.USED)
    scored = evidence.where(*_SCORED)
    if abstain == "never" and not scored.any():
        scored = evidence.where(*_SCORED, TileState.BLANK, TileState.PEN)
    reason = _reason_before_answer(evidence, card)
    basis = used if reason is None else scored
    answer = _ask(evidence, basis, card, rule)
    if answer is not None and np.count_nonzero(basis) > 1:
        answer = _bounded(answer, card)
    if reason is None and answer is not None:
        reason = _reason_of(answer, card)
    prediction = _prediction(evidence, card, rule, answer, reason, abstain)
    if unscaled is not None and reason is not None and unscaled.may_make_up(reason):
        text = _DOUBT.format(unscaled.shown, prediction.reason_text)
        prediction = replace(prediction, reason_text=text)
    flags = answer.flags if answer is not None and prediction.label is not None else ()
    if prediction.label is not None and _looks_other(evidence, basis, card):
        flags = (NoResult.OTHER_STAIN.value, *flags)
    if reason is not None and prediction.label is not None:
        flags = tuple(dict.fromkeys((reason.value, *flags)))
    return prediction, flags


def _reason_of(answer: Answer, card: ModelCard) -> NoResult | None:
    """What an answer itself has against it."""
    if answer.some_tumour:
        return NoResult.SOME_TUMOUR
    return NoResult.UNCERTAIN if answer.confidence < card.confidence_threshold else None


def _bounded(answer: Answer, card: ModelCard) -> Answer:
    """The answer to a series, no surer than the model was found to be right on single slices.

    Slices of a series err together, so what several of them say alike makes none of them surer; and
    how often whole series are answered rightly was never measured.
    """
    known = {metric.name: metric.value for metric in card.metrics}
    bound = known.get(ANSWERED_RIGHT, known.get(ALL_RIGHT, 1.0))
    if not modality_of(card.modality).slices or answer.confidence <= bound:
        return answer
    rest = sum(answer.probs) - answer.confidence
    probs = [value * (1 - bound) / rest if rest > 0 else 0.0 for value in answer.probs]
    probs[answer.index] = bound
    return replace(answer, confidence=bound, probs=tuple(probs))


def _reason_before_answer(evidence: Evidence, card: ModelCard) -> NoResult | None:
    used = evidence.where(TileState.USED)
    blurred = evidence.where(TileState.BLURRED)
    novel = evidence.where(TileState.NOVEL)
    strange = evidence.where(TileState.OTHER_STAIN)
    seen = used | blurred | novel | strange
    modality = modality_of(card.modality)
    if not seen.any():
        return modality.little
    if evidence.measured and total_weight(evidence.weight[seen]) < card.minimum_tissue_mm2:
        return modality.little
    lung = used | strange
    if evidence.share(novel, lung | novel) > MOST or not (lung | blurred).any():
        return modality.foreign
    unlike = novel | strange
    if evidence.share(unlike, lung | novel) > MOST or not (used | blurred).any():
        foreign = evidence.share(novel, unlike) > MOST
        return modality.foreign if foreign else NoResult.OTHER_STAIN
    if evidence.share(blurred, seen) > MOST or not used.any():
        return NoResult.BLURRED
    return None


def _looks_other(evidence: Evidence, basis: MaskArray, card: ModelCard) -> bool:
    """Whether most of what an answer rests on looks of another stain or scanner."""
    if evidence.appearance is None:
        return False
    other = basis & (evidence.appearance > card.appearance_threshold)
    return evidence.share(other, basis) > MOST


def _ask(evidence: Evidence, basis: MaskArray, card: ModelCard, rule: str) -> Answer | None:
    basis = basis & np.isfinite(evidence.probs).all(1)
    if not basis.any():
        return None
    weight = evidence.weight[basis]
    if not weight.any():  # tiles without any tissue, asked for all the same: count them alike
        weight = np.ones_like(weight)
    place = None if evidence.place is None else evidence.place[basis]
    return rule_named(rule, card.modality)(evidence.probs[basis], weight, card, place)


def _prediction(
    evidence: Evidence,
    card: ModelCard,
    rule: str,
    answer: Answer | None,
    reason: NoResult | None,
    abstain: Abstain,
) -> Prediction:
    withheld = answer is None or _withholds(abstain, reason)
    name = None if answer is None else card.class_names[answer.index]
    # Areas are those of the tiles used, as on the map, even where a flagged label rests on more.
    used = evidence.where(TileState.USED)
    areas = class_areas(evidence, used, len(card.class_names))
    return Prediction(
        label=None if withheld else name,
        confidence=None if withheld or answer is None else answer.confidence,
        suggested=name,
        reason=reason,
        reason_text="" if reason is None else _explain(reason, evidence, answer, card),
        probs=() if answer is None else answer.probs,
        area_mm2=_floats(areas) if evidence.measured and used.any() else None,
        tile_share=_floats(areas / areas.sum()) if areas.sum() > 0 else (),
        rule=rule,
    )


def _withholds(abstain: Abstain, reason: NoResult | None) -> bool:
    """Whether the policy keeps the label back for this reason."""
    match abstain:
        case "strict":
            return reason is not None
        case "flag":
            return reason in {NoResult.LITTLE_TISSUE, NoResult.NO_LUNG}
        case "never":
            return False
        case _:  # whatever it is, it must not act as a milder policy
            assert_never(abstain)


def _explain(reason: NoResult, evidence: Evidence, answer: Answer | None, card: ModelCard) -> str:
    modality = modality_of(card.modality)
    if reason is modality.little:
        return modality.words.little
    if reason is NoResult.BLURRED:
        share = evidence.share(evidence.where(TileState.BLURRED), evidence.where(*_SCORED))
        return f"{percent(share, 0)} of the tissue is out of focus; scan it again."
    if reason is modality.foreign:
        novel = evidence.where(TileState.NOVEL)
        lung = evidence.where(TileState.USED, TileState.OTHER_STAIN)
        share = evidence.share(novel, lung | novel) or 1.0
        return modality.words.foreign_share.format(share=percent(share, 0))
    if reason is NoResult.OTHER_STAIN:
        strange = evidence.where(TileState.OTHER_STAIN)
        seen = strange | evidence.where(TileState.USED, TileState.NOVEL)
        share = evidence.share(strange, seen) or 1.0
        known, advice = _ADAPTED if card.adaptation else _SHIPPED
        sentence = modality.words.elsewhere_share
        return sentence.format(share=percent(share, 0), known=known, advice=advice)
    if reason is NoResult.SOME_TUMOUR and answer is not None:
        little = "too small an area" if evidence.measured else "too few tiles"
        return (
            f"Tumour was seen in {percent(answer.some_tumour, 0)} of the tissue: {little} to count "
            "as tumour, too large a part for another answer."
        )
    best, least = _apart(0.0 if answer is None else answer.confidence, card.confidence_threshold)
    return f"The likeliest class reaches only {best} %; this model answers from {least} % up."


def _apart(less: float, more: float) -> tuple[str, str]:
    """Two shares in percent, with as many decimals as tell them apart."""
    for digits in range(4):
        texts = f"{100 * less:.{digits}f}", f"{100 * more:.{digits}f}"
        if texts[0] != texts[1]:
            break
    return texts


def _floats(values: FloatArray) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
