"""What a running study tells whoever listens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StudyStarted:
    """The pictures are dealt; so many networks are to be fitted, some finished already."""

    networks: int
    finished: int
    detail: str


@dataclass(frozen=True, slots=True)
class NetworkStarted:
    """A network begins to learn."""

    name: str
    epochs: int


@dataclass(frozen=True, slots=True)
class NetworkEpoch:
    """An epoch of a network is done; ``epoch`` counts from 1."""

    name: str
    epoch: int
    epochs: int


@dataclass(frozen=True, slots=True)
class NetworkFitted:
    """A network is finished and kept; its accuracy is a share of the test part, if it has one."""

    name: str
    accuracy: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Quantized:
    """The int8 form of a network was made and judged, or could not be."""

    name: str
    detail: str


@dataclass(frozen=True, slots=True)
class OutOfTime:
    """The time given is over; what is not fitted is left to the next run."""

    missing: int


@dataclass(frozen=True, slots=True)
class StudyFinished:
    """The table is written."""

    files: tuple[Path, ...]


StudyEvent = (
    StudyStarted
    | NetworkStarted
    | NetworkEpoch
    | NetworkFitted
    | Quantized
    | OutOfTime
    | StudyFinished
)
