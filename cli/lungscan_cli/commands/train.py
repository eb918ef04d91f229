"""``lungscan train``: make a model from folders of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lungscan_cli.choices import ENVIRONMENT_NOTE, FILE, FOLDER, NEW_FOLDER, SETTINGS, out_option
from lungscan_cli.groups import ExamplesCommand

STAGES = ("features", "teacher", "student", "finetune", "alone", "head", "bundle")
AS_RECIPE = "as the recipe says"
RECIPE_FLAGS = "Flags of the recipe"


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan train data/ --out model", "a folder of classes becomes a model"),
        ("lungscan train data/ --recipe lung.toml --out model", "by a recipe, or go on with it"),
        ("lungscan train data/ --out model --folds 5", "judged by cross-validation"),
        ("lungscan train data/ --out model --set student_fit.batch_size=16", "any other option"),
        ("lungscan train data/ --start-from lung-histology --out model", "fine-tune a model"),
        ("lungscan classify slides/ --model model", "use the model"),
    ),
    context_settings=SETTINGS,
    epilog="Options that shape the weights make another model: earlier checkpoints in --out are "
    "then refused. On several GPUs: `torchrun --nproc-per-node 4 -m lungscan_cli train ...`. "
    f"{ENVIRONMENT_NOTE}",
)
@click.argument(
    "root",
    metavar="DATA",
    type=FOLDER,
)
@out_option(
    required=True,
    type=NEW_FOLDER,
    help="The model folder to make; checkpoints lie in its folder training.",
)
@click.option(
    "--recipe",
    type=FILE,
    show_default="the standard recipe",
    help="TOML file of options.",
)
@click.option(
    "--stage",
    "stages",
    multiple=True,
    type=click.Choice(STAGES),
    show_default="all that the recipe asks for",
    help="A stage to run; may be given several times. student needs teacher (and features, where "
    "the recipe has it), bundle needs both.",
)
@click.option("--name", show_default=AS_RECIPE, help="The model's name.")
@click.option("--teacher", show_default=AS_RECIPE, help="Any timm network.")
@click.option(
    "--teacher-from",
    show_default=AS_RECIPE,
    help="A teacher.pt of another run with the same classes, to learn from.",
)
@click.option("--student", show_default=AS_RECIPE, help="Any timm network; it becomes the model.")
@click.option(
    "--start-from",
    metavar="MODEL",
    show_default="begin anew",
    help="Fine-tune a shipped model or a model folder, by labels alone.",
)
@click.option(
    "--feature-teacher",
    show_default=AS_RECIPE,
    help="A timm network with ImageNet weights; the stage features learns its features.",
)
@click.option(
    "--pretrained/--no-pretrained",
    default=None,
    show_default=AS_RECIPE,
    help="Begin from ImageNet weights, installed with the extra train or fetched by timm.",
)
@click.option(
    "--split",
    "split_file",
    show_default="split by group",
    help="Table file,label,group,part, made by `lungscan data split`.",
)
@click.option(
    "--fold",
    metavar="I/N",
    show_default="no folds",
    help="Hold fold I of N out as the test part: 1/5 to 5/5 judge every picture once.",
)
@click.option(
    "--folds",
    metavar="N",
    type=click.IntRange(2, 20),
    show_default=AS_RECIPE,
    help="Train N folds, then the model on all groups; its figures, temperature and limits come "
    "from the folds. A fold that --fold I/N --out OUT/folds/I made elsewhere is taken as finished.",
)
@click.option(
    "--leave-out",
    metavar="SOURCE",
    show_default="no source",
    help="Hold one of the recipe's sources out as the test part: tissue of another laboratory.",
)
@click.option(
    "--protocol",
    type=click.Choice(("grouped", "random")),
    show_default=AS_RECIPE,
    help="random leaks where pictures show the same tissue.",
)
@click.option(
    "--allow-leakage/--refuse-leakage",
    default=None,
    show_default=AS_RECIPE,
    help="Train on a split that leaks; every report then says so.",
)
@click.option("--seed", type=click.IntRange(0), show_default=AS_RECIPE, help="Of all chance.")
@click.option("--threads", type=click.IntRange(0), show_default=AS_RECIPE, help="0: torch's own.")
@click.option("--device", show_default=AS_RECIPE, help="auto, cpu, cuda or cuda:1.")
@click.option(
    "--int8/--no-int8", default=None, show_default=AS_RECIPE, help="Also make an int8 model."
)
@click.option(
    "--tensorboard/--no-tensorboard",
    default=None,
    show_default=AS_RECIPE,
    help="Also write the curves as TensorBoard events.",
)
@click.option(
    "--set",
    "others",
    metavar="KEY=VALUE",
    multiple=True,
    show_default="none",
    help="Any other option of a recipe, its value as TOML: student_fit.learning_rate=2e-4.",
)
def train(
    *,
    root: Path,
    out: Path,
    recipe: Path | None,
    stages: tuple[str, ...],
    others: tuple[str, ...],
    **flags: Any,
) -> int:
    """Train a model on your own pictures.

    DATA holds one folder per class, or the data folders that a recipe names. A table groups.csv
    (file,label,group) says which pictures show the same tissue; without one, near-duplicates are
    found. A run that was stopped goes on with the same command.
    """
    from lungscan_cli.jobs.training import Order, run_training

    given = {name: value for name, value in flags.items() if value is not None}
    return run_training(Order(root, recipe, out, stages, given, others))
