"""Which models judge which kind of image, and what to say of a misfit. No Qt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lungscan.errors import LungScanError
from lungscan.types import CaseResult, CaseStatus, NoResult
from lungscan_gui import engine
from lungscan_gui.cases import Case
from lungscan_gui.engine import Modality, ModelCard

KINDS = {"slide": "a slide", "field": "a picture", "series": "a DICOM series"}
OTHER_KIND = "{name} is {kind}, and {model} judges {judged}."
FOREIGN = "Is this something else than {judged}? Another model judges {other}."
NO_OTHER = "No model here judges it."
LEFT = (
    "{count:,} of the cases are of a kind that {model} does not judge, so they wait: choose each "
    "to see which model does."
)

_cards: dict[str, ModelCard] = {}


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why the chosen model is not the one for a case, and which are."""

    words: str
    models: tuple[str, ...]


def card_if_readable(model: str) -> ModelCard | None:
    """The card of a model, by name or folder; None for a damaged one: a run will say why."""
    if model not in _cards:
        try:
            _cards[model] = engine.find_model(model)
        except LungScanError:
            return None
    return _cards[model]


def to_adapt(models: Iterable[str]) -> tuple[str, ...]:
    """Those of the models that can be adapted to slides, in their order."""
    judged = ((model, _modality(model)) for model in models)
    return tuple(model for model, modality in judged if modality and "slide" in modality.kinds)


def may_adapt(result: CaseResult) -> bool:
    """Whether stained tissue has no answer that may be lung of another laboratory."""
    reason = result.prediction.reason if result.prediction else None
    own = engine.modality_of(result.model.modality)
    return "slide" in own.kinds and reason in (NoResult.OTHER_STAIN, own.foreign)


def short(model: str) -> str:
    """A model's name, or that of its folder."""
    return Path(model).name


def is_unfit(case: Case, chosen: str) -> bool:
    """Whether the chosen model judges no image of that kind, whatever it shows."""
    modality = _modality(chosen)
    return bool(modality and case.kind and case.kind not in modality.kinds)


def unfit(case: Case, chosen: str, models: Iterable[str]) -> Unfit | None:
    """What to offer for a case that the chosen model does not judge, or would not."""
    modality = _modality(chosen)
    if modality is None or case.kind is None:
        return None
    others = _others(case, modality, models)
    named = {"model": short(chosen), "judged": modality.words.judged}
    if is_unfit(case, chosen):
        words = OTHER_KIND.format(name=case.name, kind=KINDS[case.kind], **named)
        return Unfit(words if others else f"{words} {NO_OTHER}", others)
    if not others or not _is_foreign(case, modality):
        return None
    other = _modality(others[0])
    named["other"] = other.words.judged if other else ""
    return Unfit(FOREIGN.format(**named), others)


def _is_foreign(case: Case, modality: Modality) -> bool:
    """Whether a model of this modality found nothing of its kind in a single picture.

    Stained tissue that does not look like lung is an organ or a stain that the model does not
    know: nothing that another modality would show.
    """
    result = case.result
    if result is None or case.kind != "field" or result.status is not CaseStatus.NO_RESULT:
        return False
    reason = result.prediction.reason if result.prediction else None
    own = engine.modality_of(result.model.modality)
    nothing = (own.little,) if "slide" in own.kinds else (own.foreign, own.little)
    return own is modality and reason in nothing


def _others(case: Case, own: Modality, models: Iterable[str]) -> tuple[str, ...]:
    found = []
    for model in models:
        modality = _modality(model)
        if modality is not None and modality is not own and case.kind in modality.kinds:
            found.append(model)
    return tuple(found)


def _modality(model: str) -> Modality | None:
    card = card_if_readable(model)
    return engine.modality_of(card.modality) if card else None
