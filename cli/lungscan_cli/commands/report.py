"""``lungscan report``: write the reports of a finished run again."""

from __future__ import annotations

from pathlib import Path

import click

from lungscan_cli.choices import SETTINGS, quiet_option
from lungscan_cli.groups import ExamplesCommand


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan report lungscan-results", "rebuild all reports from the case.json files"),
    ),
    context_settings=SETTINGS,
)
@click.argument(
    "folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@quiet_option
def report(*, folder: Path, quiet: bool) -> int:
    """Write the tables and reports of a run again.

    DIR is the folder given to `lungscan classify --out`. Everything is rebuilt from its case.json
    files; no image is read again.
    """
    from lungscan.report.write import rebuild
    from lungscan_cli.console import RESEARCH_USE, count, people, plain, say

    cases = rebuild(folder)
    if not quiet:
        console = people()
        say(console, f"Rebuilt the reports of {count(cases, 'case')} in {plain(str(folder))}.")
        say(console, RESEARCH_USE, style="bold")
    return 0
