"""A slide put together from real fields: three pieces of tissue on glass.

Fields lie side by side, each turned or mirrored at random, and are blended into their neighbours.
Sizes are in level-0 pixels of 0.5 µm, which is an estimate: the fields state no scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from lungscan.demo.drawing import GLASS, write_svs
from lungscan.types import FloatArray, RgbArray

FIELD = 224  # px
BLEND = 14  # px by which a field is continued, mirrored, into its neighbours
SIZE = (3584, 2240)  # of the slide: width, height
ROUNDED, RAGGED = 130.0, 60.0  # px: corners of a piece, and how far its border wanders


@dataclass(frozen=True, slots=True)
class _Piece:
    """Where a tissue lies on the slide: left upper corner, and its size in fields."""

    tissue: str
    x: int
    y: int
    columns: int
    rows: int


# Tumour enough of one kind for a label, and a little of the other to be found on the map.
_PIECES = (
    _Piece("adenocarcinoma", 224, 448, columns=7, rows=6),
    _Piece("benign", 2016, 1120, columns=6, rows=4),
    _Piece("squamous", 2240, 224, columns=4, rows=3),
)


def stitch_slide(path: Path, fields: Mapping[str, Sequence[Path]], seed: int = 5) -> None:
    """Write a pyramid as Aperio scanners do, from fields of 224 × 224 px of each tissue."""
    rng = np.random.default_rng(seed)
    slide = np.empty((SIZE[1], SIZE[0], 3), np.uint8)
    slide[:] = np.array(GLASS) + rng.normal(0, 1.0, (SIZE[1], SIZE[0], 1))
    for piece in _PIECES:
        tissue = _sheet([_read(field) for field in fields[piece.tissue]], piece, rng)
        height, width = tissue.shape[:2]
        place = slide[piece.y : piece.y + height, piece.x : piece.x + width]
        share = _outline(width, height, rng)[..., None]
        place[:] = (share * tissue + (1 - share) * place).round()
    write_svs(path, slide)


def _read(field: Path) -> RgbArray:
    with Image.open(field, formats=("JPEG",)) as picture:
        return np.asarray(picture.convert("RGB"))


def _sheet(fields: Sequence[RgbArray], piece: _Piece, rng: np.random.Generator) -> FloatArray:
    """Fields side by side, (rows × 224, columns × 224, 3); no two of the same touch by a side."""
    height, width = piece.rows * FIELD, piece.columns * FIELD
    total = np.zeros((height + 2 * BLEND, width + 2 * BLEND, 3), np.float32)
    weight = np.zeros((*total.shape[:2], 1), np.float32)
    ramp = np.minimum(1, (np.arange(FIELD + 2 * BLEND, dtype=np.float32) + 0.5) / (2 * BLEND))
    edge = np.minimum(ramp, ramp[::-1])
    share = (edge[:, None] * edge)[..., None]
    for row, column in np.ndindex(piece.rows, piece.columns):
        field = fields[(column + len(fields) // 2 * row) % len(fields)]
        field = np.rot90(field, int(rng.integers(4)))
        field = field[:, ::-1] if rng.integers(2) else field
        field = np.pad(field, ((BLEND, BLEND), (BLEND, BLEND), (0, 0)), mode="symmetric")
        here = np.s_[row * FIELD :, column * FIELD :]
        total[here][: len(field), : len(field)] += share * field
        weight[here][: len(field), : len(field)] += share
    sheet: FloatArray = (total / weight)[BLEND:-BLEND, BLEND:-BLEND]
    return sheet


def _outline(width: int, height: int, rng: np.random.Generator) -> FloatArray:
    """(height, width): 1 inside of a ragged piece that fills the box, 0 on the glass around."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    across, down = np.minimum(x, width - x), np.minimum(y, height - y)
    beyond = np.hypot(np.maximum(ROUNDED - across, 0), np.maximum(ROUNDED - down, 0))
    inside = ROUNDED - beyond  # px from the rounded border
    for pitch, depth in ((220, RAGGED), (56, 0.25 * RAGGED)):  # bays, and their ragged rims
        inside = inside - depth * _noise(width, height, pitch, rng)
    share: FloatArray = np.clip(inside / 8, 0, 1).astype(np.float32)
    return share


def _noise(width: int, height: int, pitch: int, rng: np.random.Generator) -> FloatArray:
    """(height, width): smooth noise from 0 to 1 with bumps of ``pitch`` pixels."""
    coarse = rng.uniform(0, 1, (height // pitch + 2, width // pitch + 2)).astype(np.float32)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(smooth, np.float32)
