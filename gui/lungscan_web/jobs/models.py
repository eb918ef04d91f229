"""The models that a visitor may choose, and their cards as the page shows them."""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Any

from lungscan.modalities.table import MODALITIES, modality_of
from lungscan.model.card import Metric, ModelCard
from lungscan.model.checked import find_model, list_models
from lungscan.options import DEFAULT_MODEL
from lungscan_web.jobs.limits import Refused
from lungscan_web.jobs.plain import for_page

AUTO = "auto"


class Models:
    """The shipped models and, if whoever runs the page named one, that alone.

    What a visitor sends is only ever compared with their names: it is no path. The cards are read,
    and their files checked, when they are first asked for.
    """

    def __init__(self, model: str = AUTO) -> None:
        """Raises ModelError when there is no such model."""
        self._fixed = None if model == AUTO else find_model(model)
        self._given = model
        self._cards: tuple[ModelCard, ...] | None = (self._fixed,) if self._fixed else None
        self._lock = threading.Lock()

    @property
    def choice(self) -> str:
        """``auto``, or the name of the only model."""
        return self._fixed.name if self._fixed else AUTO

    def cards(self) -> tuple[ModelCard, ...]:
        """The shipped models, the default and its kin first, or the only one.

        Raises:
            ModelError: a shipped model has been changed.
        """
        with self._lock:
            if self._cards is None:
                self._cards = list_models()
            return self._cards

    def auto(self) -> dict[str, str]:
        """The models of series and of all else where none is chosen; empty where one is set."""
        if self._fixed:
            return {}
        return {kind: resolved(AUTO, (kind,)) for kind in ("series", "slide")}

    def chosen(self, name: str) -> str:
        """The engine's name, or folder, of what a visitor chose.

        Raises:
            Refused: there is no such model here.
        """
        if self._fixed is not None and name in (AUTO, "", self._fixed.name):
            return self._given
        if self._fixed is None and name in (AUTO, ""):
            return AUTO
        if self._fixed is None and any(card.name == name for card in self.cards()):
            return name
        raise Refused("There is no such model here. Choose one of the list.")


def resolved(model: str, kinds: Collection[str]) -> str:
    """The model that answers a case: the chosen one, or the shipped one for what was given.

    ``kinds`` are those of its files. What only one modality judges decides; a picture may be
    anything, and is shown to the model of H&E first.
    """
    if model != AUTO:
        return model
    wanted = [name for name, each in MODALITIES.items() if set(kinds) <= each.kinds]
    cards = [card for card in list_models() if card.modality in wanted] if wanted else []
    names = [card.name for card in cards]
    return DEFAULT_MODEL if DEFAULT_MODEL in names or not names else names[0]


def card_data(card: ModelCard) -> dict[str, Any]:
    """A card for the page: what was measured first, with its interval."""
    looks = zip(card.class_names, card.display_names, card.colors, card.tumour, strict=True)
    return {
        "name": card.name,
        "version": card.version,
        "modality": card.modality,
        "judged": modality_of(card.modality).words.judged,
        "summary": card.summary,
        "official": card.official,
        "licence": card.licence,
        "intended_use": card.intended_use,
        "sha256": card.sha256,
        "classes": [
            {"name": name, "display": display, "color": color, "tumour": tumour}
            for name, display, color, tumour in looks
        ],
        "measured": [_measured(metric) for metric in card.metrics],
        "facts": [list(fact) for fact in card.facts],
        "limits": list(map(for_page, card.limits)),
    }


def _measured(metric: Metric) -> dict[str, Any]:
    known = metric.low is not None and metric.high is not None
    return {
        "name": metric.name,
        "value": metric.value,
        "text": f"{metric.value:.3f}",
        "interval": f"{metric.low:.3f} to {metric.high:.3f}" if known else "",
        "n": metric.n,
        "groups": metric.groups,
        "note": metric.note,
    }
