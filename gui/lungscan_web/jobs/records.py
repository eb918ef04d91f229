"""A job and its cases, as they stand now. Changed by the desk alone, which holds its lock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from lungscan.report.quantities import duration
from lungscan.types import InputFile
from lungscan_web.jobs.messages import Filed

ANSWER = "answer.json"  # in the view of its case: what the page shows
FORGET_S = 1.0  # before a rate is known


class JobState(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self in (JobState.FINISHED, JobState.CANCELLED, JobState.FAILED)


@dataclass(frozen=True, slots=True)
class Choice:
    """What may be chosen with the files."""

    model: str  # a shipped model's name or a folder; never what a visitor typed
    mpp: float | None = None  # µm per level-0 pixel, for images that do not say


@dataclass(slots=True, eq=False)
class JobCase:
    """One case of a job."""

    key: str
    name: str
    kind: str
    files: tuple[InputFile, ...] = ()
    filed: Filed | None = None  # None of a file that nobody has opened yet
    state: str = "waiting"  # waiting, running, ended
    status: str = ""
    headline: str = ""
    confidence: str = ""
    color: str = ""
    thumbnail: bool = False
    why: str = ""  # of a file that no model was shown: the reason, in place of an answer


@dataclass(slots=True)
class Pace:
    """How fast tiles, or cases, come."""

    began: float = 0.0
    done: int = 0
    total: int = 0

    def start(self, now: float) -> None:
        """Count from here."""
        self.began, self.done, self.total = now, 0, 0

    def rate(self, now: float) -> float | None:
        """A second, once that is known."""
        seconds = now - self.began
        return self.done / seconds if self.done and seconds >= FORGET_S else None

    def left(self, now: float) -> float | None:
        """Seconds."""
        rate = self.rate(now)
        return (self.total - self.done) / rate if rate else None


@dataclass(slots=True, eq=False)
class Job:
    """One job. Times are of the desk's clock, which only goes forward."""

    id: str
    visitor: str
    folder: Path
    names: tuple[str, ...]
    paths: tuple[Path, ...]
    choice: Choice
    asked: float
    refused: tuple[tuple[str, str], ...] = ()  # files that stayed out: name, and why
    state: JobState = JobState.WAITING
    cases: list[JobCase] = field(default_factory=list)
    message: str = ""
    code: str = ""
    notices: list[str] = field(default_factory=list)
    runs: list[tuple[str, Path]] = field(default_factory=list)  # model and folder of each
    tiles: Pace = field(default_factory=Pace)  # of the case that runs
    pace: Pace = field(default_factory=Pace)  # of cases
    began: float = 0.0
    ended: float = 0.0
    watchers: int = 0
    seen: float = 0.0  # when somebody last looked at it
    stopping: bool = False
    version: int = 0  # counts changes

    @property
    def out(self) -> Path:
        """The engine's folder of results."""
        return self.folder / "out"

    @property
    def view(self) -> Path:
        """The page's own pictures and answers."""
        return self.folder / "view"

    def answering(self) -> list[tuple[int, str, Path]]:
        """The runs whose answers stand, by number from 1, with model and folder.

        A picture that one model found nothing in was shown to another one, whose answer stands; the
        first one's table would say of the same picture that it has no result.
        """
        ended = [case for case in self.cases if case.state == "ended" and case.status != "skipped"]
        filed = [case.filed.folder for case in ended if case.filed]
        return [
            (number, model, out)
            for number, (model, out) in enumerate(self.runs, start=1)
            if any(folder.is_relative_to(out) for folder in filed)
        ]

    @property
    def done(self) -> int:
        """Cases that have ended."""
        return sum(case.state == "ended" for case in self.cases)

    def copy(self) -> Job:
        """As it stands, for whoever looks at it while it goes on."""
        return replace(
            self,
            cases=[replace(case) for case in self.cases],
            tiles=replace(self.tiles),
            pace=replace(self.pace),
            notices=list(self.notices),
            runs=list(self.runs),
        )

    def case(self, number: int) -> JobCase | None:
        """The case of this number, from 1."""
        return self.cases[number - 1] if 0 < number <= len(self.cases) else None

    def by_key(self, key: str) -> JobCase:
        """The case of this key; a new one when it was not found before (a file left out)."""
        for case in self.cases:
            if case.key == key:
                return case
        case = JobCase(key, "", "")
        self.cases.append(case)
        return case


@dataclass(frozen=True, slots=True)
class Progress:
    """Rate and time left, in words; "" and None while they are not known."""

    rate: str = ""
    left: str = ""
    left_seconds: float | None = None


def progress_of(job: Job, now: float) -> Progress:
    """Of the tiles of the case that runs, or of the cases when there are several."""
    if job.state is not JobState.RUNNING:
        return Progress()
    several = len(job.cases) > 1
    pace = job.pace if several else job.tiles
    rate, left = pace.rate(now), pace.left(now)
    if rate is None or left is None:
        return Progress()
    unit = "cases" if several else _tiles(job)
    return Progress(f"{rate:,.3g} {unit}/s", f"about {duration(left)} left", left)


def words_of(job: Job, place: int) -> str:
    """A sentence for people, and for a screen reader."""
    if job.state is JobState.RUNNING:
        return _running(job)
    waiting = "Next in line." if place <= 1 else f"{place - 1} before yours."
    texts = {
        JobState.WAITING: waiting,
        JobState.STARTING: "Starting …",
        JobState.FINISHED: "Done.",
        JobState.CANCELLED: job.message or "Cancelled.",
    }
    return texts.get(job.state, job.message)


def _running(job: Job) -> str:
    if len(job.cases) > 1:
        return f"{job.done} of {len(job.cases)} cases are done."
    if job.tiles.total:
        return f"{job.tiles.done:,} of {job.tiles.total:,} {_tiles(job)}."
    return "Reading the image …"


def _tiles(job: Job) -> str:
    """What is counted of the only case of a job."""
    return "slices" if any(case.kind == "series" for case in job.cases) else "tiles"


Clock = Callable[[], float]
CLOCK: Clock = time.monotonic
