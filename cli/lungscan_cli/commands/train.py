"""``lungscan train``: make a model from folders of pictures."""

from __future__ import annotations

from pathlib import Path

import click

from lungscan_cli.choices import ENVIRONMENT_NOTE, SETTINGS
from lungscan_cli.groups import ExamplesCommand

STAGES = ("teacher", "student", "alone", "bundle")


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan train data/ --recipe lung.toml --out model", "train, or go on training"),
        ("lungscan train data/ --recipe lung.toml --out model --stage bundle", "one stage only"),
        ("lungscan classify slides/ --model model", "use the model"),
    ),
    context_settings=SETTINGS,
    epilog="Another seed, recipe or start makes another model: earlier checkpoints in --out are "
    f"then refused. {ENVIRONMENT_NOTE}",
)
@click.argument(
    "root",
    metavar="DATA_ROOT",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option(
    "--recipe",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TOML file that names the data folders, networks and settings.",
)
@click.option(
    "--out",
    "-o",
    required=True,
    allow_from_autoenv=False,  # LUNGSCAN_OUT is meant for results
    type=click.Path(file_okay=False, path_type=Path),
    help="The model folder to make; checkpoints lie in its folder training.",
)
@click.option(
    "--stage",
    "stages",
    multiple=True,
    type=click.Choice(STAGES),
    show_default="all",
    help="A stage to run; may be given several times. student needs teacher, bundle needs all.",
)
@click.option(
    "--pretrained/--no-pretrained",
    default=None,
    show_default="as the recipe says",
    help="Begin from timm's weights, fetched from its hub.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    show_default="as the recipe says",
    help="Of the split, the first weights, and the order of the pictures.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    show_default="as the recipe says",
    help="Threads for the training.",
)
def train(
    *,
    root: Path,
    recipe: Path,
    out: Path,
    stages: tuple[str, ...],
    pretrained: bool | None,
    seed: int | None,
    threads: int | None,
) -> int:
    """Train a model on your own pictures.

    DATA_ROOT holds the data folders that the recipe names, each with one folder per class and a
    table groups.csv (file,label,group). A run that was stopped goes on with the same command.
    """
    from lungscan_cli.training import Order, run_training

    changes = {"pretrained": pretrained, "seed": seed, "threads": threads}
    given = {name: value for name, value in changes.items() if value is not None}
    return run_training(Order(root, recipe, out, stages or STAGES, given))
