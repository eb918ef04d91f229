"""How ``lungscan data`` shows itself: progress, the audit, the split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Self

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from lungscan.dataset.audit import Agreement, Audit
from lungscan.dataset.audit_content import Facts, class_rows, headline_facts
from lungscan.dataset.audit_shapes import TITLE, shape_facts, too_small
from lungscan.dataset.listing import Listing
from lungscan.dataset.similar import Pair, SearchProgress
from lungscan.dataset.splits import PARTS, SplitRow
from lungscan_cli.console import count, plain, say

FIRST_FEW = 5
STEPS = {
    "reading": "Looking at pictures",
    "trying": "Trying likely pairs",
    "comparing": "Comparing pairs",
}


class SearchView:
    """Plain lines, for logs and pipes: one for each step."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._step = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def progress(self, event: SearchProgress) -> None:
        """Say once what is done now."""
        if event.step != self._step:
            self._step = event.step
            noun = "picture" if event.step == "reading" else "pair"
            say(self._console, f"  {STEPS[event.step]}: {count(event.total, noun)}")


class SearchBarView(SearchView):
    """A bar for the step that runs."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            console=console,
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task(STEPS["reading"], total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def progress(self, event: SearchProgress) -> None:
        """Move the bar."""
        self._progress.update(
            self._task, description=STEPS[event.step], total=event.total, completed=event.done
        )


def search_view_for(console: Console) -> SearchView:
    """Choose a bar for a terminal, plain lines for anything else."""
    if console.is_terminal and not console.is_dumb_terminal:
        return SearchBarView(console)
    return SearchView(console)


def show_audit(console: Console, audit: Audit) -> None:
    """Print classes, the main facts, and the gravest pairs by name."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=True)
    table.add_column("Class", overflow="fold")
    table.add_column("Pictures", justify="right")
    table.add_column("Tissues", justify="right")
    for name, pictures, tissues in class_rows(audit):
        table.add_row(Text(plain(name)), pictures, tissues)
    console.print(table)
    _show_facts(console, headline_facts(audit))
    console.print()
    say(console, f"{TITLE}:")
    _show_facts(console, shape_facts(audit.listing))
    console.print()
    show_skipped(console, audit.listing)
    _show_pairs(console, audit, audit.crossing, "One tissue with two labels:")
    _show_pairs(console, audit, audit.unexpected, "One tissue in two given groups:")


def _show_facts(console: Console, facts: Facts) -> None:
    width = max(len(name) for name, _ in facts)
    if not console.is_terminal:
        for name, value in facts:
            say(console, f"{name:<{width}}  {plain(value)}")
        return
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(min_width=width, no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts:
        grid.add_row(Text(name, style="dim"), Text(plain(value)))
    console.print(grid)


def show_skipped(console: Console, listing: Listing) -> None:
    """Print the first few broken pictures with their reasons, and how much else was left out."""
    broken = [item for item in listing.skipped if item.broken]
    if broken:
        say(console, f"{count(len(broken), 'picture')} could not be read:", style="red")
        for item in broken[:FIRST_FEW]:
            say(console, f"  {plain(item.name)}: {plain(item.reason)}")
        if len(broken) > FIRST_FEW:
            say(console, f"  and {len(broken) - FIRST_FEW:,} more")
    others = len(listing.skipped) - len(broken)
    if others:
        say(console, f"{count(others, 'other file')} left out, as no picture of a class.")


def show_split(console: Console, rows: Sequence[SplitRow]) -> None:
    """Print pictures and groups of each part, class by class."""
    pictures = Counter((row.label, row.part) for row in rows)
    groups = Counter((label, part) for label, part, _ in {(r.label, r.part, r.group) for r in rows})
    table = Table(box=box.SIMPLE_HEAD, pad_edge=True)
    table.add_column("Class", overflow="fold")
    for part in PARTS:
        table.add_column(part.capitalize(), justify="right")
    for label in sorted({row.label for row in rows}):
        cells = [f"{pictures[label, part]:,} in {groups[label, part]:,} groups" for part in PARTS]
        table.add_row(Text(plain(label)), *cells)
    console.print(table)


def audit_as_data(audit: Audit) -> dict[str, Any]:
    """Return the audit as plain data for ``--json``."""
    listing = audit.listing
    pictures = Counter(listing.label_names)
    return {
        "schema_version": 1,
        "classes": {name: pictures[name] for name in listing.class_names},
        "skipped": [
            {"file": item.name, "reason": item.reason, "broken": item.broken}
            for item in listing.skipped
        ],
        "sizes_px": _counts(f"{w} x {h}" for w, h in listing.sizes or ()),
        "scales_um_px": _counts("none" if s is None else f"{s:.4g}" for s in listing.scales or ()),
        "too_small": [listing.names[row] for row in too_small(listing)],
        "equal_files": [[listing.names[row] for row in rows] for rows in audit.equal_files],
        "groups": [[listing.names[row] for row in rows] for rows in audit.found_groups],
        "labels_differ": [[listing.names[row] for row in item.rows] for item in audit.mixed],
        "agreement": None if audit.agreement is None else _agreement_data(audit.agreement),
    }


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _agreement_data(agreement: Agreement) -> dict[str, Any]:
    return {
        "precision": agreement.precision,
        "recall": agreement.recall,
        "found_pairs": agreement.found,
        "given_pairs": agreement.given,
        "common_pairs": agreement.both,
    }


def _show_pairs(console: Console, audit: Audit, pairs: Sequence[Pair], title: str) -> None:
    if not pairs:
        return
    say(console, title, style="yellow")
    names = audit.listing.names
    for pair in pairs[:FIRST_FEW]:
        say(console, f"  {plain(names[pair.first])}  {plain(names[pair.second])}")
    if len(pairs) > FIRST_FEW:
        say(console, f"  and {len(pairs) - FIRST_FEW:,} more; see the report (--out)")
