"""``lungscan doctor``: what this machine will use, and whether it works."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from lungscan_cli.choices import SETTINGS, json_option
from lungscan_cli.groups import ExamplesCommand

if TYPE_CHECKING:
    from rich.console import Console

    from lungscan.door.jobs import Checked

STATE_WIDTH, NAME_WIDTH = 8, 32
STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red"}


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan doctor", "check this machine and measure the speed of each stage"),
        ("lungscan doctor --json", "the same for a program, or to go with a report of a fault"),
    ),
    context_settings=SETTINGS,
)
@json_option
def doctor(*, as_json: bool) -> int:
    """Check this machine and measure its speed.

    Says what LungScan will use here and tests it. Ends with code 5 when a check failed.
    """
    import lungscan
    from lungscan.door import jobs
    from lungscan_cli.border import MACHINE
    from lungscan_cli.console import answers, count, write_json

    console = answers()
    checks = []
    for event in lungscan.doctor():
        if not isinstance(event, jobs.Checked):
            continue
        checks.append(event.check)
        if not as_json:
            _show(console, event)
    states = Counter(check.state for check in checks)
    if as_json:
        write_json({"schema_version": 1, "checks": [asdict(check) for check in checks]})
    else:
        console.print(
            f"{count(len(checks), 'check')}: {states['ok']} ok, "
            f"{count(states['warning'], 'warning')}, {states['failed']} failed."
        )
    return MACHINE if states["failed"] else 0


def _show(console: Console, event: Checked) -> None:
    """One check as a line; on a terminal what does not fit goes on under its own column."""
    from rich.table import Table
    from rich.text import Text

    from lungscan_cli.console import plain

    check = event.check
    state, detail = Text(check.state, style=STYLES[check.state]), Text(plain(check.detail))
    if not console.is_terminal:
        state.pad_right(STATE_WIDTH - len(check.state))
        name = f" {check.name:<{NAME_WIDTH}} "
        console.print(Text.assemble(state, name, detail), soft_wrap=True)
        return
    line = Table.grid(padding=(0, 1))
    line.add_column(width=STATE_WIDTH)
    line.add_column(width=NAME_WIDTH)
    line.add_column()
    line.add_row(state, Text(check.name), detail)
    console.print(line)
