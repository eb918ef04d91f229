"""The models that a visitor may choose, and their cards as the page shows them."""

from __future__ import annotations

import threading
from typing import Any

from lungscan.model.card import Metric, ModelCard, find_model, list_models
from lungscan.options import DEFAULT_MODEL
from lungscan_web.jobs.limits import Refused

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
        """Raises ModelError when a shipped model has been changed."""
        with self._lock:
            if self._cards is None:
                self._cards = list_models()
            return self._cards

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


def resolved(model: str) -> str:
    """The model that answers a job: the chosen one, or the one for what was given."""
    return DEFAULT_MODEL if model == AUTO else model


def card_data(card: ModelCard) -> dict[str, Any]:
    """A card for the page: what was measured first, with its interval."""
    looks = zip(card.class_names, card.display_names, card.colors, card.tumour, strict=True)
    return {
        "name": card.name,
        "version": card.version,
        "modality": getattr(card, "modality", "histology"),
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
        "limits": list(card.limits),
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
