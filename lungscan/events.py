"""What a running scan tells whoever listens: a closed union of frozen records.

In this order: ``RunStarted``; ``CaseFinished`` of each skipped file; for each case ``CaseStarted``,
any number of ``TilesScored`` if it holds a slide, and ``CaseFinished``: many fields at once, then
the slides one by one; ``RunFinished``. A ``Notice`` may come anywhere after the start. A run that
is left, stopped or broken off by an error ends without ``RunFinished``.

On a cluster (``--cluster``) several cases are under way at once, the largest first. A watched
folder (``--watch``) gives one such sequence after the other, until it is stopped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lungscan.types import BoxArray, CaseResult, FloatArray, TileState


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The inputs are known and the model is loaded; scoring begins."""

    cases: int
    skipped: int
    model: str
    device: str
    out: Path
    modality: str | None = None  # of the model; None: the default one


@dataclass(frozen=True, slots=True)
class CaseStarted:
    """A case is taken up, before anything of it is read; fields by the handful.

    ``index`` counts from 1 in this order, skipped files first. Skipped files are not taken up.
    """

    key: str
    case_id: str
    index: int


@dataclass(frozen=True, slots=True, eq=False)
class ScoredTiles:
    """What a batch found, for whoever draws a map while it fills. Nobody may write to it."""

    file_index: int  # which of the case's files, those that could be read
    grid: BoxArray  # (total, 4) all tiles of that file, scored or not, in level-0 pixels
    first: int  # row of ``grid`` of the first tile scored here
    probs: FloatArray  # (n, classes), calibrated; NaN for tiles that could not be read
    state: tuple[TileState, ...]  # (n,)


@dataclass(frozen=True, slots=True)
class TilesScored:
    """One batch came back. ``done`` of ``total`` tiles of this case are scored.

    The files of a case are opened one after the other; ``total`` counts those opened so far.
    """

    key: str
    done: int
    total: int
    tiles: ScoredTiles | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class CaseFinished:
    """A case has ended, well or badly; ``result.status`` says which."""

    result: CaseResult
    index: int
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know that belongs to no single case."""

    text: str


@dataclass(frozen=True, slots=True)
class RunFinished:
    """All files are written. Counts are cases by how they ended."""

    ok: int
    no_result: int
    partial: int
    failed: int
    skipped: int
    tiles: int
    seconds: float
    out: Path


ScanEvent = RunStarted | CaseStarted | TilesScored | CaseFinished | Notice | RunFinished
