"""``lungscan benchmark``: how fast networks are on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from lungscan_cli.choices import (
    ENVIRONMENT_NOTE,
    NEW_FILE,
    SETTINGS,
    answer_options,
    complete_model,
    out_option,
    threads_option,
)
from lungscan_cli.groups import ExamplesCommand


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan benchmark", "the shipped model in every runtime and precision"),
        ("lungscan benchmark lung-histology model-int8 --out speed.csv", "two models"),
        ("lungscan benchmark --network edgenext_small --px 192", "an architecture, no weights"),
    ),
    context_settings=SETTINGS,
    epilog="Every network gets its turn in each round, so that what slows the machine down slows "
    f"all alike. {ENVIRONMENT_NOTE}",
)
@click.argument("models", metavar="[MODEL]...", nargs=-1, shell_complete=complete_model)
@click.option(
    "--network",
    "networks",
    multiple=True,
    metavar="NAME",
    show_default="none",
    help="A network of timm's, with random weights; may be given several times.",
)
@click.option(
    "--px",
    type=click.IntRange(32, 2048),
    default=192,
    help="Side of the input of each --network.",
)
@click.option(
    "--rounds", type=click.IntRange(1), default=7, help="Repeats; medians are over all of them."
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=0.5,
    help="Length of one turn of one network.",
)
@threads_option
@out_option(
    "outs",
    multiple=True,
    type=NEW_FILE,
    show_default="none",
    help="A .csv, .json or .md file to write; may be given several times.",
)
@answer_options
def benchmark(
    *,
    models: tuple[str, ...],
    networks: tuple[str, ...],
    px: int,
    rounds: int,
    seconds: float,
    threads: int | None,
    outs: tuple[Path, ...],
    as_json: bool,
    quiet: bool,
) -> int:
    """Measure how fast networks are on this machine.

    MODEL is a shipped model's name or a model folder; without any, and without --network, the
    shipped model is measured: latency of one field, and throughput at the best batch.
    """
    from lungscan.benchmarking.records import BenchmarkOptions
    from lungscan.options import DEFAULT_MODEL
    from lungscan_cli.jobs.benchmarking import run_benchmark

    chosen = models or (() if networks else (DEFAULT_MODEL,))
    options = BenchmarkOptions(chosen, networks, px, threads, rounds, seconds)
    return run_benchmark(options, outs, as_json=as_json, quiet=quiet)
