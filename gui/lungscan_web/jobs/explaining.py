"""What an answer depends on, made when somebody asks: a process of its own for each question."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lungscan.opening.apart import DEATH_S, Apart, Failure
from lungscan_web.jobs.limits import TooMany

CHILD = "lungscan_web.jobs.explaining_child"
PICTURE = "explanation.png"  # in the view of its case
MOST, AT_ONCE = 8, 1  # questions under way, of all visitors, and how many are computed
PATIENCE_S = 180.0
BOXED = ("slide", "series")  # kinds of files of which one tile is explained, not the whole
Box = tuple[int, int, int, int]
Key = tuple[str, int]  # a job's number and its case's


@dataclass(frozen=True, slots=True)
class Question:
    """Which answer. Tiles of slides are named by their box; a field is taken whole."""

    record: Path  # the case's record
    image: Path
    box: Box | None
    model: str
    mpp: float | None
    view: Path  # where the picture goes


@dataclass(frozen=True, slots=True)
class Reply:
    """The picture is there."""

    title: str
    words: str


@dataclass(slots=True)
class Explanation:
    """How far it is: working, ready or failed."""

    state: str = "working"
    message: str = ""
    reply: Reply | None = None


class Explanations:
    """All that was asked. May be used by several threads."""

    def __init__(self, start: Callable[[], Apart] | None = None) -> None:
        self._start = start or (lambda: Apart(CHILD, others="the page and other jobs are"))
        self._asked: dict[Key, Explanation] = {}
        self._processes: dict[Key, Apart] = {}
        self._computing = threading.Semaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._ended = threading.Condition(self._lock)  # a process has
        self._closed = False

    def look(self, job: str, case: int) -> Explanation | None:
        """How far an explanation is; None when nobody has asked for it."""
        with self._lock:
            found = self._asked.get((job, case))
            return dataclasses.replace(found) if found else None

    def ask(self, job: str, case: int, question: Question) -> Explanation:
        """Have it made, unless it is there or under way; does not wait.

        Raises:
            TooMany: too many are under way.
        """
        with self._lock:
            found = self._asked.get((job, case))
            if found is None or found.state == "failed":
                if self._closed or self._working() >= MOST:
                    raise TooMany("Many explanations are under way. Try again in a minute.")
                found = self._asked[job, case] = Explanation()
                todo = ((job, case), found, question)
                threading.Thread(
                    target=self._make, args=todo, name="explaining", daemon=True
                ).start()
            return dataclasses.replace(found)

    def forget(self, job: str) -> None:
        """Nothing of a job is known any more, and nothing is written for it."""
        with self._lock:
            for key in [key for key in self._asked if key[0] == job]:
                del self._asked[key]
            self._kill([key for key in self._processes if key[0] == job])

    def close(self) -> None:
        """End all that is under way."""
        with self._lock:
            self._closed = True
            self._kill(list(self._processes))

    def _kill(self, keys: list[Key]) -> None:
        """End these processes, and wait until they have: what they write is about to be deleted."""
        for key in keys:
            self._processes[key].kill()
        self._ended.wait_for(lambda: not self._processes.keys() & keys, DEATH_S)

    @property
    def computing(self) -> int:
        """How many have a process."""
        with self._lock:
            return len(self._processes)

    def _working(self) -> int:
        return sum(each.state == "working" for each in self._asked.values())

    def _make(self, key: Key, found: Explanation, question: Question) -> None:
        outcome: object = None
        try:
            with self._computing:
                outcome = self._outcome(key, found, question)
        finally:
            self._settle(found, outcome)

    def _settle(self, found: Explanation, outcome: object) -> None:
        with self._lock:
            if isinstance(outcome, Reply):
                found.state, found.reply = "ready", outcome
            else:
                found.state = "failed"
                found.message = outcome.message if isinstance(outcome, Failure) else "It was ended."

    def _outcome(self, key: Key, found: Explanation, question: Question) -> object:
        """The last word of a process; None when nobody wants it any more."""
        with self._lock:
            if self._closed or self._asked.get(key) is not found:
                return None
            process = self._processes[key] = self._start()
        killer = threading.Timer(PATIENCE_S, process.kill)
        killer.start()
        try:
            process.begin(question)
            events = list(process.events())
        finally:
            killer.cancel()
            with self._ended:
                del self._processes[key]
                self._ended.notify_all()
        return events[-1] if events else None


def question_of(answer: dict[str, Any], number: int) -> Box | None:
    """Which tile of file ``number`` to ask about: the clearest one that the answer shows."""
    shown = [item for item in answer["evidence"] if item["file"] == number]
    top = [item for item in shown if item["role"] == "top"] or shown
    return tuple(top[0]["box"]) if top else None


def described(found: Explanation, url: str) -> dict[str, Any]:
    """An explanation as JSON; ``url`` is where its picture is."""
    pictures = []
    if found.reply is not None:
        pictures = [{"title": found.reply.title, "url": url, "words": found.reply.words}]
    return {"state": found.state, "message": found.message, "pictures": pictures}
