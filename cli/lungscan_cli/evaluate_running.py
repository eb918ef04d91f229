"""Run an evaluation or a comparison for the shell, and turn its end into an exit code."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from rich.console import Console

from lungscan.evaluation.comparing import comparison
from lungscan.evaluation.evaluate import evaluation
from lungscan.evaluation.events import (
    ComparisonEvent,
    ComparisonFinished,
    EvaluationEvent,
    EvaluationFinished,
    FieldsJudged,
    JudgingStarted,
)
from lungscan.evaluation.options import DataOptions, JudgeOptions
from lungscan.evaluation.records import Comparison, Evaluation
from lungscan.evaluation.writing import Written, as_data, write_comparison, write_evaluation
from lungscan_cli.border import INTERRUPTED, OK, SOME_FAILED
from lungscan_cli.console import answers, people, plain, say, write_json
from lungscan_cli.evaluate_tables import show_comparison, show_evaluation
from lungscan_cli.evaluate_views import QuietJudgingView, judging_view

_STOPPED = "Stopped; nothing was written."


def run_evaluation(
    model: str, data: DataOptions, options: JudgeOptions, out: Path, *, as_json: bool, quiet: bool
) -> int:
    """Evaluate and return the exit code: 0 fine, 1 fields left out, 130 interrupted."""
    console = people()
    try:
        events = evaluation(model, data, options)
        found = _follow(events, judging_view(console, quiet=quiet))
    except KeyboardInterrupt:
        say(console, _STOPPED)
        return INTERRUPTED
    if not isinstance(found, Evaluation):
        raise TypeError("the evaluation ended without figures")
    written = write_evaluation(found, out, data.data)
    if as_json:
        write_json(as_data(found))
    elif not quiet:
        show_evaluation(answers(), found)
    _tell_files(console, written, out, quiet=quiet)
    return OK if all(answer.judged for answer in found.answers) else SOME_FAILED


def run_comparison(
    models: tuple[str, str],
    data: DataOptions,
    options: JudgeOptions,
    out: Path | None,
    *,
    as_json: bool,
    quiet: bool,
) -> int:
    """Compare and return the exit code, as ``run_evaluation``."""
    console = people()
    try:
        events = comparison(*models, data, options)
        found = _follow(events, judging_view(console, quiet=quiet))
    except KeyboardInterrupt:
        say(console, _STOPPED)
        return INTERRUPTED
    if not isinstance(found, Comparison):
        raise TypeError("the comparison ended without figures")
    if as_json:
        write_json(as_data(found))
    elif not quiet:
        show_comparison(answers(), found)
    if out is not None:
        _tell_files(console, write_comparison(found, out), out, quiet=quiet)
    return SOME_FAILED if found.skipped else OK


def _follow(
    events: Generator[EvaluationEvent | ComparisonEvent, None, None], view: QuietJudgingView
) -> Evaluation | Comparison | None:
    """Draw each event; returns what the last one holds. Leaving early closes the run."""
    found: Evaluation | Comparison | None = None
    with closing(events), view:
        for event in events:
            match event:
                case JudgingStarted():
                    view.started(event)
                case FieldsJudged():
                    view.judged(event)
                case EvaluationFinished():
                    found = event.evaluation
                case ComparisonFinished():
                    found = event.comparison
    return found


def _tell_files(console: Console, written: Written, out: Path, *, quiet: bool) -> None:
    if quiet:
        return
    if written.note:
        say(console, written.note, style="yellow")
    say(console, f"In {plain(str(out))}: {', '.join(written.files)}")
