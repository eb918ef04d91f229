"""``lungscan evaluate``: how good a model is on labelled fields."""

from __future__ import annotations

from pathlib import Path

import click

from lungscan_cli.choices import NEW_FOLDER, SETTINGS, model_argument
from lungscan_cli.evaluate_options import EPILOG, announce, data_options, judging_options
from lungscan_cli.groups import ExamplesCommand


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan evaluate lung-histology data/ --split split.csv", "on the test part"),
        ("lungscan evaluate runs/mine data/ --groups groups.csv", "on a whole folder"),
        ("lungscan evaluate runs/mine data/ --split split.csv --robustness", "and on changed ones"),
    ),
    context_settings=SETTINGS,
    epilog=EPILOG,
)
@model_argument()
@data_options
@click.option(
    "--out",
    "-o",
    type=NEW_FOLDER,
    default=Path("lungscan-evaluation"),
    help="Folder for tables, figures and pictures of the errors.",
)
@click.option(
    "--robustness",
    is_flag=True,
    show_default="off",
    help="Judge every field 19 times more, with changed stain, focus, JPEG, scale and light.",
)
@judging_options
def evaluate(
    *,
    model: str,
    data: Path,
    split: Path | None,
    part: str,
    groups: Path | None,
    mpp: float | None,
    out: Path,
    robustness: bool,
    seed: int,
    device: str,
    as_json: bool,
    quiet: bool,
) -> int:
    """Measure how good a model is on labelled fields.

    MODEL is a shipped model's name or a model folder; DATA holds one folder of fields per class,
    named as the model names its classes. Fields are judged as `lungscan classify` judges them.
    """
    announce(quiet=quiet)
    from lungscan.door import jobs
    from lungscan.evaluation.options import DataOptions, JudgeOptions
    from lungscan_cli.jobs.evaluating import run_evaluation

    order = jobs.EvaluateOptions(
        model,
        DataOptions(data, split, part, groups),
        JudgeOptions(mpp=mpp, device=device, robustness=robustness, seed=seed),
        out,
    )
    return run_evaluation(order, as_json=as_json, quiet=quiet)
