"""Run a training for the shell: draw its events, and say how to go on when it is stopped."""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

from rich.console import Console

import lungscan
from lungscan.door import jobs
from lungscan.model.checked import read_card
from lungscan.training.events import (
    EpochFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    TrainEvent,
)
from lungscan.training.options import TrainOptions, changed, load_options
from lungscan_cli.border import INTERRUPTED
from lungscan_cli.console import people, plain, say, shell_path
from lungscan_cli.views.made import say_use
from lungscan_cli.views.training import TrainView, train_view_for

PATHS = ("split_file", "teacher_from", "start_from")  # options that name a file


@dataclass(frozen=True, slots=True)
class Order:
    """What a person typed."""

    root: Path
    recipe: Path | None
    out: Path
    stages: tuple[str, ...]
    flags: dict[str, Any]  # fields of the recipe that flags replace
    others: tuple[str, ...] = ()  # KEY=VALUE of further fields

    def options(self) -> TrainOptions:
        """The recipe, or the standard one named after the data, with its changes."""
        if self.recipe is None:
            options = TrainOptions(name=self.root.resolve().name, pretrained=True)
        else:
            options = load_options(self.recipe)
        return changed(dataclasses.replace(options, **self.flags), self.others)

    def command(self) -> str:
        """The call as it may stand in a model's card, for all stages at once.

        No folder of this machine is named.
        """
        words = ["lungscan", "train", shell_path(self.root), "--out", shell_path(self.out)]
        if self.recipe is not None:
            words += ["--recipe", shell_path(self.recipe)]
        for name, value in self.flags.items():
            words += _flag(name, value)
        words += [word for pair in self.others for word in ("--set", pair)]
        return shlex.join(words)


def _flag(name: str, value: Any) -> list[str]:
    if name == "allow_leakage":
        return ["--allow-leakage" if value else "--refuse-leakage"]
    flag = "split" if name == "split_file" else name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    return [f"--{flag}", shell_path(Path(value)) if name in PATHS else str(value)]


def run_training(order: Order) -> int:
    """Train and return the exit code: 0 fine, 130 interrupted."""
    console = people() if _first_rank() else Console(quiet=True)
    options = order.options()
    say(console, "Loading torch ...", style="dim")
    try:
        job = jobs.TrainJob(options, order.root, order.out, order.stages, order.command())
        events = lungscan.train(job)
        _follow(events, train_view_for(console))
    except KeyboardInterrupt:
        kept = order.out if options.folds else order.out / "training"
        say(
            console,
            "Stopped. The last finished epoch is safe in "
            f"{plain(str(kept))}; run the same command again to go on from it.",
        )
        return INTERRUPTED
    if not _first_rank():
        return 0
    if not order.stages or "bundle" in order.stages:
        folder = plain(str(order.out))
        say(console, f"The model lies in {folder}; its README.md says how good it is.")
        say_use(console, order.out, read_card(order.out))
    return 0


def _first_rank() -> bool:
    """Whether this process may speak: under torchrun several run the same command."""
    return os.environ.get("RANK", "0") == "0"


def _follow(
    events: Generator[TrainEvent | jobs.TrainFinished, None, None], view: TrainView
) -> None:
    """Draw each event. Leaving early closes the training."""
    with closing(events), view:
        for event in events:
            match event:
                case RunStarted():
                    view.run_started(event)
                case StageStarted():
                    view.stage_started(event)
                case EpochFinished():
                    view.epoch_finished(event)
                case StageFinished():
                    view.stage_finished(event)
                case jobs.TrainFinished():
                    pass
                case _:
                    assert_never(event)
