"""What an adaptation needs to know, what it tells while it runs, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungscan.evaluation.records import LabelledField
from lungscan.model.card import Metric, ModelCard
from lungscan.types import RgbBatch

FOLDS = 5  # of the cross-validation


@dataclass(frozen=True, slots=True)
class AdaptOptions:
    """All that ``lungscan adapt`` can be set to."""

    fields: Path  # a folder of fields or slides; folders named as classes are labels
    mpp: float | None = None  # µm per pixel, for pictures that do not say
    original: Path | None = None  # labelled fields of the laboratory that the model comes from
    name: str = ""  # of the adapted model; "": that of its folder
    folds: int = FOLDS
    threads: int | None = None
    command: str = ""  # how it was started, for the card
    reviews: Path | None = None  # results whose reviews say what the fields show


@dataclass(frozen=True)
class Own:
    """The laboratory's own files; row i of ``tiles`` shows ``files[owner[i]]``."""

    folder: str  # its last name
    files: tuple[LabelledField, ...]  # ``label`` is "" where nobody said
    slides: frozenset[str]  # which of them are slides
    tiles: RgbBatch  # (t, s, s, 3) squares of tissue
    owner: NDArray[np.int64]  # (t,)
    skipped: tuple[tuple[str, str], ...]  # file, why it is left out
    empty: tuple[str, ...]  # files in which no H&E-stained tissue was found
    strange: tuple[str, ...] = ()  # folders that are no class of the model
    reviewed: frozenset[str] = frozenset()  # files whose label is a reviewer's
    notes: tuple[str, ...] = ()  # sentences about reviews that cannot be used
    contents_sha256: str = ""  # over the fields' own, as a training's card has it; "": no field
    grouped: bool = True  # a table says which of the labelled files may share a patient
    unscaled: int = 0  # files of which nobody says how large their pixels are

    @property
    def labelled(self) -> tuple[LabelledField, ...]:
        """The files with a class."""
        return tuple(file for file in self.files if file.label)

    @property
    def labelled_fields(self) -> tuple[LabelledField, ...]:
        """Those of them that can be judged: no slides."""
        return tuple(file for file in self.labelled if file.file not in self.slides)

    @property
    def fields(self) -> tuple[LabelledField, ...]:
        """The files that are no slides."""
        return tuple(file for file in self.files if file.file not in self.slides)

    def rows(self, files: frozenset[str]) -> NDArray[np.int64]:
        """Rows of the tiles of some files."""
        wanted = np.array([file.file in files for file in self.files], np.bool_)
        return np.flatnonzero(wanted[self.owner])


@dataclass(frozen=True, slots=True)
class Shares:
    """How a model does on some fields, in the shares that matter; ``right`` None: no labels."""

    fields: int
    groups: int
    answered: float
    right: Metric | None = None  # forced choice
    right_answered: Metric | None = None
    commonest: float = 0.0  # with labels the share of the commonest class: naming it is no skill


@dataclass(frozen=True)
class AdaptResult:
    """The adapted model and what it gained or lost."""

    card: ModelCard
    before: Shares  # the source model, on the own fields
    after: Shares  # the adapted one; with labels cross-validated
    original_before: Shares | None
    original_after: Shares | None


@dataclass(frozen=True, slots=True)
class Step:
    """Something begins."""

    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """Something was found out that a person should know."""

    text: str


@dataclass(frozen=True, slots=True)
class Adapted:
    """The last event: the folder is written."""

    result: AdaptResult


AdaptEvent = Step | Found | Adapted
