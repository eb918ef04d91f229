"""A model's card before it is judged, and the held-out run whose figures it may borrow."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lungscan import __version__
from lungscan.errors import UsageProblem
from lungscan.modalities.table import modality_of
from lungscan.model.card import CARD_SCHEMA, ModelCard
from lungscan.model.checked import read_card
from lungscan.training import wording
from lungscan.training.classes import ClassWords
from lungscan.training.data import Material
from lungscan.training.judge import Calibration
from lungscan.training.options import TrainOptions
from lungscan.training.same_recipe import SHAPES_NO_ANSWER, differing

# What a held-out run that lends its figures may have otherwise; that the same classes are tumour is
# checked.
MAY_DIFFER = SHAPES_NO_ANSWER | {
    "exact",
    "split",
    "fold",
    "leave_out",
    "features_of_fold",
    "final_fit",
}


def held_out_run(options: TrainOptions, words: Sequence[ClassWords]) -> ModelCard:
    """The card of a model that was fitted by the same recipe with groups held out.

    Raises:
        UsageProblem: its recipe is another one.
    """
    card = read_card(Path(options.figures_from))
    changed = differing(options, card, MAY_DIFFER)
    if card.tumour != tuple(item.tumour for item in words):
        changed.append("the classes that are tumour")
    if changed:
        raise UsageProblem(
            f"The figures of {card.name} are not those of this recipe: {', '.join(changed)} differ."
        )
    return card


def first_card(
    options: TrainOptions,
    material: Material,
    fitted: Calibration,
    words: tuple[ClassWords, ...],
    command: str,
) -> ModelCard:
    """The card of a bundle that nobody has judged."""
    names = material.samples.class_names
    parts = material.split
    appearance = fitted.novelty.appearance
    return ModelCard(
        schema=CARD_SCHEMA,
        name=options.name,
        version=__version__,
        summary=wording.summary(options, words),
        licence="Apache-2.0",
        architecture=options.student,
        teacher=options.taught_by,
        class_names=names,
        display_names=tuple(item.name for item in words),
        colors=tuple(item.color for item in words),
        tumour=tuple(item.tumour for item in words),
        patch_size_pixels=options.classify_px,
        spacing_um_px=options.classify_spacing,
        spacing_note=options.spacing_note,
        modality=options.modality,
        exact=options.exact,
        window=options.window or None,
        large_fields=modality_of(options.modality).words.large,
        temperature=fitted.temperature,
        confidence_threshold=fitted.confidence,
        novelty_threshold=1.0,
        appearance_limit=1.0 if appearance is None else appearance.reach,
        minimum_tissue_mm2=options.minimum_tissue_mm2,
        tumour_limit_mm2=options.tumour_limit_mm2,
        tumour_limit_share=options.tumour_limit_share,
        data={
            "summary": wording.data_summary(options, material),
            "sha256": material.data_sha256,
            "contents_sha256": material.contents_sha256,
            **_sources(options, material),
            **_others(material),
            "protocol": options.protocol,
            "fields": {
                "train": len(parts.train),
                "validation": len(parts.validation),
                "test": len(parts.test),
            },
            "leaking_groups": len(material.leaking),
            "commonest_class": _commonest(options, material),
            "figures": wording.figures_note(options, material),
            "test_groups": list(material.held_groups),
            "validation_groups": list(material.validation_groups),
            **({"leaking": list(material.leaking)} if material.leaking else {}),
        },
        command=command,
        seed=options.seed,
        recipe=recipe_of(options),
        metrics=(),
        reliability=(),
        facts=(("Accuracy", "not measured yet: the run that made this model was stopped"),),
        intended_use=options.intended_use or wording.INTENDED_USE,
        limits=wording.limits(options, material, words),
        files={},
    )


def _sources(options: TrainOptions, material: Material) -> dict[str, dict[str, str]]:
    """By which each of several sources is known when its folder comes alone."""
    if not options.sources:
        return {}
    names = (source.name for source in options.sources)
    return {"sources": dict(zip(names, material.source_contents, strict=True))}


def _others(material: Material) -> dict[str, dict[str, str]]:
    """By which the folders of counter-examples are known."""
    if not material.foreign:
        return {}
    return {"counter_examples": {part.name: part.sha256 for part in material.foreign}}


# Options that came later: cards that do not use them are what they were.
_LATER = (
    "exact",
    "modality",
    "window",
    "balance",
    "turn_degrees",
    "grey_share",
    "window_sigma",
    "head_fit",
    "features_of_fold",
    "final_fit",
)


def recipe_of(options: TrainOptions) -> dict[str, Any]:
    """The options without this machine's folders."""
    return _values_of(dataclasses.replace(options, start_from=Path(options.start_from).name))


def _values_of(record: Any) -> dict[str, Any]:
    """The fields of a record of options, its records as dicts; without later ones at default."""
    values = {}
    for item in dataclasses.fields(record):
        value = getattr(record, item.name)
        if item.name in _LATER and value == item.default:
            continue
        values[item.name] = _plain_value(value)
    return values


def _plain_value(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return _values_of(value)
    return tuple(map(_plain_value, value)) if isinstance(value, tuple) else value


def _commonest(options: TrainOptions, material: Material) -> float:
    """The share of the commonest class among the pictures that judge: naming it is no skill."""
    judged = material.split.test if len(material.split.test) and not options.folds else None
    labels = material.samples.labels if judged is None else material.samples.labels[judged]
    return float(np.bincount(labels).max() / len(labels))
