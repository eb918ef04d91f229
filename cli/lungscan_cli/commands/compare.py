"""``lungscan compare``: every answer that changes from one model to another."""

from __future__ import annotations

from pathlib import Path

import click

from lungscan_cli.choices import NEW_FOLDER, SETTINGS, model_argument
from lungscan_cli.evaluate_options import EPILOG, announce, data_options, judging_options
from lungscan_cli.groups import ExamplesCommand


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan compare lung-histology runs/mine data/ --split split.csv", "old against new"),
        ("lungscan compare runs/a runs/b data/ --out changes", "with tables in a folder"),
    ),
    context_settings=SETTINGS,
    epilog=EPILOG,
)
@model_argument("model_a")
@model_argument("model_b")
@data_options
@click.option(
    "--out",
    "-o",
    type=NEW_FOLDER,
    show_default="nothing is written",
    help="Folder for the table of changed answers.",
)
@judging_options
def compare(
    *,
    model_a: str,
    model_b: str,
    data: Path,
    split: Path | None,
    part: str,
    groups: Path | None,
    mpp: float | None,
    out: Path | None,
    seed: int,
    device: str,
    as_json: bool,
    quiet: bool,
) -> int:
    """Compare two models, field by field.

    Every changed answer is printed, and whether the difference may be chance. Each MODEL is a
    shipped model's name or a model folder; DATA holds one folder of fields per class.
    """
    announce(quiet=quiet)
    from lungscan.door import jobs
    from lungscan.evaluation.options import DataOptions, JudgeOptions
    from lungscan_cli.jobs.evaluating import run_comparison

    order = jobs.CompareOptions(
        (model_a, model_b),
        DataOptions(data, split, part, groups),
        JudgeOptions(mpp=mpp, device=device, seed=seed),
        out,
    )
    return run_comparison(order, as_json=as_json, quiet=quiet)
