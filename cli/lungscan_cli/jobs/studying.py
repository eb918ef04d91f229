"""Run a study for the shell: draw its events, show its table, say how to go on."""

from __future__ import annotations

import shlex
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self, assert_never

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

import lungscan
from lungscan import RESEARCH_USE
from lungscan.door import jobs
from lungscan.model.shares import percent
from lungscan.studies.events import (
    NetworkEpoch,
    NetworkFitted,
    NetworkStarted,
    OutOfTime,
    Quantized,
    StudyEvent,
    StudyFinished,
    StudyStarted,
)
from lungscan.studies.options import changed_study, load_study
from lungscan_cli.border import INTERRUPTED
from lungscan_cli.console import count, duration, people, plain, say, shell_path


@dataclass(frozen=True, slots=True)
class Order:
    """What a person typed."""

    study: Path
    out: Path
    others: tuple[str, ...]
    device: str
    workers: int
    lanes: int
    threads: int
    budget_s: float | None

    def job(self, *, with_int8: bool, only_material: bool) -> jobs.StudyJob:
        """The study with its changes, and with what to compute it."""
        return jobs.StudyJob(
            changed_study(load_study(self.study), self.others),
            self.study.parent,
            self.out,
            self.device,
            self.workers,
            self.lanes,
            self.threads,
            self.budget_s,
            self.command(),
            only_material=only_material,
            with_int8=with_int8,
        )

    def command(self) -> str:
        """The call as it may stand in the table: no folder of this machine is named."""
        words = ["lungscan", "study", shell_path(self.study), "--out", shell_path(self.out)]
        words += [word for pair in self.others for word in ("--set", pair)]
        return shlex.join(words)


def run_study(order: Order, *, with_int8: bool, only_material: bool) -> int:
    """Run the study and return the exit code: 0 fine, 130 interrupted."""
    console = people()
    job = order.job(with_int8=with_int8, only_material=only_material)
    say(console, "Loading torch ...", style="dim")
    events = lungscan.study(job)
    try:
        with closing(events), StudyView(console) as view:
            for event in events:
                view.draw(event)
    except KeyboardInterrupt:
        say(
            console,
            f"Stopped. Every finished network is safe in {plain(str(order.out))}; run the same "
            "command again to go on.",
        )
        return INTERRUPTED
    say(console, RESEARCH_USE, style="bold")
    return 0


class StudyView:
    """A bar of networks on a terminal, plain lines elsewhere. Used as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._bar: TaskID | None = None
        if console.is_terminal and not console.is_dumb_terminal:
            self._progress = Progress(
                TextColumn("networks", markup=False),
                BarColumn(bar_width=None),
                MofNCompleteColumn(),
                TextColumn("{task.fields[status]}", markup=False),
                console=console,
                transient=True,
            )

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def draw(self, event: StudyEvent) -> None:
        """Show one event."""
        match event:
            case StudyStarted():
                left = event.networks - event.finished
                say(
                    self._console,
                    f"{plain(event.detail)}. {count(event.networks, 'network')}, {left:,} to fit.",
                )
                if self._progress is not None:
                    self._bar = self._progress.add_task(
                        "", total=event.networks, completed=event.finished, status=""
                    )
            case NetworkStarted():
                self._show_status(f"{event.name} begins")
            case NetworkEpoch():
                self._show_status(f"{event.name}, epoch {event.epoch} of {event.epochs}")
            case NetworkFitted():
                share = (
                    ""
                    if event.accuracy is None
                    else f", {percent(event.accuracy)} of the test part"
                )
                say(self._console, f"{event.name}{share}, {duration(event.seconds)}")
                if self._progress is not None and self._bar is not None:
                    self._progress.advance(self._bar)
            case Quantized():
                say(self._console, f"{event.name}: int8, {event.detail}")
            case OutOfTime():
                networks = count(event.missing, "network is", "networks are")
                say(
                    self._console,
                    f"{networks} not fitted yet; the same command goes on.",
                    style="yellow",
                )
            case StudyFinished():
                names = " and ".join(plain(str(path)) for path in event.files)
                say(self._console, f"Written: {names}.")
            case _:
                assert_never(event)

    def _show_status(self, text: str) -> None:
        if self._progress is not None and self._bar is not None:
            self._progress.update(self._bar, status=text)
