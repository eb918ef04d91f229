"""Two ways to show a running evaluation on stderr: a bar, or plain lines."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from lungscan.evaluation.events import FieldsJudged, JudgingStarted
from lungscan_cli.console import count, duration, plain, say
from lungscan_cli.views.run import RateColumn

_SECONDS_BETWEEN_LINES = 5.0


class QuietJudgingView:
    """Shows nothing. Used as a context manager around the whole evaluation."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def started(self, event: JudgingStarted) -> None:
        """Nothing to show."""

    def judged(self, event: FieldsJudged) -> None:
        """Nothing to show."""


class JudgingView(QuietJudgingView):
    """Plain lines for logs: each round, and a sign of life every few seconds."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._begin = self._last = clock()
        self._before = self._fields = 0  # fields of earlier rounds, and of this one
        self._total = 0

    def started(self, event: JudgingStarted) -> None:
        """Say which round begins."""
        if event.round > 1:
            self._before += self._fields
        else:
            self._begin = self._last = self._clock()
        self._fields = event.fields
        self._total = self._before + event.fields * (event.rounds - event.round + 1)
        place = f" ({event.round} of {event.rounds})" if event.rounds > 1 else ""
        say(self._console, f"Judging {count(event.fields, 'field')}: {plain(event.title)}{place}")

    def judged(self, event: FieldsJudged) -> None:
        """Every few seconds, say how far the whole is."""
        now, done = self._clock(), self._before + event.done
        if now - self._last < _SECONDS_BETWEEN_LINES or done >= self._total:
            return
        self._last = now
        left = duration((self._total - done) * (now - self._begin) / done)
        say(self._console, f"  {done:,} of {count(self._total, 'field')}, about {left} left")


class JudgingBarView(QuietJudgingView):
    """One bar over all rounds, with the round's name."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn(
                "{task.description}", markup=False, table_column=Column(width=26, no_wrap=True)
            ),
            BarColumn(bar_width=None),
            MofNCompleteColumn(table_column=Column(justify="right", no_wrap=True)),
            RateColumn(table_column=Column(justify="right", no_wrap=True, min_width=11)),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=console,
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task("Judging", total=None, unit="fields")
        self._before = self._fields = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def started(self, event: JudgingStarted) -> None:
        """Set the length of the bar and say which round it is."""
        self._before += self._fields
        self._fields = event.fields
        total = self._before + event.fields * (event.rounds - event.round + 1)
        self._progress.update(self._task, total=total, description=plain(event.title))

    def judged(self, event: FieldsJudged) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=self._before + event.done)


def judging_view(console: Console, *, quiet: bool) -> QuietJudgingView:
    """Choose a bar for a terminal, plain lines for anything else, nothing for ``--quiet``."""
    if quiet:
        return QuietJudgingView()
    if console.is_terminal and not console.is_dumb_terminal:
        return JudgingBarView(console)
    return JudgingView(console)
