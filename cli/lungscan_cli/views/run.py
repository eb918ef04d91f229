"""Three ways to show a running scan on stderr: bars, plain lines, nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from lungscan.events import CaseFinished, CaseStarted, Notice, RunStarted, TilesScored
from lungscan.modalities.table import modality_of
from lungscan.types import CaseStatus
from lungscan_cli.console import count, duration, plain, say

SECONDS_BETWEEN_LINES = 5.0
RATE_AFTER_S = 1.0
LEAST_NAME, NAME_WIDTH = 8, 26
BESIDE_NAME = 44  # columns that bar, counts, rate and time want beside a name
FEW_CASES = 12  # up to so many, each case gets a line of its own


class View(Protocol):
    """What a scan is drawn on. Used as a context manager around the whole run."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...
    def run_started(self, event: RunStarted) -> None:
        """Draw the start of a run."""

    def case_started(self, event: CaseStarted) -> None:
        """Draw that a case was opened."""

    def tiles_scored(self, event: TilesScored) -> None:
        """Draw how far a case is."""

    def case_finished(self, event: CaseFinished, answer: str) -> None:
        """Draw that a case has ended."""

    def notice(self, event: Notice) -> None:
        """Show a remark."""


def view_for(console: Console, *, quiet: bool) -> View:
    """Choose bars for a terminal, plain lines for anything else, nothing for ``--quiet``."""
    if quiet:
        return SilentView()
    if console.is_terminal and not console.is_dumb_terminal:
        return BarView(console)
    return LineView(console)


class SilentView:
    """Shows nothing; failures are reported after the run."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def run_started(self, event: RunStarted) -> None:
        """Nothing to show."""

    def case_started(self, event: CaseStarted) -> None:
        """Nothing to show."""

    def tiles_scored(self, event: TilesScored) -> None:
        """Nothing to show."""

    def case_finished(self, event: CaseFinished, answer: str) -> None:
        """Nothing to show."""

    def notice(self, event: Notice) -> None:
        """Nothing to show."""


class LineView(SilentView):
    """Plain lines for logs: the start, each slide, and a sign of life every few seconds."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._last = self._begin = clock()
        self._cases = self._skipped = 0
        self._tile = tile_word(None)
        self._fresh = 0  # cases finished by this run, not by an earlier one
        self._names: dict[str, str] = {}

    def run_started(self, event: RunStarted) -> None:
        """Say what begins."""
        self._cases, self._skipped, self._tile = event.cases, event.skipped, tile_word(event)
        self._begin = self._last = self._clock()
        say(self._console, headline(event))

    def case_started(self, event: CaseStarted) -> None:
        """Remember the name for later lines."""
        self._names[event.key] = plain(event.case_id)

    def tiles_scored(self, event: TilesScored) -> None:
        """Every few seconds, say how far the slide is."""
        if event.total > 1 and event.done < event.total and self._is_time():
            name = self._names.get(event.key, event.key)
            say(self._console, f"  {name}: {event.done:,} of {count(event.total, self._tile)}")

    def case_finished(self, event: CaseFinished, answer: str) -> None:
        """Say how a slide, or one of a few cases, ended; else only how many are done."""
        result, done = event.result, event.index - self._skipped
        self._names.pop(result.key, None)
        if done <= 0:  # a skipped file: these come first, and the headline counted them
            return
        self._fresh += not event.resumed
        place = f"{done:,} of {count(self._cases, 'case')}"
        if self._cases <= FEW_CASES or any(file.kind != "field" for file in result.files):
            again = "from an earlier run" if event.resumed else duration(result.seconds)
            tiles = f", {count(result.counts.total, self._tile)}" if result.counts.total else ""
            say(self._console, f"  {place}: {plain(result.case_id)}: {answer}{tiles}, {again}")
            self._last = self._clock()
        elif self._is_time():
            rate = max(1, self._fresh) / max(1e-9, self._clock() - self._begin)
            left = duration((self._cases - done) / rate)
            say(self._console, f"  {place}, {rate:,.1f} cases/s, about {left} left")

    def notice(self, event: Notice) -> None:
        """Show the remark."""
        say(self._console, f"Note: {plain(event.text)}")

    def _is_time(self) -> bool:
        now = self._clock()
        if now - self._last < SECONDS_BETWEEN_LINES:
            return False
        self._last = now
        return True


