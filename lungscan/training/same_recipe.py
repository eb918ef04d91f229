"""Whether a model was made by the same recipe: every option compared, those left out as well.

Cards leave out options that came later where they stand at their default, so both sides are filled
in before they are compared.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from pathlib import PurePath
from typing import Any

from lungscan.model.card import ModelCard
from lungscan.training.classes import ClassSettings
from lungscan.training.options import FITS, RECORDS, Fit, Phase, TrainOptions
from lungscan.training.sources import DataSource

# Options that shape no answer of a network, so that runs of one recipe may differ in them.
SHAPES_NO_ANSWER = frozenset(
    {
        "name",
        "summary",
        "limits",
        "intended_use",
        "modality",
        "window",
        "classes",  # their names and colours
        "figures_from",
        "folds",
        "alone",
        "threads",
        "device",
        "tensorboard",
        "robustness",
        "int8",
        "int8_bound",
    }
)

# The record that each key of a recipe holds, or a list of them.
_HOLDS: dict[str, type[Any]] = {
    **dict.fromkeys(FITS, Fit),
    **RECORDS,
    "phases": Phase,
    "classes": ClassSettings,
    "sources": DataSource,
}


def differing(options: TrainOptions, card: ModelCard, may_differ: Collection[str]) -> list[str]:
    """The options by which a card's recipe is another one, sorted.

    Args:
        options: the recipe at hand.
        card: of the model; an option that it does not know stands at its default.
        may_differ: options that do not count.
    """
    ours = _filled(dataclasses.asdict(options), TrainOptions)
    theirs = _filled(card.recipe, TrainOptions)
    for values in (ours, theirs):  # a card has its last name alone; its SHA-256 tells the model
        values["start_from"] = PurePath(values["start_from"]).name
    counted = sorted((ours.keys() | theirs.keys()) - set(may_differ))
    return [key for key in counted if ours.get(key) != theirs.get(key)]


def _filled(values: Mapping[str, Any], record: type[Any]) -> dict[str, Any]:
    """A record's values as JSON holds them, those that are missing at their default."""
    default = {
        item.name: _plain(item.default)
        for item in dataclasses.fields(record)
        if item.default is not dataclasses.MISSING
    }
    return default | {key: _value(key, value) for key, value in values.items()}


def _value(key: str, value: Any) -> Any:
    """A value as JSON holds it, with all options of the records in it."""
    holds = _HOLDS.get(key)
    if holds is None or not value:
        return _plain(value)
    if isinstance(value, Mapping):
        return _filled(value, holds)
    # The classes of a source are pairs, no records.
    return [_filled(part, holds) if isinstance(part, Mapping) else _plain(part) for part in value]


def _plain(value: Any) -> Any:
    """A value of an option as JSON gives it back."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    return json.loads(json.dumps(value))
