"""Two ways to show a running training on stderr: a bar of epochs, or plain lines."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Column

from lungscan.model.shares import percent
from lungscan.training.events import EpochFinished, RunStarted, StageFinished, StageStarted
from lungscan_cli.console import count, duration, plain, say

Clock = Callable[[], float]


class Pace:
    """How long the rest of a stage will take, from the epochs seen so far."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begin = clock()
        self._seen = 0

    def seconds_left(self, event: EpochFinished) -> float:
        """Seconds for the epochs after this one, at the mean pace with all that lies between."""
        self._seen += 1
        return (event.epochs - event.epoch) * (self._clock() - self._begin) / self._seen


class TrainView:
    """Plain lines, for logs and pipes. Used as a context manager around the whole training."""

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._pace = Pace(clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def run_started(self, event: RunStarted) -> None:
        """Say which of several trainings begins."""
        title = plain(event.title)
        say(
            self._console,
            f"\n{title[:1].upper()}{title[1:]} (training {event.number} of {event.count})",
            style="bold",
        )

    def stage_started(self, event: StageStarted) -> None:
        """Say what begins."""
        self._pace = Pace(self._clock)
        say(self._console, headline(event), style="bold")

    def epoch_finished(self, event: EpochFinished) -> None:
        """Say how an epoch went."""
        left = self._pace.seconds_left(event)
        more = f", about {duration(left)} left" if left else ""
        say(self._console, f"  epoch {event.epoch} of {event.epochs}: {figures(event)}{more}")

    def stage_finished(self, event: StageFinished) -> None:
        """Say how a stage, or one of its figures, turned out."""
        say(self._console, f"  {plain(event.detail)}")


class TrainBarView(TrainView):
    """A bar over the epochs of the stage that runs; what is done stays above it as lines."""

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        super().__init__(console, clock)
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[status]}", markup=False, table_column=Column(no_wrap=True)),
            console=console,
            transient=True,
            expand=True,
        )
        self.task: TaskID | None = None
        self._title = ""  # which training it is, before each bar
        self._accuracy: float | None = None  # of the last epoch that measured it

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def run_started(self, event: RunStarted) -> None:
        """Say which of several trainings begins; what the last one showed is over."""
        self._remove()
        self._title = f"{event.title}, "
        super().run_started(event)

    def stage_started(self, event: StageStarted) -> None:
        """Say what begins and show its bar, which only pulses until something is counted."""
        super().stage_started(event)
        self._remove()
        self._accuracy = None
        self.task = self.progress.add_task(
            plain(self._title + event.stage), total=event.epochs or None, status=""
        )

    def epoch_finished(self, event: EpochFinished) -> None:
        """Move the bar."""
        if self.task is None:
            return
        if event.validation_accuracy is not None:
            self._accuracy = event.validation_accuracy
        left = self._pace.seconds_left(event)
        status = f"{figures(event, self._accuracy)}, {duration(left)} left"
        self.progress.update(self.task, completed=event.epoch, total=event.epochs, status=status)

    def stage_finished(self, event: StageFinished) -> None:
        """Take the bar away and say how it turned out."""
        self._remove()
        super().stage_finished(event)

    def _remove(self) -> None:
        if self.task is not None:
            self.progress.remove_task(self.task)
            self.task = None


def train_view_for(console: Console) -> TrainView:
    """Choose a bar for a terminal, plain lines for anything else."""
    if console.is_terminal and not console.is_dumb_terminal:
        return TrainBarView(console)
    return TrainView(console)


def headline(event: StageStarted) -> str:
    """Say in one line what begins."""
    epochs = f", {count(event.epochs, 'epoch')}" if event.epochs else ""
    return f"{event.stage.capitalize()}: {plain(event.detail)}{epochs}"


def figures(event: EpochFinished, accuracy: float | None = None) -> str:
    """Loss, validation accuracy (``accuracy`` when this epoch measured none) and rate."""
    known = accuracy if event.validation_accuracy is None else event.validation_accuracy
    validation = "" if known is None else f"validation {percent(known)}, "
    return f"loss {event.loss:.3f}, {validation}{event.images_per_s:,.0f} images/s"