class WatchView(LineView):
    """Lines of a watched folder: no summary follows, so each trouble is told as it comes."""

    def case_finished(self, event: CaseFinished, answer: str) -> None:
        """Say how it ended; of what could not be read, or was skipped, why."""
        super().case_finished(event, answer)
        result = event.result
        if result.status is CaseStatus.SKIPPED and self._skipped <= FEW_CASES:
            say(self._console, f"  {plain(result.case_id)}: {answer}")
        elif result.status in (CaseStatus.FAILED, CaseStatus.PARTIAL):
            say(self._console, f"    {plain(result.error_message)}")


class BarView(SilentView):
    """Two bars: the cases of the run, and the tiles of the slide being read."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._name_width = max(LEAST_NAME, min(NAME_WIDTH, console.width - BESIDE_NAME))
        self.progress = Progress(
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(width=self._name_width, no_wrap=True),
            ),
            BarColumn(bar_width=None),
            MofNCompleteColumn(table_column=Column(justify="right", no_wrap=True)),
            RateColumn(table_column=Column(justify="right", no_wrap=True, min_width=11)),
            TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True, min_width=5)),
            TextColumn("left"),
            console=console,
            transient=True,
            expand=True,
        )
        self._cases = self.progress.add_task("Cases", total=None, unit="cases")
        self._tiles = self.progress.add_task("", total=None, unit="tiles", visible=False)
        self._names: dict[str, str] = {}
        self._shown = ""
        self._skipped = 0

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def run_started(self, event: RunStarted) -> None:
        """Say what begins and set the length of the first bar."""
        say(self._console, headline(event))
        self._skipped = event.skipped
        self.progress.reset(self._cases, total=event.cases)
        self.progress.update(self._tiles, unit=modality_of(event.modality).words.tiles)

    def case_started(self, event: CaseStarted) -> None:
        """Remember the name; the bar appears when there is more than one tile."""
        self._names[event.key] = plain(event.case_id)

    def tiles_scored(self, event: TilesScored) -> None:
        """Move the second bar."""
        if event.total <= 1:
            return
        if event.key != self._shown:
            self._shown = event.key
            name = tail(self._names.get(event.key, event.key), self._name_width)
            self.progress.reset(self._tiles, total=event.total, visible=True, description=name)
        self.progress.update(self._tiles, completed=event.done)

    def case_finished(self, event: CaseFinished, answer: str) -> None:  # noqa: ARG002
        """Move the first bar."""
        key = event.result.key
        self._names.pop(key, None)
        if key == self._shown:
            self._shown = ""
            self.progress.update(self._tiles, visible=False)
        self.progress.update(self._cases, completed=max(0, event.index - self._skipped))

    def notice(self, event: Notice) -> None:
        """Show the remark above the bars."""
        say(self._console, f"Note: {plain(event.text)}", style="yellow")


class RateColumn(ProgressColumn):
    """Cases or tiles a second."""

    def render(self, task: Task) -> Text:
        """Show the lower of the present rate and the mean, once it says something.

        Cases of one handful, and those of an earlier run, come back in one moment.
        """
        elapsed, speed = task.elapsed or 0.0, task.finished_speed or task.speed
        if not speed or elapsed < RATE_AFTER_S:
            return Text("")
        speed = min(speed, task.completed / elapsed)
        number = f"{speed:,.0f}" if speed >= 10 else f"{speed:.1f}"
        return Text(f"{number} {task.fields['unit']}/s", style="progress.data.speed")


def tile_word(started: RunStarted | None) -> str:
    """What one of a run's tiles is called: of CT it is a slice."""
    return modality_of(started.modality if started else None).words.tile


def tail(name: str, width: int) -> str:
    """Shorten a path from the left: its end tells one slide from the next."""
    return name if len(name) <= width else "…" + name[1 - width :]


def headline(event: RunStarted) -> str:
    """Say in one line what begins: how much, with which model, on which device."""
    more = f" ({count(event.skipped, 'file')} skipped)" if event.skipped else ""
    return f"Classifying {count(event.cases, 'case')}{more} with {event.model} on {event.device}."
