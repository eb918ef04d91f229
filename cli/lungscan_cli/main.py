"""The ``lungscan`` command and its list of sub-commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import TextIOWrapper

import click

from lungscan import RESEARCH_USE, __version__
from lungscan_cli.border import Wanted, guarded
from lungscan_cli.groups import LazyGroup

COMMANDS = {
    "classify": "lungscan_cli.commands.classify:classify",
    "demo": "lungscan_cli.commands.demo:demo",
    "gui": "lungscan_cli.commands.gui:gui",
    "web": "lungscan_cli.commands.web:web",
    "models": "lungscan_cli.commands.models:models",
    "report": "lungscan_cli.commands.report:report",
    "verify": "lungscan_cli.commands.verify:verify",
    "reviews": "lungscan_cli.commands.reviews:reviews",
    "data": "lungscan_cli.commands.data:data",
    "train": "lungscan_cli.commands.train:train",
    "adapt": "lungscan_cli.commands.adapt:adapt",
    "study": "lungscan_cli.commands.study:study",
    "evaluate": "lungscan_cli.commands.evaluate:evaluate",
    "compare": "lungscan_cli.commands.compare:compare",
    "compress": "lungscan_cli.commands.compress:compress",
    "export": "lungscan_cli.commands.export:export",
    "benchmark": "lungscan_cli.commands.benchmark:benchmark",
    "doctor": "lungscan_cli.commands.doctor:doctor",
    "schema": "lungscan_cli.commands.schema:schema",
    "config": "lungscan_cli.commands.config:config",
    "completion": "lungscan_cli.commands.completion:completion",
}


@click.group(
    cls=LazyGroup,
    commands_at=COMMANDS,
    examples=(
        ("lungscan demo", "see it work, on pictures that come along"),
        ("lungscan classify slides/ --out results", "classify a folder"),
        ("lungscan doctor", "check this machine"),
    ),
    epilog=RESEARCH_USE,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "show_default": True,
        "max_content_width": 100,
    },
)
@click.version_option(__version__, prog_name="lungscan", message="%(prog)s %(version)s")
def lungscan() -> None:
    """Classify H&E lung tissue on slides and field images, and chest CT."""


def main(args: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; ``args`` default to those of the process."""
    _take_any_text()
    given = sys.argv[1:] if args is None else list(args)
    options = given[: given.index("--")] if "--" in given else given
    wanted = Wanted(json="--json" in options)  # also where Click refuses what stands beside it
    # Those of the process are left to Click: on Windows it does what a shell does elsewhere, *.svs.
    return guarded(
        lambda: lungscan.main(args=args, prog_name="lungscan", standalone_mode=False, obj=wanted),
        wanted,
    )


def _take_any_text() -> None:
    r"""Let stdout write what its encoding lacks as ``\u56fe``, as stderr does.

    A pipe or a file gets one of the old encodings on Windows, and a name may hold anything.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
