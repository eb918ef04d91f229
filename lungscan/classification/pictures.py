"""Tiles worth showing: those that speak for the answer, and the least sure ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from PIL import Image

from lungscan.modalities.table import modality_of
from lungscan.model.card import ModelCard
from lungscan.opening.plan import Plan, to_jpeg
from lungscan.types import TilePicture, TileScores, TileState

TOP_TILES = 6
UNCERTAIN_TILES = 3

Rank = Callable[[Sequence[float]], float]  # of a tile by its probabilities; the largest is first


def shown_first(card: ModelCard) -> Rank:
    """By what the tiles of a model are ranked: the surest first, or the most suspicious."""
    if not _by_suspicion(card):
        return max
    return lambda probs: sum(
        p for p, suspicious in zip(probs, card.tumour, strict=True) if suspicious
    )


def _by_suspicion(card: ModelCard) -> bool:
    return modality_of(card.modality).by_suspicion and any(card.tumour)


def pick_pictures(planned: Plan, scores: TileScores, card: ModelCard) -> tuple[TilePicture, ...]:
    """The candidates of one file, read again from it; ``choose_pictures`` settles their roles.

    The case's answer is not known yet, so they are the surest tiles of each class.
    """
    used = [row for row, state in enumerate(scores.state) if state is TileState.USED]
    probs = {row: scores.probs[row].tolist() for row in used}
    rank = shown_first(card)
    used.sort(key=lambda row: (-rank(probs[row]), row))
    first = used[:TOP_TILES]
    if not _by_suspicion(card):
        named = {row: probs[row].index(max(probs[row])) for row in used}
        for index in range(len(card.class_names)):
            first += [row for row in used if named[row] == index][:TOP_TILES]
    pictures = []
    for row in dict.fromkeys([*first, *used[-UNCERTAIN_TILES:]]):
        pixels = planned.source.read_tiles(scores.boxes[row : row + 1], planned.grid.size_px)
        if pixels.failed[0]:
            continue
        x, y, width, height = (int(v) for v in scores.boxes[row])
        pictures.append(
            TilePicture(
                role="top",
                file_index=scores.file_index,
                box=(x, y, width, height),
                probs=tuple(float(p) for p in probs[row]),
                jpeg=to_jpeg(Image.fromarray(pixels.rgb[0]), 88),
            )
        )
    return tuple(pictures)


def choose_pictures(
    candidates: Iterable[TilePicture], card: ModelCard, label: str | None
) -> tuple[TilePicture, ...]:
    """The pictures of a case: those for its answer, surest first, then the least sure of all.

    Of an answer that is no tumour those that name one stand before the least sure.

    Without an answer, and where tiles are ranked by suspicion, the first of the ranking are shown
    whatever class they name. A single tile is not shown, because the thumbnail shows it.

    Args:
        candidates: of all files.
        card: of the model.
        label: the class answered; None: there is no answer.
    """
    rank = shown_first(card)
    ranked = sorted(candidates, key=lambda picture: _place(picture, rank))
    if len(ranked) <= 1:
        return ()
    first = ranked
    if label is not None and not _by_suspicion(card):
        answer = card.class_names.index(label)
        first = [picture for picture in ranked if picture.likeliest == answer]
    top = first[:TOP_TILES]
    rest = [picture for picture in ranked if picture not in top]
    against = _against(rest, card, label)[:UNCERTAIN_TILES]
    unsure = [picture for picture in reversed(rest) if picture not in against]
    others = [*against, *unsure][:UNCERTAIN_TILES]
    return (
        *(replace(picture, role="top") for picture in top),
        *(replace(picture, role="uncertain") for picture in others),
    )


def _against(
    rest: Sequence[TilePicture], card: ModelCard, label: str | None
) -> Sequence[TilePicture]:
    """Those that name a tumour where the answer is none."""
    if label is None or _by_suspicion(card) or card.tumour[card.class_names.index(label)]:
        return ()
    return [picture for picture in rest if card.tumour[picture.likeliest]]


def _place(picture: TilePicture, rank: Rank) -> tuple[float, int, int, int]:
    x, y = picture.box[:2]
    return -rank(picture.probs), picture.file_index, y, x
