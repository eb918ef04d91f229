"""Tasks of the pages that make models, played by a test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from lungscan_gui.learning.page import LearningPage
from lungscan_gui.learning.tables import TableView
from lungscan_gui.learning.tasks import Task
from lungscan_gui.scanning.job import Stopped


class FakeJob:
    """Tells what a test wants it to tell."""

    def __init__(self, task: Task, events: list[Any]) -> None:
        self.task, self._events = task, events
        self.go = threading.Event()
        self.stopped = False

    def events(self) -> Iterator[Any]:
        yield from self._events
        self.go.wait(30)
        if self.stopped:
            yield Stopped()

    def stop(self) -> None:
        self.stopped = True
        self.go.set()

    def kill(self) -> None:
        self.go.set()


def script(page: LearningPage, events: dict[type, list[Any]]) -> list[FakeJob]:
    made: list[FakeJob] = []

    def make(task: Task) -> FakeJob:
        made.append(FakeJob(task, events.get(type(task), [])))
        return made[-1]

    page.runner.make_job = make
    return made


def tables_of(page: LearningPage) -> dict[str, list[list[str]]]:
    found = {}
    for view in page.findChildren(TableView):
        grid = view.grid
        found[grid.accessibleName()] = [
            [grid.item(row, column).text() for column in range(grid.columnCount())]
            for row in range(grid.rowCount())
        ]
    return found
