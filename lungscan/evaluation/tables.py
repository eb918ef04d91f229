"""Tables for programs: ``metrics.csv``, ``predictions.csv``, ``robustness.csv``, ``changes.csv``.

Every row ends with the protocol and what the figures may be used for, so that a single row that
was copied elsewhere still says it. Columns never change their meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lungscan import RESEARCH_USE
from lungscan.evaluation.records import (
    Change,
    Comparison,
    DataNote,
    Evaluation,
    FieldAnswer,
    Protocol,
)
from lungscan.evaluation.wording import LEAKING
from lungscan.model.card import Metric
from lungscan.results.csv_table import number_cell, text_cell, write_csv

_FIGURE = ("value", "low", "high", "fields", "groups", "note")
_LAST = ("protocol", "seen", "use")


def write_metrics(path: Path, evaluation: Evaluation) -> None:
    """One figure per row; ``class`` is empty for those over all classes."""
    tail = _tail(evaluation.data)
    header = ("figure", "class", *_FIGURE, "support", *_LAST)
    write_csv(path, header, ([*cells, *tail] for cells in _metric_cells(evaluation)))


def write_predictions(path: Path, evaluation: Evaluation) -> None:
    """One field per row, those that could not be read included."""
    names = evaluation.model.class_names
    probs = tuple(f"prob_{name}" for name in names)
    header = (
        *("file", "label", "group", "status", "answer", "forced_answer", "confidence"),
        *probs,
        *("right", "reason", *_LAST),
    )
    tail = _tail(evaluation.data)
    rows = ([*_answer_cells(answer, names), *tail] for answer in evaluation.answers)
    write_csv(path, header, rows)


def write_robustness(path: Path, evaluation: Evaluation) -> None:
    """One figure of one change per row."""
    tail = _tail(evaluation.data)
    header = ("change", "amount", "figure", *_FIGURE, *_LAST)
    write_csv(
        path,
        header,
        (
            [shift.kind, text_cell(shift.amount), *_cells(metric), *tail]
            for shift in evaluation.robustness
            for metric in (shift.accuracy, shift.answered, shift.accuracy_answered, shift.drop)
        ),
    )


def write_changes(path: Path, comparison: Comparison) -> None:
    """One field per row that the two models answer differently."""
    names_a, names_b = comparison.model_a.class_names, comparison.model_b.class_names
    header = (
        *("file", "label", "group"),
        *("answer_a", "forced_a", "confidence_a", *(f"prob_a_{name}" for name in names_a)),
        *("answer_b", "forced_b", "confidence_b", *(f"prob_b_{name}" for name in names_b)),
        *_LAST,
    )
    tail = _tail(comparison.data)
    write_csv(path, header, ([*_change_cells(change), *tail] for change in comparison.changes))


def _metric_cells(evaluation: Evaluation) -> Iterator[list[str]]:
    for metric in evaluation.metrics:
        yield [metric.name, "", *_cells(metric)[1:], ""]
    for figures in evaluation.classes:
        each = zip(
            ("precision", "recall", "F1", "AUC"),
            (figures.precision, figures.recall, figures.f1, figures.auc),
            strict=True,
        )
        for name, metric in each:
            yield [name, text_cell(figures.name), *_cells(metric)[1:], str(figures.support)]


def _cells(metric: Metric) -> list[str]:
    """Name, value, interval, size and note of one figure."""
    numbers = [number_cell(value, 6) for value in (metric.value, metric.low, metric.high)]
    return [metric.name, *numbers, str(metric.n), str(metric.groups), metric.note]


def _answer_cells(answer: FieldAnswer, names: Sequence[str]) -> list[str]:
    probs: Iterable[float | None] = answer.probs or (None,) * len(names)
    right = str(int(answer.forced == answer.label)) if answer.judged else ""
    return [
        text_cell(answer.file),
        text_cell(answer.label),
        text_cell(answer.group),
        answer.status.value,
        text_cell(answer.answer or ""),
        text_cell(answer.forced or ""),
        number_cell(answer.confidence, 6),
        *(number_cell(p, 6) for p in probs),
        right,
        text_cell(answer.reason),
    ]


def _change_cells(change: Change) -> list[str]:
    return [
        *map(text_cell, (change.file, change.label, change.group)),
        *map(text_cell, (change.answer_a, change.forced_a)),
        *(number_cell(p, 6) for p in (change.confidence_a, *change.probs_a)),
        *map(text_cell, (change.answer_b, change.forced_b)),
        *(number_cell(p, 6) for p in (change.confidence_b, *change.probs_b)),
    ]


def _tail(data: DataNote) -> list[str]:
    protocol = LEAKING if data.protocol is Protocol.LEAKING else data.protocol.value
    return [protocol, data.seen.value, RESEARCH_USE]
