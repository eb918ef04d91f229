"""``lungscan compare``: every answer that changes from one model to another."""

from __future__ import annotations

from pathlib import Path

import click

from lungscan_cli.choices import (
    ENVIRONMENT_NOTE,
    SETTINGS,
    complete_model,
    device_option,
    json_option,
    quiet_option,
)
from lungscan_cli.evaluate_choices import announce, data_options
from lungscan_cli.groups import ExamplesCommand


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan compare lung-histology runs/mine data/ --split split.csv", "old against new"),
        ("lungscan compare runs/a runs/b data/ --out changes", "with tables in a folder"),
    ),
    context_settings=SETTINGS,
    epilog="Exit codes: 0 fine, 1 some fields could not be read, 2 wrong usage, 3 nothing to do, "
    f"4 model, 5 machine, 130 interrupted. {ENVIRONMENT_NOTE}",
)
@click.argument("model_a", metavar="MODEL_A", shell_complete=complete_model)
@click.argument("model_b", metavar="MODEL_B", shell_complete=complete_model)
@data_options
@click.option(
    "--out",
    "-o",
    type=click.Path(file_okay=False, path_type=Path),
    show_default="nothing is written",
    help="Folder for the table of changed answers.",
)
@click.option("--seed", type=click.IntRange(0), default=0, help="Of the bootstrap.")
@device_option
@json_option
@quiet_option
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
    from lungscan.evaluation.options import DataOptions, JudgeOptions
    from lungscan_cli.evaluate_running import run_comparison

    return run_comparison(
        (model_a, model_b),
        DataOptions(data, split, part, groups),
        JudgeOptions(mpp=mpp, device=device, seed=seed),
        out,
        as_json=as_json,
        quiet=quiet,
    )
