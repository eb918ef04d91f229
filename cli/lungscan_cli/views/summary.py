"""What is shown when a run has ended: a table and sentences for people, one object for programs."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lungscan import RESEARCH_USE, __version__
from lungscan.events import RunFinished, RunStarted
from lungscan.layout import CASES, REPORT, case_folder
from lungscan.report.quantities import probability
from lungscan.report.records import in_no_table
from lungscan.types import CaseStatus, NoResult
from lungscan_cli.border import OK, SOME_FAILED
from lungscan_cli.console import count, duration, plain, say
from lungscan_cli.views.run import FEW_CASES
from lungscan_cli.views.watch import CaseLine, Outcome

FIRST_FEW = 5
REPORTS = ", with its report and all details"
NO_REPORTS = "; `--pdf cases` adds a report to each"
FILES = (
    ("cases.csv", "one row per case, failures included"),
    ("summary.pdf", "the batch at a glance"),
    (CASES, "one folder per case"),
    ("run.json", "settings, versions, times"),
)
ANSWERED = (CaseStatus.OK, CaseStatus.PARTIAL, CaseStatus.NO_RESULT)
STRANGE = (NoResult.NOT_LUNG, NoResult.OTHER_STAIN)
SCALE_FIRST = (
    "The scale is unknown, which may be the only reason: give it first (--mpp; usual: 0.25 for a "
    "40x objective, 0.5 for 20x). "
)
STYLES = {
    CaseStatus.NO_RESULT: "yellow",
    CaseStatus.PARTIAL: "yellow",
    CaseStatus.FAILED: "red",
    CaseStatus.SKIPPED: "dim",
}


def exit_code(finished: RunFinished) -> int:
    """0 when every case was read whole, 1 when one failed or was partly unreadable."""
    return SOME_FAILED if finished.failed or finished.partial else OK


def show_summary(console: Console, outcome: Outcome, finished: RunFinished) -> None:
    """Print the answers, what failed and why, and where the files are."""
    tiles = f", {count(finished.tiles, outcome.tile)}" if finished.tiles else ""
    earlier = f", {count(outcome.resumed, 'case')} by an earlier run" if outcome.resumed else ""
    say(console, f"Finished{tiles} in {duration(finished.seconds)}{earlier}.", style="bold")
    few = 0 < len(outcome.lines) <= FEW_CASES
    console.print(_case_table(outcome.lines) if few else _count_table(outcome, finished))
    show_failures(console, outcome)
    _show_way_out(console, outcome)
    _show_files(console, outcome, finished.out)
    say(console, RESEARCH_USE, style="bold")


def show_failures(console: Console, outcome: Outcome) -> None:
    """Print the first few cases that failed or are partial, each with its reason and cure."""
    bad = outcome.with_status(CaseStatus.FAILED, CaseStatus.PARTIAL)
    if not bad:
        return
    say(console, f"{count(len(bad), 'case')} could not be read in full:", style="red")
    for line in bad[:FIRST_FEW]:
        say(console, f"  {plain(line.case_id)}: {plain(line.error_message) or line.answer}")
    if len(bad) > FIRST_FEW:
        say(console, f"  and {len(bad) - FIRST_FEW:,} more, see error_message in cases.csv")
    console.print()


def _show_way_out(console: Console, outcome: Outcome) -> None:
    """Where most of the tissue is new to the model: what whoever knows it is lung can do."""
    strange = [line for line in outcome.lines if line.reason in STRANGE]
    if not strange or 2 * len(strange) < len(outcome.lines):
        return
    unscaled = 2 * sum("scale_unknown" in line.flags for line in strange) > len(strange)
    say(
        console,
        f"Tissue or a stain that the model does not know: {len(strange):,} of "
        f"{count(len(outcome.lines), 'case')}. {SCALE_FIRST if unscaled else ''}If it is your own "
        "lung, adapt the model to it: `lungscan adapt --help`.",
        style="yellow",
    )
    console.print()


def as_data(outcome: Outcome, started: RunStarted, finished: RunFinished) -> dict[str, Any]:
    """Return the run as plain data for ``--json``."""
    statuses = ("ok", "no_result", "partial", "failed", "skipped")
    return {
        "schema_version": 1,
        "lungscan_version": __version__,
        "out": str(finished.out),
        "model": started.model,
        "device": started.device,
        "seconds": round(finished.seconds, 3),
        "tiles": finished.tiles,
        "counts": {status: getattr(finished, status) for status in statuses},
        "exit_code": exit_code(finished),
        "cases": [_case_data(line) for line in outcome.lines],
    }


def _case_data(line: CaseLine) -> dict[str, Any]:
    return {
        "key": line.key,
        "case_id": line.case_id,
        "status": line.status.value,
        "label": line.label,
        "confidence": _number(line.confidence),
        "probabilities": {name: _number(p) for name, p in line.probabilities.items()},
        "reason": line.reason,
        "flags": list(line.flags),
        "seconds": round(line.seconds, 3),
        "error_code": line.error_code,
        "error_message": line.error_message,
    }


def _number(value: float | None) -> float | None:
    """Round to what is meaningful; JSON has no NaN, and knows no numbers of numpy's."""
    return None if value is None or not math.isfinite(value) else round(float(value), 6)


def _case_table(lines: list[CaseLine]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=True)
    table.add_column("Case", overflow="fold")
    table.add_column("Model output")
    table.add_column("Confidence", justify="right")
    for line in lines:
        sure = "" if line.label is None else probability(line.confidence)
        style = STYLES.get(line.status, "")
        table.add_row(Text(plain(line.case_id)), Text(line.answer, style=style), sure)
    return table


def _count_table(outcome: Outcome, finished: RunFinished) -> Table:
    counts = Counter((line.status, line.answer) for line in outcome.lines)
    listed = sum(1 for line in outcome.lines if line.status is CaseStatus.SKIPPED)
    if finished.skipped > listed:
        counts[CaseStatus.SKIPPED, "Skipped"] += finished.skipped - listed
    order = list(CaseStatus)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=True)
    table.add_column("Model output")
    table.add_column("Cases", justify="right")
    for (status, answer), number in sorted(
        counts.items(), key=lambda item: (order.index(item[0][0]), -item[1], item[0][1])
    ):
        table.add_row(Text(answer, style=STYLES.get(status, "")), f"{number:,}")
    return table


def _show_files(console: Console, outcome: Outcome, out: Path) -> None:
    written = [(name, what) for name, what in FILES if (out / name).exists()]
    if not written:
        return
    say(console, f"In {plain(str(out))}:")
    for name, what in written:
        shown = f"{name}/" if (out / name).is_dir() else name
        more = _reports(outcome, out) if name == CASES else ""
        say(console, f"  {shown:<12} {what}{more}")
    others = in_no_table(out)
    if others and others.isdisjoint(line.key for line in outcome.lines):  # else shards are at work
        say(
            console,
            "Left out of the tables, because they are of earlier runs: "
            f"{count(len(others), 'case')}. Give each run a folder of its own (--out).",
            style="yellow",
        )
    console.print()


def _reports(outcome: Outcome, out: Path) -> str:
    """Whether there are reports in the cases' folders; "" where no case could have one."""
    answered = [line.key for line in outcome.lines if line.status in ANSWERED]
    if any((case_folder(out, key) / REPORT).exists() for key in answered):
        return REPORTS
    return NO_REPORTS if answered else ""
