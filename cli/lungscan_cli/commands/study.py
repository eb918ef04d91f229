"""``lungscan study``: several networks, alone and under a teacher, in one table."""

from __future__ import annotations

from pathlib import Path

import click

from lungscan_cli.choices import ENVIRONMENT_NOTE, FILE, NEW_FOLDER, SETTINGS, out_option
from lungscan_cli.groups import ExamplesCommand


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan study study/ct.toml --out runs/ct", "run it, or go on with it"),
        (
            "lungscan study study/ct.toml --out runs/ct --set 'data=\"my-data\"'",
            "on your own folder",
        ),
        ("lungscan study study/ct.toml --out runs/ct --budget-s 0", "the table of what is there"),
    ),
    context_settings=SETTINGS,
    epilog="Exit codes: 0 fine, 2 wrong usage, 4 results of other options, 5 machine, "
    f"130 interrupted. {ENVIRONMENT_NOTE}",
)
@click.argument("study", metavar="STUDY", type=FILE)
@out_option(
    required=True,
    type=NEW_FOLDER,
    help="The study's folder: networks, study.md and study.csv.",
)
@click.option(
    "--set",
    "others",
    metavar="KEY=VALUE",
    multiple=True,
    show_default="none",
    help='Another value of the study, as TOML: seeds=1, or data="my-folder".',
)
@click.option("--device", default="auto", help="auto, cpu, cuda or cuda:1.")
@click.option(
    "--workers", type=click.IntRange(1), default=1, help="Processes, each with deals of its own."
)
@click.option(
    "--lanes", type=click.IntRange(1), default=1, help="Networks that take turns in a process."
)
@click.option("--threads", type=click.IntRange(0), default=0, help="0: torch's own.")
@click.option(
    "--budget-s",
    type=click.FloatRange(0),
    show_default="no end",
    help="Begin no step after so many seconds; the table is made of what is finished.",
)
@click.option("--int8/--no-int8", "with_int8", default=True, help="Also judge int8 forms.")
@click.option(
    "--only-material",
    is_flag=True,
    show_default="off",
    help="Only read the pictures, for another machine to fit on.",
)
def study(
    *,
    study: Path,
    out: Path,
    others: tuple[str, ...],
    device: str,
    workers: int,
    lanes: int,
    threads: int,
    budget_s: float | None,
    with_int8: bool,
    only_material: bool,
) -> int:
    """Compare networks, alone and under a teacher.

    STUDY is a TOML file that names a folder of classes, the students and their teachers; its paths
    are relative to itself, those of --set to the current folder. Each student is fitted alone,
    under its teacher, and made int8. A study that was stopped goes on with the same command.
    """
    from lungscan_cli.jobs.studying import Order, run_study

    order = Order(study, out, others, device, workers, lanes, threads, budget_s)
    return run_study(order, with_int8=with_int8, only_material=only_material)
