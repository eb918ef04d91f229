"""What a kind of picture has of its own, as data: the engine asks this record and no more.

A model's card names its modality; ``lungscan.modalities.table`` finds the record by that name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lungscan.types import FileKind, FloatArray, NoResult, RgbBatch, TileQuality, TileState

Measure = Callable[[RgbBatch, FloatArray], TileQuality]  # (n, s, s, 3), scanned share (n,)
Judge = Callable[[TileQuality, FloatArray], tuple[TileState, ...]]  # tissue in each tile (n,)
Unlike = Callable[[RgbBatch], FloatArray]  # (n,); above 1 a tile is of another kind


@dataclass(frozen=True, slots=True)
class Words:
    """What reports, tables and messages call things."""

    judged: str  # what models of this modality judge, after "this model judges"
    kicker: str  # above the title of a report
    tile: str
    tiles: str
    share: str  # of a class: of what it is a share
    foreign: str  # a tile that is of another kind
    blank: str  # a tile without anything to judge
    clear: str  # title of the pictures shown first, of a case without an answer
    deciding: str  # the same of a case with one
    others: str  # title of the pictures shown last
    against: str  # the same where some of them name a tumour and the answer is none
    foreign_share: str  # "{share}" is how much of the case is of another kind
    elsewhere: str  # what makes pictures of the right kind look as if taken elsewhere
    elsewhere_share: str  # the same as a sentence: "{share}" of them, than "{known}"; "{advice}"
    little: str  # a sentence: nothing to judge was found
    unread: str  # a sentence: "{share}" of a case could not even be looked at
    damaged: str  # why, and the cure, after "would not stand for the whole."
    large: str  # of a model card: what becomes of a picture that is no square of the network's
    calibrated: str  # of a model card: what its confidence means of whole cases
    rule: str  # why the tumour-aware rule is what it is; "" where areas say it


@dataclass(frozen=True, slots=True)
class Modality:
    """One kind of picture."""

    name: str  # as cards write it
    kinds: frozenset[FileKind]  # files that hold it
    measure: Measure
    judge: Judge
    unlike: Unlike | None  # None: the network's own novelty is all that is asked
    foreign: NoResult  # the reason of what is of another kind
    little: NoResult  # the reason where there is nothing to judge
    # How a small tumour is told from false alarms: by the area of its tiles, or by the neighbours
    # of a slice.
    tumour_by: Literal["area", "neighbours"]
    by_suspicion: (
        bool  # the tiles shown first are the likeliest tumour, not the surest of any class
    )
    scaled: bool  # pixels have a scale that decides on tiles, and a wrong one may spoil an answer
    background: tuple[int, int, int]  # what lies beside a picture that is no square
    maps: bool  # tiles lie in a plane: class map and GeoJSON make sense
    slices: bool  # tiles are slices: the table of them says where each lies
    ignored_flags: frozenset[str]  # flags that mean nothing here
    words: Words
