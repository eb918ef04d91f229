"""Run ``lungscan data audit`` and ``lungscan data split`` for the shell."""

from __future__ import annotations

import shlex
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from lungscan import RESEARCH_USE
from lungscan.dataset.audit import audit
from lungscan.dataset.listing import Listing, read_listing
from lungscan.dataset.similar import SearchProgress, search
from lungscan.dataset.splits import (
    leaks,
    split_at_random,
    split_by_group,
    split_rows,
    write_split,
)
from lungscan.errors import UsageProblem
from lungscan_cli.border import OK, SOME_FAILED
from lungscan_cli.console import count, people, plain, say, write_json
from lungscan_cli.data_views import (
    audit_as_data,
    search_view_for,
    show_audit,
    show_skipped,
    show_split,
)

Result = TypeVar("Result")
REPORTS = (".html", ".htm", ".pdf")


def run_audit(folder: Path, groups: Path | None, out: Path | None, *, as_json: bool) -> int:
    """Audit a folder and return the exit code: 1 when pictures are broken."""
    if out is not None and out.suffix.lower() not in REPORTS:
        raise UsageProblem(f"--out {plain(out.name)} is neither FILE.html nor FILE.pdf.")
    console = people()
    say(console, f"Reading the pictures of {plain(str(folder))} ...", style="dim")
    listing = read_listing(folder, groups)
    found = _follow(audit(listing), console)
    if out is not None and out.suffix.lower() == ".pdf":
        from lungscan.dataset.audit_pdf import write_audit_pdf

        write_audit_pdf(out, found)
    elif out is not None:
        from lungscan.dataset.audit_html import write_audit_html

        write_audit_html(out, found)
    if as_json:
        write_json(audit_as_data(found))
    else:
        show_audit(console, found)
    if out is not None:
        say(console, f"The report lies in {plain(str(out))}.")
    say(console, RESEARCH_USE, style="bold")
    return _exit_code(listing)


def run_split(
    folder: Path,
    groups: Path | None,
    out: Path,
    *,
    protocol: str,
    shares: tuple[float, float, float],
    seed: int,
) -> int:
    """Write a split file and return the exit code: 1 when pictures are broken."""
    console = people()
    say(console, f"Reading the pictures of {plain(str(folder))} ...", style="dim")
    listing = read_listing(folder, groups)
    names = listing.groups
    if names is None:
        say(console, "No groups are given: looking for pictures of the same tissue.")
        names = _follow(search(listing.paths), console).groups
    deal = split_by_group if protocol == "grouped" else split_at_random
    rows = split_rows(listing, names, deal(listing.samples(names), shares, seed))
    write_split(out, rows)
    show_skipped(console, listing)
    show_split(console, rows)
    leaking = leaks(rows)
    if leaking:
        say(
            console,
            f"This split leaks: {count(len(leaking), 'group')} stand in more than one part, so "
            "figures measured on it say little about new tissue.",
            style="yellow",
        )
    say(
        console,
        f"Wrote {plain(str(out))}, {'found' if listing.groups is None else 'given'} groups.",
    )
    say(console, f"Train on it with `--split {shlex.quote(plain(str(out)))}`.")
    return _exit_code(listing)


def _exit_code(listing: Listing) -> int:
    return SOME_FAILED if any(item.broken for item in listing.skipped) else OK


def _follow(steps: Generator[SearchProgress, None, Result], console: Console) -> Result:
    """Draw how far a search is and return its value."""
    with closing(steps), search_view_for(console) as view:
        while True:
            try:
                view.progress(next(steps))
            except StopIteration as end:
                result: Result = end.value
                return result
