"""What goes into a compression, what it tells while it runs, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lungscan.dataset.labelled_tiles import LabelledTiles
from lungscan.model.card import ModelCard
from lungscan.types import RgbBatch


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much an int8 model may differ from the model that it was made from."""

    accuracy: float = 0.005  # lost, as a share of the judged tiles
    refusals: float = 0.02  # tiles answered by one of the two alone, as a share


@dataclass(frozen=True)
class CompressionJob:
    """All that a compression needs to know."""

    source: ModelCard  # as ``read_card`` or ``find_model`` returned it
    # Ranges are measured on these: a few hundred tiles of the training part with counter-examples
    # among them. What lies outside the ranges is cut off, and could then pass for tissue.
    calibration: RgbBatch
    tiles: LabelledTiles  # of the validation part; what is lost is measured on these
    foreign: RgbBatch | None = None  # other counter-examples, which must stay refused
    bounds: Bounds = Bounds()
    threads: int | None = None  # None: every core this process may use
    command: str = ""  # how it was started, for the card
    note: str = ""  # what to know of the tiles that judge, for the card and the terminal


@dataclass(frozen=True, slots=True)
class Agreement:
    """The int8 model beside its source in fp32, on the same tiles."""

    tiles: int
    groups: int
    accuracy_before: float
    accuracy_after: float
    became_wrong: int
    became_right: int
    answered_before: float  # share that gets an answer: neither novel nor too uncertain
    answered_after: float
    refusals_changed: int  # tiles answered by one of the two alone
    foreign: int  # counter-examples asked
    foreign_answered_before: int
    foreign_answered_after: int
    device: str = ""  # what computed the int8 model: another processor may round otherwise
    pictures: int = 0  # that the tiles show; 0 in older cards, where each tile was one

    @property
    def looked_at(self) -> int:
        """Pictures that were judged on: squares of one picture are no independent witnesses."""
        return self.pictures or self.tiles

    @property
    def lost(self) -> float:
        """Accuracy lost, as a share; negative where some was won."""
        return (self.became_wrong - self.became_right) / self.tiles

    def within(self, bounds: Bounds) -> bool:
        """Whether accuracy and refusals stay within ``bounds``.

        One changed refusal is always allowed: of few tiles it would be a large share. As many more
        counter-examples may be answered as the same share of them allows.
        """
        more_let_in = self.foreign_answered_after - self.foreign_answered_before
        return (
            self.lost <= bounds.accuracy
            and self.refusals_changed <= max(1.0, bounds.refusals * self.tiles)
            and more_let_in <= bounds.refusals * self.foreign
        )


@dataclass(frozen=True, slots=True)
class Trying:
    """A way of quantizing begins."""

    method: str


@dataclass(frozen=True, slots=True)
class Tried:
    """How it turned out; once one is ``kept`` no other is tried."""

    method: str
    agreement: Agreement
    kept: bool


@dataclass(frozen=True, slots=True)
class CompressionResult:
    """An int8 model folder and what it cost."""

    folder: Path
    method: str
    calibrated_on: int  # tiles
    agreement: Agreement
    bytes_before: int  # of all files that the folder needs
    bytes_after: int
    caution: str = ""  # why the bound may not hold elsewhere; "" where enough fields were judged


@dataclass(frozen=True, slots=True)
class Compressed:
    """The last event: the folder is written."""

    result: CompressionResult


CompressionEvent = Trying | Tried | Compressed
