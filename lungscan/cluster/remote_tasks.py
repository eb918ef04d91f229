"""What goes to a worker and what comes back: small, frozen, and nothing of dask."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from lungscan.options import ScanOptions
from lungscan.types import CaseInput, CaseResult, ModelStamp

NO_MODEL = ModelStamp("", "", "", (), (), (), (), official=False)


@dataclass(frozen=True, slots=True)
class Job:
    """What is the same for all cases of a run."""

    options: ScanOptions
    model_sha256: str
    version: str  # of LungScan
    few_fields: bool  # whether fields get files of their own
    threads: int | None  # None: the cores of the machine, shared by ``neighbours``
    neighbours: int  # worker processes on the same machine
    stages: Path  # where results are left, if the worker can see it
    token: str  # what ``stages / "token"`` holds, by which the worker knows


@dataclass(frozen=True, slots=True)
class Task:
    """One case."""

    case: CaseInput
    known: tuple[str, ...]  # SHA-256 of its files as an earlier run recorded them, if it did


@dataclass(frozen=True, slots=True)
class Done:
    """How a case ended. ``stage`` holds its files: None when nothing has changed since."""

    result: CaseResult | None  # without tiles, pictures and model; None: as recorded earlier
    record_sha256: str = ""
    stage: Path | None = None
    files: tuple[tuple[str, int], ...] = ()  # names and sizes, when only the worker can see them
    worker: str = ""


def slim(result: CaseResult) -> CaseResult:
    """A result without what the driver knows or does not need: about a kilobyte."""
    files = tuple(replace(file, thumbnail_jpeg=None) for file in result.files)
    return replace(result, scores=(), pictures=(), files=files, model=NO_MODEL, settings=())


def whole(
    result: CaseResult, model: ModelStamp, settings: tuple[tuple[str, str], ...]
) -> CaseResult:
    """A result with what ``slim`` left out of it, as far as tables need it."""
    return replace(result, model=model, settings=settings)
