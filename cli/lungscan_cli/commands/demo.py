"""``lungscan demo``: see everything work on drawn tissue."""

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

ABOUT = (
    "The slide and fields are drawn by a program. Drawn tissue is not real tissue, so the right "
    "answer is mostly 'No result': the model should say that it does not know such pictures."
)


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan demo", "draw, classify, and say where everything is"),
        ("lungscan demo --out /tmp/try", "the same in another folder"),
    ),
    context_settings=SETTINGS,
)
@out_option(
    type=NEW_FOLDER,
    default=Path("lungscan-demo"),
    help="Folder for the drawn images and the results.",
)
@model_option
@device_option
@quiet_option
def demo(*, out: Path, model: str, device: str, quiet: bool) -> int:
    """Draw tissue, classify it, show all outputs.

    One slide and a few fields are drawn into --out, which also gets the results. Drawn tissue is
    not real tissue: the right answer to it is mostly 'No result'.
    """
    from lungscan_cli.console import people, plain, say
    from lungscan_cli.running import run_scan

    console = people()
    images, results = out / "images", out / "results"
    if not quiet:
        say(console, f"Drawing a slide and a few fields in {plain(str(images))} ...", style="dim")
    from lungscan.demo import draw_demo

    draw_demo(images)
    if not quiet:
        say(console, ABOUT)
    options = ScanOptions(
        paths=(images,), out=results, model=model, device=device, pdf="cases", fresh=True
    )
    code = run_scan(options, as_json=False, quiet=quiet)
    if code == 0 and not quiet:
        say(
            console,
            f"Look at {plain(str(results / 'summary.pdf'))} first, then at report.pdf in "
            "each case's folder. The drawn images lie in " + plain(str(images)) + ".",
        )
    return code
