"""Run ``lungscan reviews`` for the shell: the table on the disk, agreement on the screen."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

import lungscan
from lungscan import RESEARCH_USE
from lungscan.door import jobs
from lungscan.layout import REVIEWS
from lungscan.model.shares import percent
from lungscan.review.agreement import Agreement
from lungscan.review.reviews_table import Reviews
from lungscan_cli.border import OK, SOME_FAILED
from lungscan_cli.console import answers, count, people, plain, say, write_json

NO_GROUPS = (
    "No table says which cases are of one patient, so each image counts by itself and the interval "
    "may be too narrow. Give one with --groups."
)
SOME_GROUPS = "Only {} of {} judged cases have a group by the table."
WHAT_IT_IS = "Reviewers saw the model's answer before they gave theirs; agreement is not accuracy."


def run_reviews(
    root: Path, groups: Path | None, out: Path | None, *, as_json: bool, quiet: bool
) -> int:
    """Write the table, tell the figures, and return the exit code."""
    (done,) = lungscan.reviews(jobs.ReviewsOptions(root, groups, out or root / REVIEWS))
    reviews, path = done.reviews, done.table
    console = people()
    if as_json:
        write_json(_as_data(reviews, path))
    elif not quiet:
        for one in reviews.agreements:
            answers().print(_table(one))
        for note in _notes(reviews):
            say(console, note, style="yellow")
        say(console, f"{count(len(reviews.cases), 'review')} in {plain(str(path))}.")
        say(console, RESEARCH_USE, style="bold")
    return SOME_FAILED if reviews.damaged else OK


def _table(one: Agreement) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=plain(one.model), title_justify="left")
    table.add_column("Answer")
    for head in ("Agree", "Judged", "Agreement", "95 % interval"):
        table.add_column(head, justify="right", no_wrap=True)
    share = one.share
    if share is not None and share.low is not None and share.high is not None:
        table.add_row(
            f"All answers, {count(share.groups, 'group')}", str(one.agree), str(share.n),
            percent(share.value), f"{percent(share.low)} to {percent(share.high)}",
        )  # fmt: skip
    for part in one.classes:
        if part.judged:
            name = plain(part.display_name)
            table.add_row(
                name, str(part.agree), str(part.judged), percent(part.agree / part.judged)
            )
    if one.refusals:
        table.add_row("No result", str(one.refusals_agree), str(one.refusals))
    if one.not_assessable:
        table.add_row("Not assessable", "", str(one.not_assessable))
    if one.undecided:
        table.add_row("Undecided", "", str(one.undecided))
    return table


def _notes(reviews: Reviews) -> list[str]:
    judged = sum(one.agree + one.disagree for one in reviews.agreements)
    grouped = sum(one.grouped for one in reviews.agreements)
    notes = [WHAT_IT_IS] if judged else []
    if judged and not grouped:
        notes.append(NO_GROUPS)
    elif grouped < judged:
        notes.append(SOME_GROUPS.format(grouped, judged))
    return [*notes, *(plain(text) for text in (*reviews.outdated, *reviews.damaged))]


def _as_data(reviews: Reviews, path: Path | None) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "table": str(path),
        "reviews": len(reviews.cases),
        "agreement": [asdict(one) for one in reviews.agreements],
        "notes": _notes(reviews),
        "damaged": len(reviews.damaged),
        "outdated": len(reviews.outdated),
    }
