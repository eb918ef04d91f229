"""Run a scan for the shell: draw it, sum it up, turn its end into an exit code."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

import lungscan
from lungscan.door import jobs
from lungscan.errors import UsageProblem
from lungscan.options import ScanOptions
from lungscan_cli.border import INTERRUPTED, OK
from lungscan_cli.console import answers, count, people, plain, say, write_json

if TYPE_CHECKING:
    from lungscan_cli.views.watch import Outcome


def run_scan(options: ScanOptions, *, as_json: bool, quiet: bool) -> int:
    """Classify and return the exit code: 0 fine, 1 some inputs failed, 130 interrupted."""
    console = people()
    if not quiet:
        # Said before the slow imports, so that something shows at once.
        say(console, "Looking for images and loading the model ...", style="dim")
    try:
        with ended_by_sigterm():
            if options.watch:
                return _run_watch(options, as_json=as_json, quiet=quiet)
            return _run(options, as_json=as_json, quiet=quiet)
    except KeyboardInterrupt:
        say(
            console,
            f"Stopped. Finished cases are safe in {plain(str(options.out))}; "
            "run the same command again to go on where it stopped, or "
            "`lungscan report` on that folder for the tables of what is finished.",
        )
        return INTERRUPTED


def _run(options: ScanOptions, *, as_json: bool, quiet: bool) -> int:
    outcome = _watch(options, quiet=quiet)
    from lungscan_cli.views.summary import as_data, exit_code, show_failures, show_summary

    console = people()
    if outcome.started is None or outcome.finished is None:
        raise RuntimeError("the scan ended without saying so")
    if quiet:
        show_failures(console, outcome)
    else:
        show_summary(console, outcome, outcome.finished)
    if as_json:
        write_json(as_data(outcome, outcome.started, outcome.finished))
    return exit_code(outcome.finished)


def _run_watch(options: ScanOptions, *, as_json: bool, quiet: bool) -> int:
    """Follow a watched folder; only an interrupt ends it."""
    if as_json:
        raise UsageProblem("--json and --watch exclude each other: a watch has no end to tell of.")
    events = lungscan.scan(options)
    from lungscan_cli.views.run import SilentView, WatchView
    from lungscan_cli.views.watch import Outcome, watch

    # Lines, not bars: between two slides hours may pass.
    view = SilentView() if quiet else WatchView(people())
    watch(events, view, Outcome(), keep_lines=False)
    return OK


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """End the block by SIGTERM as by Ctrl+C, so that a batch system leaves no lock behind."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _watch(options: ScanOptions, *, quiet: bool) -> Outcome:
    events = lungscan.scan(options)  # begins with the first event asked for
    from lungscan_cli.views.run import view_for
    from lungscan_cli.views.watch import Outcome, watch

    outcome = Outcome()
    watch(events, view_for(people(), quiet=quiet), outcome)
    return outcome


def show_plan(options: ScanOptions, *, as_json: bool, quiet: bool) -> int:
    """Print what a scan would do. The plan is the answer here, so it goes to stdout."""
    *_, last = lungscan.plan(options)
    if not isinstance(last, jobs.PlanFinished):
        raise TypeError("the plan ended without saying so")
    cases = last.cases
    tiles = sum(case.tiles for case in cases)
    if as_json:
        rows = [asdict(case) for case in cases]
        write_json({"schema_version": 1, "cases": rows, "tiles": tiles})
    elif not quiet:
        table = Table(box=box.SIMPLE_HEAD)
        table.add_column("Case", overflow="fold")
        table.add_column("Kind")
        table.add_column("Tiles", justify="right")
        table.add_column("µm/px", justify="right")
        table.add_column("Note")
        for case in cases:
            mpp = "" if case.mpp is None else f"{case.mpp:.3f}"
            tiles_of = f"{case.tiles:,}" if case.tiles else ""
            table.add_row(
                Text(plain(case.case_id)), case.kind, tiles_of, mpp, Text(plain(case.note))
            )
        console = answers()
        console.print(table)
        wanted = sum(case.kind != "skipped" for case in cases)
        total = f"{count(wanted, 'case')}, {count(tiles, 'tile')}"
        say(console, f"{total}. Nothing was classified or written.")
    return 0
