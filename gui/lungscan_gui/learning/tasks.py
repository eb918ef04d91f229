"""What the process of a page that makes models is asked for, and what it tells. No Qt.

Beside the records here it tells the engine's own events of a training.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LookAtData:
    """Audit a data folder and deal its pictures. Answered by ``DataSeen``."""

    folder: Path


@dataclass(frozen=True, slots=True)
class TrainModel:
    """Train, or go on with a training. Answered by the engine's events and ``ModelMade``."""

    folder: Path
    out: Path
    recipe: Path | None = None  # None: the standard recipe
    changes: tuple[str, ...] = ()  # KEY=VALUE in TOML, as the command line's --set


@dataclass(frozen=True, slots=True)
class JudgeModel:
    """Measure a model on the pictures that its training held out. Answered by ``Judged``."""

    model: Path
    folder: Path


@dataclass(frozen=True, slots=True)
class AdaptModel:
    """Adapt a model to one's own slides. Answered by ``Step``, ``Finding`` and ``ModelMade``."""

    model: str  # a shipped one's name, or a folder
    fields: Path
    out: Path
    mpp: float | None = None  # µm per pixel, for pictures that do not say
    reviews: Path | None = None  # results below which the pictures were reviewed


Task = LookAtData | TrainModel | JudgeModel | AdaptModel


@dataclass(frozen=True, slots=True)
class Step:
    """How far it is; ``what`` is for people."""

    what: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence about what was found."""

    words: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows for people, the first of them heads."""

    title: str
    heads: Row
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class DataSeen:
    """The audit and the split of a data folder."""

    tables: tuple[Table, ...]
    warnings: tuple[str, ...]  # what a person should look at before training
    classes: int


@dataclass(frozen=True, slots=True)
class ModelMade:
    """A model folder is finished."""

    folder: Path
    name: str
    doubt: str  # why it is unproven; "" when it is proven
    tables: tuple[Table, ...] = ()  # what was measured
    notes: tuple[str, ...] = ()  # what to know before it is used


@dataclass(frozen=True, slots=True)
class Judged:
    """Figures with their intervals, and where the files lie."""

    tables: tuple[Table, ...]
    warnings: tuple[str, ...]  # sentences that every output of them must carry
    out: Path
