"""What the process of a job tells the page: small, so that a thousand jobs leave no trace."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lungscan.opening.apart import Failure, Stopped
from lungscan.types import InputFile


@dataclass(frozen=True, slots=True)
class Task:
    """One job, as its process is told it."""

    paths: tuple[Path, ...]
    out: Path  # of the engine
    view: Path  # for pictures and answers: a folder for each case's key
    model: str
    mpp: float | None
    pixels: int  # the most that one image may have


@dataclass(frozen=True, slots=True)
class FoundCase:
    """A case before it is looked at."""

    key: str
    name: str
    kind: str
    files: tuple[InputFile, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What there is to do."""

    cases: tuple[FoundCase, ...]


@dataclass(frozen=True, slots=True)
class Began:
    """The model is loaded."""

    model: str
    device: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A case is taken up."""

    key: str


@dataclass(frozen=True, slots=True)
class Scored:
    """So many tiles of a case have been scored."""

    key: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A case has ended; its answer lies in the job's folder."""

    key: str
    name: str
    kind: str
    status: str
    headline: str
    confidence: str
    color: str  # of the answered class, "" without one
    thumbnail: bool


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something a person should know that belongs to no single case."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """All is done."""

    seconds: float


Message = Found | Began | Taken | Scored | Ended | Noticed | Finished | Failure | Stopped
