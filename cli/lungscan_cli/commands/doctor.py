"""``lungscan doctor``: what this machine will use, and whether it works."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

import click

from lungscan_cli.choices import SETTINGS, json_option
from lungscan_cli.groups import ExamplesCommand

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
    from rich.text import Text

    import lungscan
    from lungscan.door import jobs
    from lungscan_cli.border import MACHINE
    from lungscan_cli.console import answers, count, plain, write_json

    console = answers()
    checks = []
    for event in lungscan.doctor():
        if not isinstance(event, jobs.Checked):
            continue
        check = event.check
        checks.append(check)
        if not as_json:
            line = Text(f"{check.state:<8}", style=STYLES[check.state])
            line.append(f" {check.name:<28} {plain(check.detail)}", style="default")
            console.print(line, soft_wrap=not console.is_terminal)
    states = Counter(check.state for check in checks)
    if as_json:
        write_json({"schema_version": 1, "checks": [asdict(check) for check in checks]})
    else:
        console.print(
            f"{count(len(checks), 'check')}: {states['ok']} ok, "
            f"{count(states['warning'], 'warning')}, {states['failed']} failed."
        )
    return MACHINE if states["failed"] else 0
