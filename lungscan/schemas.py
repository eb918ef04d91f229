"""The files for other programs that have a JSON Schema, and the records that they are drawn from.

A schema cannot fall behind its file: the record that is written is the one that is described.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from lungscan.layout import GEOJSON, RECORD, REVIEW, RUN

CARD = "card.json"  # a model's
EVALUATION, COMPARISON = "evaluation.json", "comparison.json"
TRAINING, CURVES = "training/run.json", "training/curves.json"  # below a training run's folder
FILES = (RECORD, RUN, GEOJSON, REVIEW, EVALUATION, COMPARISON, CARD, TRAINING, CURVES)


def schema_of(file: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one of ``FILES``. Raises KeyError for any other."""
    from lungscan.results.json_schema import drawn_schema, geojson_schema

    if file == GEOJSON:
        return geojson_schema()
    if file == CARD:
        from lungscan.model.card import NOT_IN_THE_FILE, ModelCard

        later = [f.name for f in dataclasses.fields(ModelCard) if not _needed(f)]
        return drawn_schema(file, ModelCard, NOT_IN_THE_FILE, later)
    return drawn_schema(file, _records()[file])


def _records() -> dict[str, Any]:
    from lungscan.evaluation.records import Comparison, Evaluation
    from lungscan.results.review_json import Review
    from lungscan.results.run_json import RunSummary
    from lungscan.training.kept import Curves, TrainingRun
    from lungscan.types import CaseResult

    return {
        RECORD: CaseResult,
        RUN: RunSummary,
        REVIEW: Review,
        EVALUATION: Evaluation,
        COMPARISON: Comparison,
        TRAINING: TrainingRun,
        CURVES: Curves,
    }


def _needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
