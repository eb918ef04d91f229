"""``evaluation.md``: the figures as a section that fits a model card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lungscan.evaluation import wording
from lungscan.evaluation.records import Change, Comparison, Evaluation
from lungscan.model.card import Metric
from lungscan.results.markdown_table import plain, table


def section(evaluation: Evaluation, pictures: Sequence[str]) -> str:
    """The section; ``pictures`` are the names of the PNG files that lie beside it."""
    model = evaluation.model
    parts = [
        f"## Evaluation of {plain(model.name)} {plain(model.version)}",
        f"**{evaluation.use}**",
        *(f"> **{plain(text)}**" for text in evaluation.warnings),
        f"{plain(wording.protocol_line(evaluation.data))}. Model SHA-256 `{model.sha256[:12]}`, "
        f"{plain(evaluation.device)}, LungScan {evaluation.lungscan_version}, "
        f"{evaluation.finished_utc[:10]}. " + plain(" ".join(evaluation.notes)),
        _table(
            ("figure", "value (95 % interval)", "meaning"),
            (
                (metric.name, wording.with_interval(metric), metric.note)
                for metric in evaluation.metrics
            ),
        ),
        "### Classes\n\nForced choice, one class against the rest.",
        _classes(evaluation),
        "### Confusion\n\nRows are true classes; columns are what the model answers.",
        _confusion(evaluation),
    ]
    if evaluation.robustness:
        parts += ["### Robustness\n\n" + _ROBUSTNESS, _robustness(evaluation)]
    parts += [f"![{_ALT[name]}]({name})" for name in pictures if name in _ALT]
    return "\n\n".join(parts) + "\n"


def comparison_section(comparison: Comparison) -> str:
    """What a comparison found, with every changed answer."""
    a, b = comparison.model_a, comparison.model_b
    names = (f"{plain(model.name)} {plain(model.version)}" for model in (a, b))
    head = plain(wording.protocol_line(comparison.data))
    figures = (
        _pair("accuracy, forced choice", comparison.accuracy_a, comparison.accuracy_b),
        _pair("answered", comparison.answered_a, comparison.answered_b),
    )
    counts = (
        ("A right", f"{comparison.both_right:,}", f"{comparison.only_a_right:,}"),
        ("A wrong", f"{comparison.only_b_right:,}", f"{comparison.both_wrong:,}"),
    )
    parts = [
        "## {} (A) against {} (B)".format(*names),
        f"**{comparison.use}**",
        *(f"> **{plain(text)}**" for text in comparison.warnings),
        f"{head}. {plain(' '.join(comparison.notes))}",
        _table(("figure", "A", "B"), figures),
        f"B minus A: {wording.points(comparison.difference)} points (95 % interval over groups).",
        _table(("forced choice", "B right", "B wrong"), counts),
        comparison.verdict,
        f"### Changed answers ({len(comparison.changes):,})",
        _table(("field", "true", "A", "B"), map(_change, comparison.changes)),
    ]
    return "\n\n".join(parts) + "\n"


_ROBUSTNESS = (
    "Each field changed in one way: stain strength in optical density, Gaussian blur and JPEG on "
    "the field as it is stored, tissue shown larger (+) or smaller (−) in a picture of the same "
    "size, brightness. Drop is accuracy as it is minus accuracy changed, in points, paired."
)
_ALT = {
    "confusion.png": "Confusion of true class and model output",
    "roc.png": "ROC curves, one class against the rest",
    "reliability.png": "Reliability diagram",
    "coverage.png": "Accuracy against the share of fields answered",
    "robustness.png": "Accuracy of changed fields",
    "errors.png": "Fields that the model gets wrong",
}


def _classes(evaluation: Evaluation) -> str:
    rows = [
        (
            found.display_name,
            *map(wording.with_interval, (found.precision, found.recall, found.f1, found.auc)),
            f"{found.support:,}",
        )
        for found in evaluation.classes
    ]
    return _table(("class", "precision", "recall", "F1", "AUC", "fields"), rows)


def _confusion(evaluation: Evaluation) -> str:
    names = evaluation.model.display_names
    counts = evaluation.confusion
    rows = [
        (
            name,
            *(f"{number:,}" for number in counts.forced[i]),
            *(f"{number:,}" for number in counts.answered[i]),
        )
        for i, name in enumerate(names)
    ]
    header = ("true class", *(f"{n}, forced" for n in names), *names, "no result")
    return _table(header, rows)


def _robustness(evaluation: Evaluation) -> str:
    clean = [wording.with_interval(metric) for metric in evaluation.metrics[:3]]
    rows = [("as it is", *clean, "")]
    for shift in evaluation.robustness:
        values = map(
            wording.with_interval, (shift.accuracy, shift.answered, shift.accuracy_answered)
        )
        rows.append((f"{shift.kind} {shift.amount}", *values, wording.points(shift.drop)))
    return _table(
        ("change", "accuracy", "answered", "accuracy of the answered", "drop, points"), rows
    )


def _pair(name: str, first: Metric, second: Metric) -> tuple[str, str, str]:
    return name, wording.with_interval(first), wording.with_interval(second)


def _change(change: Change) -> tuple[str, str, str, str]:
    a = change.answer_a or f"no result ({change.forced_a})"
    b = change.answer_b or f"no result ({change.forced_b})"
    sure_a, sure_b = f"{change.confidence_a:.2f}", f"{change.confidence_b:.2f}"
    return change.file, change.label, f"{a} {sure_a}", f"{b} {sure_b}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first to the right."""
    return table(header, (tuple(map(plain, row)) for row in rows), header[1:])
