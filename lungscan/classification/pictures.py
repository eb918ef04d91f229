"""Tiles worth showing: the surest and the least sure ones among those used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from PIL import Image

from lungscan.modalities.table import modality_of
from lungscan.model.card import ModelCard
from lungscan.opening.plan import Plan, to_jpeg
from lungscan.types import TilePicture, TileScores, TileState

TOP_TILES = 6
UNCERTAIN_TILES = 3

T = TypeVar("T")
Rank = Callable[[Sequence[float]], float]  # of a tile by its probabilities; the largest is first


def shown_first(card: ModelCard) -> Rank:
    """By what the tiles of a model are ranked: the surest first, or the most suspicious."""
    tumour = card.tumour
    if not (modality_of(card.modality).by_suspicion and any(tumour)):
        return max
    return lambda probs: sum(p for p, suspicious in zip(probs, tumour, strict=True) if suspicious)


def pick_pictures(planned: Plan, scores: TileScores, rank: Rank = max) -> tuple[TilePicture, ...]:
    """The candidates of one file, read again from it; ``choose_pictures`` settles their roles."""
    rows = [row for row, state in enumerate(scores.state) if state is TileState.USED]
    rows.sort(key=lambda row: (-float(rank(scores.probs[row].tolist())), row))
    pictures = []
    for row in _ends(rows):
        pixels = planned.source.read_tiles(scores.boxes[row : row + 1], planned.grid.size_px)
        if pixels.failed[0]:
            continue
        x, y, width, height = (int(v) for v in scores.boxes[row])
        pictures.append(
            TilePicture(
                role="top",
                file_index=scores.file_index,
                box=(x, y, width, height),
                probs=tuple(float(p) for p in scores.probs[row]),
                jpeg=to_jpeg(Image.fromarray(pixels.rgb[0]), 88),
            )
        )
    return tuple(pictures)


def choose_pictures(candidates: Iterable[TilePicture], rank: Rank = max) -> tuple[TilePicture, ...]:
    """The pictures of a case: surest first, then the least sure ones, worst first.

    A single tile is not shown, because the thumbnail shows it.
    """
    ranked = sorted(candidates, key=lambda picture: _place(picture, rank))
    if len(ranked) <= 1:
        return ()
    shown = _ends(ranked)
    top, rest = shown[:TOP_TILES], shown[TOP_TILES:]
    return (
        *(replace(picture, role="top") for picture in top),
        *(replace(picture, role="uncertain") for picture in reversed(rest)),
    )


def _ends(ranked: list[T]) -> list[T]:
    """The first few and the last few of a ranking, without repeats."""
    return ranked[:TOP_TILES] + ranked[TOP_TILES:][-UNCERTAIN_TILES:]


def _place(picture: TilePicture, rank: Rank) -> tuple[float, int, int, int]:
    x, y = picture.box[:2]
    return -rank(picture.probs), picture.file_index, y, x
