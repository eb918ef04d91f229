"""Run an evaluation or a comparison for the shell, and turn its end into an exit code."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from rich.console import Console

import lungscan
from lungscan.door import jobs
from lungscan.evaluation.events import FieldsJudged, Judging, JudgingStarted
from lungscan.evaluation.writing import Written, as_data
from lungscan_cli.border import INTERRUPTED, OK, SOME_FAILED
from lungscan_cli.console import answers, people, plain, say, write_json
from lungscan_cli.views.evaluation_tables import show_comparison, show_evaluation
from lungscan_cli.views.judging import QuietJudgingView, judging_view

Finished = jobs.EvaluateFinished | jobs.CompareFinished

_STOPPED = "Stopped; nothing was written."


def run_evaluation(order: jobs.EvaluateOptions, *, as_json: bool, quiet: bool) -> int:
    """Evaluate and return the exit code: 0 fine, 1 fields left out, 130 interrupted."""
    console = people()
    try:
        last = _follow(lungscan.evaluate(order), judging_view(console, quiet=quiet))
    except KeyboardInterrupt:
        say(console, _STOPPED)
        return INTERRUPTED
    if not isinstance(last, jobs.EvaluateFinished):
        raise TypeError("the evaluation ended without figures")
    found = last.evaluation
    if as_json:
        write_json(as_data(found))
    elif not quiet:
        show_evaluation(answers(), found)
    _say_files(console, last.written, order.out, quiet=quiet)
    return OK if all(answer.judged for answer in found.answers) else SOME_FAILED


def run_comparison(order: jobs.CompareOptions, *, as_json: bool, quiet: bool) -> int:
    """Compare and return the exit code, as ``run_evaluation``."""
    console = people()
    try:
        last = _follow(lungscan.compare(order), judging_view(console, quiet=quiet))
    except KeyboardInterrupt:
        say(console, _STOPPED)
        return INTERRUPTED
    if not isinstance(last, jobs.CompareFinished):
        raise TypeError("the comparison ended without figures")
    found = last.comparison
    if as_json:
        write_json(as_data(found))
    elif not quiet:
        show_comparison(answers(), found)
    _say_files(console, last.written, order.out, quiet=quiet)
    return SOME_FAILED if found.skipped else OK


def _follow(
    events: Generator[Judging | Finished, None, None], view: QuietJudgingView
) -> Finished | None:
    """Draw each event; returns the last one. Leaving early closes the run."""
    found: Finished | None = None
    with closing(events), view:
        for event in events:
            match event:
                case JudgingStarted():
                    view.started(event)
                case FieldsJudged():
                    view.judged(event)
                case _:
                    found = event
    return found


def _say_files(console: Console, written: Written | None, out: Path | None, *, quiet: bool) -> None:
    if quiet or written is None:
        return
    if written.note:
        say(console, written.note, style="yellow")
    say(console, f"In {plain(str(out))}: {', '.join(written.files)}")
