"""``lungscan compress``: the int8 form of a model, within a stated bound."""

from __future__ import annotations

from pathlib import Path

import click

from lungscan_cli.choices import (
    ENVIRONMENT_NOTE,
    FILE,
    NEW_FOLDER,
    SETTINGS,
    answer_options,
    data_argument,
    model_argument,
    out_option,
    threads_option,
)
from lungscan_cli.groups import ExamplesCommand


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan compress lung-histology data/ --split split.csv --out model-int8", "make it"),
        ("lungscan classify slides/ --model model-int8", "use it"),
        ("lungscan benchmark lung-histology model-int8", "see what it gains"),
    ),
    context_settings=SETTINGS,
    epilog="Exit codes: 0 fine, 2 wrong usage, 3 nothing to do, 4 the bound was missed or the "
    f"model is damaged, 5 machine, 130 interrupted. {ENVIRONMENT_NOTE}",
)
@model_argument()
@data_argument
@click.option(
    "--split",
    type=FILE,
    show_default="whole groups are dealt, the model's test groups left out",
    help="CSV file,label,group,part: train calibrates, validation judges.",
)
@out_option(
    required=True,
    type=NEW_FOLDER,
    help="The model folder to make; an earlier int8 model there is replaced.",
)
@click.option(
    "--bound",
    type=click.FloatRange(0, 100),
    default=0.5,
    help="Points of accuracy that may be lost on the judged fields.",
)
@click.option(
    "--refusals",
    type=click.FloatRange(0, 100),
    default=2.0,
    help="Percent of the judged fields that only one of the two models may answer.",
)
@click.option(
    "--fields",
    type=click.IntRange(1),
    default=300,
    help="Fields to calibrate on, of all classes alike.",
)
@threads_option
@answer_options
def compress(
    *,
    model: str,
    data: Path,
    split: Path | None,
    out: Path,
    bound: float,
    refusals: float,
    fields: int,
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Make the int8 form of a model, for OpenVINO.

    MODEL is a shipped model's name or a model folder; DATA holds one folder of fields per class,
    named as the model names its classes. When int8 loses more than allowed, layers that suffer most
    are kept as they are; when that does not help either, nothing is written.
    """
    from lungscan_cli.jobs.compressing import Order, run_compression

    order = Order(model, data, split, out, bound / 100, refusals / 100, fields, threads)
    return run_compression(order, as_json=as_json, quiet=quiet)
