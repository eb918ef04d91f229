"""Pixels of tiles to everything measured on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lungscan.errors import LungScanError, MachineError
from lungscan.explaining import Explainer
from lungscan.modalities.table import modality_of
from lungscan.model.card import ModelCard
from lungscan.model.novelty import Novelty
from lungscan.opening.plan import Plan
from lungscan.reading import TilePixels
from lungscan.reading.source import lend_tiles
from lungscan.runtimes import Runtime
from lungscan.types import BoxArray, FloatArray, RgbBatch, TileQuality, TileScores, TileState


@dataclass(frozen=True)
class Scorer:
    """A loaded model with its novelty parameters. Safe to call from several threads at once."""

    card: ModelCard
    runtime: Runtime
    novelty: Novelty
    explainer: Explainer | None = None  # None: nobody asked

    def score(self, pixels: TilePixels, tissue_fraction: FloatArray) -> TileBatch:
        """Score n tiles; where ``tissue_fraction`` is NaN, the share that is not blank stands in.

        Raises:
            MachineError: the network failed. No file is to blame: all tiles are alike to it.
        """
        modality = modality_of(self.card.modality)
        quality = modality.measure(pixels.rgb, pixels.valid)
        fraction = np.where(np.isnan(tissue_fraction), 1 - quality.blank, tissue_fraction)
        probs, novelty = self._ask(pixels.rgb)
        if modality.unlike is not None:
            novelty = np.maximum(novelty, modality.unlike(pixels.rgb))
        device = self.runtime.device  # of this very batch
        known = self.novelty.appearance
        appearance = None if known is None else known.score(pixels.rgb)
        strange = np.zeros(len(novelty)) if appearance is None else appearance
        fit = modality.judge(quality, fraction)
        states = [
            self._unlike(unlike, far) if state is TileState.USED else state
            for state, unlike, far in zip(fit, novelty, strange, strict=True)
        ]
        columns = [probs, novelty, quality.focus, quality.pen, quality.blank]
        columns += [] if appearance is None else [appearance]
        for row in np.flatnonzero(pixels.failed):
            states[row] = TileState.FAILED
            for column in columns:
                column[row] = np.nan
        return TileBatch(fraction, probs, novelty, quality, tuple(states), device, appearance)

    def _unlike(self, novelty: float, appearance: float) -> TileState:
        """What a sharp tile of tissue is, by how unlike the training's it is.

        Of a stain beyond the network's reach its word on which tissue it is is worth little, so
        there nothing is called "not lung". What CT shows is told without the network.
        """
        strange = appearance > self.card.appearance_limit
        if novelty > 1 and (not strange or modality_of(self.card.modality).slices):
            return TileState.NOVEL
        return TileState.OTHER_STAIN if strange else TileState.USED

    def _ask(self, tiles: RgbBatch) -> tuple[FloatArray, FloatArray]:
        """Probabilities ``(n, classes)`` and novelty ``(n,)``, both safe to write to."""
        try:
            probs, features = self.runtime.predict(tiles)
            novelty = self.novelty.score(features) / np.float32(self.card.novelty_threshold)
        except (LungScanError, MemoryError):
            raise
        except Exception as error:  # runtimes raise many kinds: a lost driver, a broken graph
            raise MachineError(
                f"The network failed on {self.runtime.device} ({type(error).__name__}: {error}). "
                "Choose another device (--device), or have the installation checked (`lungscan "
                "doctor`)."
            ) from error
        if not (np.isfinite(probs).all() and np.isfinite(novelty).all()):
            raise MachineError(
                f"The network gave no numbers on {self.runtime.device}. Choose another device "
                "(--device), or have the installation checked (`lungscan doctor`)."
            )
        return np.array(probs, np.float32), novelty


@dataclass(frozen=True)
class TileBatch:
    """What ``Scorer.score`` found; row i is tile i. See ``TileScores`` for the fields."""

    tissue_fraction: FloatArray
    probs: FloatArray
    novelty: FloatArray
    quality: TileQuality
    state: tuple[TileState, ...]
    device: str = ""  # what answered
    appearance: FloatArray | None = None

    def rows(self, start: int, stop: int) -> TileBatch:
        """Tiles ``start`` to ``stop``."""
        part = slice(start, stop)
        quality = TileQuality(
            self.quality.focus[part],
            self.quality.pen[part],
            self.quality.blank[part],
            self.quality.valid[part],
        )
        return TileBatch(
            self.tissue_fraction[part],
            self.probs[part],
            self.novelty[part],
            quality,
            self.state[part],
            self.device,
            None if self.appearance is None else self.appearance[part],
        )


def score_span(planned: Plan, start: int, stop: int, scorer: Scorer) -> TileBatch:
    """Read and score tiles ``start`` to ``stop`` of an open image."""
    boxes, fraction = planned.grid.boxes[start:stop], planned.fraction[start:stop]
    with lend_tiles(planned.source, boxes, planned.grid.size_px) as pixels:
        return scorer.score(pixels, fraction)


def join(
    batches: Sequence[TileBatch], boxes: BoxArray, file_index: int, classes: int
) -> TileScores:
    """The batches of one file, in order, as one record."""
    empty = np.zeros(0, np.float32)
    appearance = [b.appearance for b in batches if b.appearance is not None]

    def column(values: list[FloatArray]) -> FloatArray:
        return np.concatenate(values) if values else empty

    return TileScores(
        file_index=file_index,
        boxes=boxes,
        tissue_fraction=column([b.tissue_fraction for b in batches]),
        probs=(
            np.concatenate([b.probs for b in batches])
            if batches
            else np.zeros((0, classes), np.float32)
        ),
        novelty=column([b.novelty for b in batches]),
        quality=TileQuality(
            focus=column([b.quality.focus for b in batches]),
            pen=column([b.quality.pen for b in batches]),
            blank=column([b.quality.blank for b in batches]),
            valid=column([b.quality.valid for b in batches]),
        ),
        state=tuple(state for b in batches for state in b.state),
        appearance=np.concatenate(appearance) if appearance else None,
    )
