"""``lungscan adapt``: a model for one's own stain and scanner, from one's own fields."""

from __future__ import annotations

from pathlib import Path

import click

from lungscan_cli.choices import (
    ENVIRONMENT_NOTE,
    FOLDER,
    MICROMETRES,
    NEW_FOLDER,
    SETTINGS,
    answer_options,
    model_argument,
    out_option,
    threads_option,
)
from lungscan_cli.groups import ExamplesCommand


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan adapt lung-histology fields/ --out my-model", "to 100 fields of your own"),
        ("lungscan adapt lung-histology labelled/ --out my-model", "folders named as the classes"),
        (
            "lungscan adapt lung-histology fields/ --original data/ --out my-model",
            "and what it cost",
        ),
        (
            "lungscan adapt lung-histology images/ --reviews results/ --out my-model",
            "to what reviewers said",
        ),
        ("lungscan classify slides/ --model my-model", "use it"),
    ),
    context_settings=SETTINGS,
    epilog="Exit codes: 0 fine, 2 too few or unsuitable pictures, or a loss, 3 no picture, 4 the "
    "model cannot be adapted, 5 machine, 130 interrupted; nothing is written unless it is 0. "
    f"{ENVIRONMENT_NOTE}",
)
@model_argument()
@click.argument("fields", metavar="FIELDS", type=FOLDER)
@out_option(
    required=True,
    type=NEW_FOLDER,
    help="The model folder to make; an earlier adapted model there is replaced.",
)
@click.option(
    "--mpp",
    type=MICROMETRES,
    show_default="what the files say",
    help="µm per pixel, for pictures that do not say (usual: 0.25 at 40x, 0.5 at 20x).",
)
@click.option(
    "--original",
    metavar="DATA",
    type=FOLDER,
    show_default="not measured",
    help="Labelled fields of the laboratory that the model comes from: what it gains or loses "
    "there is measured, too.",
)
@click.option(
    "--reviews",
    metavar="DIR",
    type=FOLDER,
    allow_from_autoenv=False,
    show_default="labels are folders",
    help="Results below which answers to FIELDS were reviewed: the class that a reviewer holds "
    "right is the label, and regions left out teach nothing.",
)
@click.option("--name", show_default="that of the folder", help="The adapted model's name.")
@click.option(
    "--folds", type=click.IntRange(2, 20), default=5, help="Of the cross-validation, with labels."
)
@threads_option
@answer_options
def adapt(
    *,
    model: str,
    fields: Path,
    out: Path,
    mpp: float | None,
    original: Path | None,
    reviews: Path | None,
    name: str | None,
    folds: int,
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Adapt a model to your own stain and scanner.

    MODEL is a shipped model's name or a model folder; FIELDS holds some 100 fields or a few slides
    of your own lung tissue. No labels are needed. Where FIELDS has folders named as the model's
    classes, some 20 fields in each (or a groups.csv), the adapted model is also fitted to these
    labels, and judged by cross-validation. With --reviews the labels are those of reviewers.
    """
    from lungscan_cli.jobs.adapting import Order, run_adaptation

    order = Order(model, fields, out, mpp, original, name or "", folds, threads, reviews)
    return run_adaptation(order, as_json=as_json, quiet=quiet)
