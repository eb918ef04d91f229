"""``lungscan demo``: see everything work, on training fields and on what must be refused."""

from __future__ import annotations

from pathlib import Path

import click

from lungscan.options import ScanOptions
from lungscan_cli.choices import (
    NEW_FOLDER,
    SETTINGS,
    device_option,
    model_option,
    out_option,
    quiet_option,
)
from lungscan_cli.groups import ExamplesCommand

REAL = (
    "One slide and six fields are real lung tissue that the model was trained on; the others are "
    "drawn, empty or out of focus, and should get 'No result'."
)
DRAWN = (
    "The training fields are not installed here, so all pictures are drawn by a program. Drawn "
    "tissue is not real tissue: each of them should get 'No result'."
)
WHY = (
    "Each 'No result' is right: drawn tissue is unlike any that the model knows, glass "
    "holds too little to judge, and what is out of focus has to be scanned again."
)
ANSWERED = (
    "Look at {names}: a drawing, and answered all the same. Refusal has its limits, so give a "
    "model nothing but real lung tissue."
)
TRAINED_ON = (
    "The slide and six of the fields are training fields (LC25000, Borkowski et al. 2019), so "
    "their right answers prove nothing about other tissue: for research use only."
)
NOTHING_ANSWERED = "What an answer looks like, only real tissue can show: for research use only."


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan demo", "make pictures, classify them, and say what to open first"),
        ("lungscan demo --out /tmp/try", "the same in another folder"),
    ),
    context_settings=SETTINGS,
)
@out_option(
    type=NEW_FOLDER,
    default=Path("lungscan-demo"),
    help="Folder for the pictures and the results.",
)
@model_option
@device_option
@quiet_option
def demo(*, out: Path, model: str, device: str, quiet: bool) -> int:
    """Classify a slide and fields that come along, show all outputs.

    Some are training fields of real tissue, so they get an answer; others are drawn, empty or out
    of focus, and get 'No result'. --out gets the pictures and the results.
    """
    from lungscan_cli.console import people, plain, say
    from lungscan_cli.jobs.scanning import run_scan

    console = people()
    images, results = out / "images", out / "results"
    if not quiet:
        say(console, f"Making a slide and a few fields in {plain(str(images))} ...", style="dim")
    from lungscan.demo import make_demo

    made = make_demo(images)
    if not quiet:
        say(console, REAL if made.real else DRAWN)
    options = ScanOptions(
        paths=(images,), out=results, model=model, device=device, pdf="cases", fresh=True
    )
    code = run_scan(options, as_json=False, quiet=quiet)
    if code == 0 and not quiet:
        say(console, _what_first(results))
        say(console, WHY)
        if names := _answered_drawings(results):
            say(console, ANSWERED.format(names=plain(", ".join(names))))
        say(console, TRAINED_ON if made.real else NOTHING_ANSWERED)
    return code


def _answered_drawings(results: Path) -> list[str]:
    """Drawings that got an answer: each a refusal that failed."""
    import lungscan

    if not (results / "cases.csv").is_file():
        return []
    table = lungscan.read_results(results)
    return [name for name in table["case_id"][table["status"] == "ok"] if name.startswith("drawn-")]


def _what_first(results: Path) -> str:
    """The file to open first, and what is in it."""
    from lungscan_cli.console import plain

    reports = sorted(results.glob("cases/*-slide*/report.pdf"))
    if not reports:
        return f"Open {plain(str(results / 'summary.pdf'))} first: all cases at a glance."
    return (
        f"Open {plain(str(reports[0]))} first: the slide's answer and map; heatmap.png beside it "
        "is the same map, larger."
    )
