"""What the process of a job tells the page: small, so that a thousand jobs leave no trace."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lungscan.opening.apart import Failure, Stopped
from lungscan.types import InputFile


@dataclass(frozen=True, slots=True)
class Task:
    """One job, as its process gets it."""

    paths: tuple[Path, ...]
    out: Path  # of the engine
    view: Path  # for pictures and answers: a folder for each case's key
    model: str
    mpp: float | None
    pixels: int  # the most that one image may have


@dataclass(frozen=True, slots=True)
class Filed:
    """Where the engine files a case, and with which model it answers: a name or a folder."""

    folder: Path
    model: str


@dataclass(frozen=True, slots=True)
class FoundCase:
    """A case before it is looked at. Its key is unique in the job, that of a run in the run."""

    key: str
    name: str
    kind: str
    files: tuple[InputFile, ...]
    filed: Filed


@dataclass(frozen=True, slots=True)
class Found:
    """What there is to do."""

    cases: tuple[FoundCase, ...]


@dataclass(frozen=True, slots=True)
class Began:
    """The model of a run is loaded; the run writes its tables into ``out``."""

    model: str
    out: Path


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
    filed: Filed


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something a person should know that belongs to no single case."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """All is done."""

    seconds: float


Message = Found | Began | Taken | Scored | Ended | Noticed | Finished | Failure | Stopped
