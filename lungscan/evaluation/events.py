"""What a running evaluation tells whoever listens: a closed union of frozen records."""

from __future__ import annotations

from dataclasses import dataclass

from lungscan.evaluation.records import Comparison, Evaluation


@dataclass(frozen=True, slots=True)
class JudgingStarted:
    """A round over all fields begins; ``round`` counts from 1."""

    title: str  # "fields as they are", "blur, 2 px", or a model's name
    fields: int
    round: int
    rounds: int


@dataclass(frozen=True, slots=True)
class FieldsJudged:
    """``done`` of the round's fields are judged."""

    done: int


@dataclass(frozen=True, slots=True)
class EvaluationFinished:
    """All figures are known."""

    evaluation: Evaluation


@dataclass(frozen=True, slots=True)
class ComparisonFinished:
    """Both models are judged."""

    comparison: Comparison


Judging = JudgingStarted | FieldsJudged
EvaluationEvent = JudgingStarted | FieldsJudged | EvaluationFinished
ComparisonEvent = JudgingStarted | FieldsJudged | ComparisonFinished
