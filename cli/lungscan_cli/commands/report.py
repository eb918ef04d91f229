"""``lungscan report``: write the reports of a finished run again."""

from __future__ import annotations

from pathlib import Path

import click

from lungscan.options import PDF_CHOICES, PdfChoice
from lungscan_cli.choices import SETTINGS, folder_argument, quiet_option
from lungscan_cli.groups import ExamplesCommand


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan report lungscan-results", "rebuild all reports from the case.json files"),
        ("lungscan report lungscan-results --pdf cases", "and a PDF for each case"),
    ),
    context_settings=SETTINGS,
)
@folder_argument
@click.option(
    "--pdf",
    type=click.Choice(PDF_CHOICES),
    allow_from_autoenv=False,  # LUNGSCAN_PDF is meant for the next run
    show_default="what the run was told",
    help="PDF reports: as for `lungscan classify`.",
)
@quiet_option
def report(*, folder: Path, pdf: PdfChoice | None, quiet: bool) -> int:
    """Write the tables and reports of a run again.

    DIR is the folder given to `lungscan classify --out`. Everything is rebuilt from its case.json
    files; no image is read again.
    """
    import lungscan
    from lungscan import RESEARCH_USE
    from lungscan.door import jobs
    from lungscan_cli.console import count, people, plain, say

    (done,) = lungscan.rebuild(jobs.RebuildOptions(folder, pdf))
    rebuilt = done.rebuilt
    if not quiet:
        console = people()
        for notice in rebuilt.notices:
            say(console, f"Note: {plain(notice)}", style="yellow")
        cases = count(rebuilt.cases, "case")
        say(console, f"Rebuilt the reports of {cases} in {plain(str(folder))}.")
        say(console, RESEARCH_USE, style="bold")
    return 0
