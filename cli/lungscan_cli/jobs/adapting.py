"""Run an adaptation for the shell: tell each step, show what was gained."""

from __future__ import annotations

import dataclasses
import shlex
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

import lungscan
from lungscan.adaptation.records import (
    FOLDS,
    Adapted,
    AdaptOptions,
    AdaptResult,
    Found,
    Step,
)
from lungscan.adaptation.wording import gain_rows, reserves
from lungscan.door import jobs
from lungscan.model.doubt import doubt
from lungscan_cli.border import INTERRUPTED
from lungscan_cli.console import answers, people, plain, say, shell_path, write_json
from lungscan_cli.views.made import say_use


@dataclass(frozen=True, slots=True)
class Order:
    """What a person typed."""

    model: str
    fields: Path
    out: Path
    mpp: float | None
    original: Path | None
    name: str
    folds: int
    threads: int | None
    reviews: Path | None = None

    def options(self) -> AdaptOptions:
        """The engine's options."""
        return AdaptOptions(
            self.fields,
            self.mpp,
            self.original,
            self.name,
            self.folds,
            self.threads,
            self.command(),
            self.reviews,
        )

    def command(self) -> str:
        """The call as it may stand in a model's card: no folder of this machine is named."""
        words = ["lungscan", "adapt", shell_path(Path(self.model)), shell_path(self.fields)]
        words += ["--out", shell_path(self.out)]
        words += [] if self.mpp is None else ["--mpp", f"{self.mpp:g}"]
        words += [] if self.original is None else ["--original", shell_path(self.original)]
        words += [] if self.reviews is None else ["--reviews", shell_path(self.reviews)]
        words += ["--name", self.name] if self.name else []
        words += ["--folds", str(self.folds)] if self.folds != FOLDS else []
        return shlex.join(words)


def run_adaptation(order: Order, *, as_json: bool, quiet: bool) -> int:
    """Adapt and return the exit code: 0 fine, 130 interrupted."""
    console = Console(quiet=True) if quiet else people()
    try:
        result = _follow(order, console)
    except KeyboardInterrupt:
        say(console, "Stopped; nothing was written.")
        return INTERRUPTED
    if as_json:
        write_json({"schema_version": 1, **_as_data(result)})
        return 0
    if not quiet:
        answers().print(_table(result))
    for reserve in reserves(result):
        say(console, reserve, style="yellow")
    say_use(console, order.out, result.card, order.mpp)
    return 0


def _follow(order: Order, console: Console) -> AdaptResult:
    """Draw each event. Leaving early closes the adaptation, which then leaves nothing behind."""
    animated = console.is_terminal and not console.is_dumb_terminal and not console.quiet
    status = console.status("Reading the model ...") if animated else None
    events = lungscan.adapt(jobs.AdaptJob(order.model, order.options(), order.out))
    with closing(events), status or nullcontext():
        for event in events:
            match event:
                case Step():
                    text = f"{plain(event.text)} ..."
                    if status is None:
                        say(console, text, style="dim")
                    else:
                        status.update(text)
                case Found():
                    say(console, f"  {plain(event.text)}")
                case Adapted():
                    return event.result
    raise RuntimeError("the adaptation ended without saying so")


def _table(result: AdaptResult) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("")
    table.add_column("before", justify="right")
    table.add_column("adapted", justify="right")
    for row in gain_rows(result):
        table.add_row(*row)
    return table


def _as_data(result: AdaptResult) -> dict[str, object]:
    shares = {
        name: None if (part := getattr(result, name)) is None else dataclasses.asdict(part)
        for name in ("before", "after", "original_before", "original_after")
    }
    return {
        "folder": str(result.card.folder),
        "name": result.card.name,
        "sha256": result.card.sha256,
        "unproven": doubt(result.card),
        **shares,
    }
