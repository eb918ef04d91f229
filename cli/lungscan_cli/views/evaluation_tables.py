"""What an evaluation or a comparison came to, for people: tables on stdout."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lungscan.evaluation import wording
from lungscan.evaluation.records import Change, Comparison, Evaluation
from lungscan.model.card import Metric
from lungscan.types import ModelStamp
from lungscan_cli.console import count, plain, say


def show_evaluation(console: Console, evaluation: Evaluation) -> None:
    """Print warnings, the figures, those of each class, the confusion, and changed fields."""
    model = evaluation.model
    say(console, plain(f"{model.name} {model.version} on {_line(evaluation)}"), style="bold")
    _show_warnings(console, evaluation.warnings)
    console.print(_figure_table(evaluation))
    console.print(_class_table(evaluation))
    console.print(_confusion_table(evaluation))
    if evaluation.robustness:
        console.print(_shift_table(evaluation))
    for note in evaluation.notes:
        say(console, plain(note), style="dim")
    say(console, evaluation.use, style="bold")


def show_comparison(console: Console, comparison: Comparison) -> None:
    """Print every changed answer, the table of right and wrong, and what to believe."""
    a, b = comparison.model_a, comparison.model_b
    text = f"A: {a.name} {a.version}, B: {b.name} {b.version}, on "
    say(console, plain(text + wording.protocol_line(comparison.data)), style="bold")
    _show_warnings(console, comparison.warnings)
    if comparison.changes:
        console.print(_change_table(comparison))
    else:
        say(console, "No answer changes.")
    console.print(_pair_table(comparison))
    console.print(_right_table(comparison))
    say(console, plain(comparison.verdict), style="bold")
    for note in comparison.notes:
        say(console, plain(note), style="dim")
    say(console, comparison.use, style="bold")


def _line(evaluation: Evaluation) -> str:
    return wording.protocol_line(evaluation.data)


def _show_warnings(console: Console, warnings: tuple[str, ...]) -> None:
    for text in warnings:
        say(console, plain(text), style="bold red" if text.isupper() or _loud(text) else "yellow")


def _loud(text: str) -> bool:
    return text.split(":", maxsplit=1)[0].isupper()


def _table(*headings: str, names: Sequence[str] = ()) -> Table:
    """A table whose columns but the first stand to the right; no word of ``names`` is broken."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left", overflow="fold")
    words = [word for name in names for word in name.split(" ")]
    table.columns[0].min_width = max(map(len, words), default=None)
    return table


def _figure_table(evaluation: Evaluation) -> Table:
    table = _table("Figure", "Value (95 % interval)")
    table.add_column("Meaning", style="dim")
    for metric in evaluation.metrics:
        table.add_row(metric.name, wording.with_interval(metric), metric.note)
    return table


def _class_table(evaluation: Evaluation) -> Table:
    table = _table(
        "Class", "Precision", "Recall", "F1", "AUC", "Fields", names=evaluation.model.display_names
    )
    for found in evaluation.classes:
        figures = (found.precision, found.recall, found.f1, found.auc)
        table.add_row(
            Text(plain(found.display_name)),
            *map(_two_lines, figures),
            f"{found.support:,}",
        )
    return table


def _two_lines(metric: Metric) -> str:
    """The figure above its interval, so that a row fits 80 columns."""
    value, _, rest = wording.with_interval(metric).partition(" (")
    return f"{value}\n{rest.rstrip(')').replace(' to ', '–')}"


def _confusion_table(evaluation: Evaluation) -> Table:
    names = [plain(name) for name in evaluation.model.display_names]
    table = _table("True class, as answered", *names, "No result")
    for name, counts in zip(names, evaluation.confusion.answered, strict=True):
        table.add_row(Text(name), *(f"{number:,}" for number in counts))
    return table


def _shift_table(evaluation: Evaluation) -> Table:
    shifts = [
        (f"{shift.kind} {shift.amount}".replace(" ", "\xa0"), shift)
        for shift in evaluation.robustness
    ]
    table = _table(
        "Change",
        "Accuracy, %",
        "Answered, %",
        "Right of these, %",
        "Drop",
        names=[name for name, _ in shifts],
    )
    table.add_row("as it is", *map(_one_line, evaluation.metrics[:3]), "")
    for name, shift in shifts:
        figures = (shift.accuracy, shift.answered, shift.accuracy_answered)
        table.add_row(
            name,
            *map(_one_line, figures),
            wording.points(shift.drop).split(" ")[0],
        )
    return table


def _one_line(metric: Metric) -> str:
    """``93.3 88.5–97.3``, in per cent."""
    value, _, rest = wording.with_interval(metric).partition(" (")
    return f"{value.removesuffix(' %')} {rest.rstrip(')').replace(' to ', '–')}"


def _change_table(comparison: Comparison) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("Field", "True", "A", "B"):
        table.add_column(heading, overflow="fold")
    for change in comparison.changes:
        a, b = _sides(change)
        table.add_row(Text(plain(change.file)), Text(plain(change.label)), a, b)
    text = count(len(comparison.changes), "answer")
    orders = dict.fromkeys(_order(model) for model in (comparison.model_a, comparison.model_b))
    table.caption = (
        f"{text} of {count(comparison.data.fields, 'field')} changed. "
        f"Probabilities of {' and of '.join(orders)}."
    )
    table.caption_justify = "left"
    return table


def _order(model: ModelStamp) -> str:
    return ", ".join(map(plain, model.class_names))


def _sides(change: Change) -> tuple[Text, Text]:
    return (
        _answer_text(change.answer_a, change.forced_a, change.probs_a, change.label),
        _answer_text(change.answer_b, change.forced_b, change.probs_b, change.label),
    )


def _answer_text(answer: str, forced: str, probs: tuple[float, ...], label: str) -> Text:
    """The answer with the probability of each class in the model's order; red when wrong."""
    each = " ".join(f"{p:.2f}" for p in probs)
    word = answer or f"no result ({forced or 'nothing to score'})"
    wrong = "wrong: " if answer and answer != label else ""
    text = Text(plain(f"{wrong}{word}"), style="red" if wrong else "")
    return text.append(f"\n{plain(each)}", style="dim")


def _pair_table(comparison: Comparison) -> Table:
    table = _table("Figure", "A", "B", "B minus A, points")
    table.add_row(
        "accuracy, forced choice",
        wording.with_interval(comparison.accuracy_a),
        wording.with_interval(comparison.accuracy_b),
        wording.points(comparison.difference),
    )
    table.add_row(
        "answered",
        wording.with_interval(comparison.answered_a),
        wording.with_interval(comparison.answered_b),
        "",
    )
    return table


def _right_table(comparison: Comparison) -> Table:
    table = _table("Forced choice", "B right", "B wrong")
    table.add_row("A right", f"{comparison.both_right:,}", f"{comparison.only_a_right:,}")
    table.add_row("A wrong", f"{comparison.only_b_right:,}", f"{comparison.both_wrong:,}")
    return table
