"""Run ``lungscan data audit`` and ``lungscan data split`` for the shell."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import TypeVar

from rich.console import Console

import lungscan
from lungscan import RESEARCH_USE
from lungscan.dataset.listing import Listing
from lungscan.dataset.similar import SearchProgress
from lungscan.door import jobs
from lungscan_cli.border import OK, SOME_FAILED
from lungscan_cli.console import count, people, plain, quoted, say, write_json
from lungscan_cli.views.data import (
    audit_as_data,
    search_view_for,
    show_audit,
    show_skipped,
    show_split,
)

Finished = TypeVar("Finished", jobs.AuditFinished, jobs.SplitFinished)


def run_audit(options: jobs.AuditOptions, *, as_json: bool) -> int:
    """Audit a folder and return the exit code: 1 when pictures are broken."""
    console = people()
    say(console, f"Reading the pictures of {plain(str(options.folder))} ...", style="dim")
    found = _follow(lungscan.audit(options), jobs.AuditFinished, console).audit
    if as_json:
        write_json(audit_as_data(found))
    else:
        show_audit(console, found)
    if options.report is not None:
        say(console, f"The report lies in {plain(str(options.report))}.")
    say(console, RESEARCH_USE, style="bold")
    return _exit_code(found.listing)


def run_split(options: jobs.SplitOptions) -> int:
    """Write a split file and return the exit code: 1 when pictures are broken."""
    console = people()
    say(console, f"Reading the pictures of {plain(str(options.folder))} ...", style="dim")
    done = _follow(lungscan.split(options), jobs.SplitFinished, console)
    show_skipped(console, done.listing)
    show_split(console, done.rows)
    if done.leaking:
        say(
            console,
            f"This split leaks: {count(done.leaking, 'group')}, or files of them, stand in more "
            "than one part, so figures measured on it say little about new tissue.",
            style="yellow",
        )
    out = plain(str(options.out))
    found = "found" if done.listing.groups is None else "given"
    say(console, f"Wrote {out}, by groups that were {found}.")
    say(console, f"Train on it with `--split {quoted(out)}`.")
    return _exit_code(done.listing)


def _exit_code(listing: Listing) -> int:
    return SOME_FAILED if any(item.broken for item in listing.skipped) else OK


def _follow(
    events: Generator[
        SearchProgress | jobs.SearchNeeded | jobs.AuditFinished | jobs.SplitFinished, None, None
    ],
    last: type[Finished],
    console: Console,
) -> Finished:
    """Draw how far a search is, and return the last event."""
    with closing(events), search_view_for(console) as view:
        for event in events:
            if isinstance(event, last):
                return event
            if isinstance(event, SearchProgress):
                view.progress(event)
            elif isinstance(event, jobs.SearchNeeded):
                say(console, "No groups are given: looking for pictures of the same tissue.")
    raise RuntimeError("the job ended without saying so")
