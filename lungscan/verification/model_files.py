"""The model that answered against the one that is here now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from lungscan.errors import ModelError
from lungscan.model.card import ModelCard
from lungscan.model.checked import find_model
from lungscan.verification.checks import Check, State
from lungscan.verification.records import CaseFacts, ModelFacts
from lungscan_models import shipped_models


def check_models(cases: Sequence[CaseFacts], named: str | None) -> Iterator[Check]:
    """Check each model that the records name. Raises ModelError: there is no model ``named``."""
    shipped = {folder.name for folder in shipped_models().iterdir() if folder.is_dir()}
    if named is not None and named not in shipped and not Path(named).is_dir():
        find_model(named)  # says what is wrong
    for model in dict.fromkeys(case.model for case in cases):
        # The name in a record is looked up, never opened: it could be any path.
        places = [named, model.name if model.name in shipped else None]
        yield _best([_check(model, place) for place in places if place is not None], model)


def _best(checks: Sequence[Check], model: ModelFacts) -> Check:
    if not checks:
        text = "It is not shipped with LungScan: say where its folder lies with --model."
        return Check("model", State.NOT_CHECKED, f"{model.name} {model.version}", text)
    return next((check for check in checks if check.state is State.SAME), checks[0])


def _check(model: ModelFacts, place: str) -> Check:
    name = f"{model.name} {model.version}"
    try:
        card = find_model(place)
    except ModelError as error:
        return Check("model", State.CHANGED, name, str(error))
    if card.sha256 == model.sha256:
        return Check("model", State.SAME, name)
    return Check("model", State.CHANGED, name, _difference(model, card))


def _difference(model: ModelFacts, card: ModelCard) -> str:
    present = f"{card.name} {card.version}"
    if present == f"{model.name} {model.version}":
        return "The model here bears the same name, but is not the one that answered."
    return f"The model here is {present}, not the one that answered."
