"""How a caller ends a job: by its own event, or by leaving the generator."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from threading import Event
from typing import TypeVar

E = TypeVar("E")


def until(stop: Event | None, events: Generator[E, None, None]) -> Generator[E, None, None]:
    """The events, up to the first after ``stop`` was set; then the job is closed."""
    with closing(events):
        for event in events:
            if stop is not None and stop.is_set():
                return
            yield event
