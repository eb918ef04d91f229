"""Labelled fields from the disk, as the network sees them when it classifies."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungscan.dataset.labelled_tiles import LabelledTiles
from lungscan.dataset.pixels import cut_picture
from lungscan.errors import CaseError
from lungscan.evaluation.labelled import load_material, require_known_classes
from lungscan.evaluation.options import DataOptions
from lungscan.evaluation.records import LabelledField
from lungscan.evaluation.seen_groups import held_out_groups, none_held_out
from lungscan.model.card import ModelCard
from lungscan.types import RgbBatch
from lungscan.workers import Workers

Fields = Sequence[LabelledField]

CALIBRATION_FIELDS = 300  # more change the ranges of activations hardly at all
JUDGED_SHARE = 0.3  # of the groups, where no split file says which


@dataclass(frozen=True)
class Gathered:
    """Tiles to calibrate on and to judge by, and the files that could not be read."""

    calibration: LabelledTiles
    tiles: LabelledTiles
    skipped: tuple[str, ...]
    note: str = ""  # a sentence where the model may have learnt what judges


def gather(
    card: ModelCard, data: Path, split: Path | None, threads: int, count: int = CALIBRATION_FIELDS
) -> Gathered:
    """Read the fields that a compression of ``card`` needs.

    Args:
        data: a folder with one sub-folder per class, named as the card's classes.
        split: CSV ``file,label,group,part``: ``train`` calibrates, ``validation`` judges. Without
            it whole groups are dealt to the two, those of the card's test left out.
        count: fields to calibrate on, as many of each class as far as there are.

    Raises:
        UsageProblem, NothingToDo: see ``lungscan.evaluation.labelled.load_material``.
    """
    note = ""
    if split is None:
        material = load_material(DataOptions(data))
        groups = {field.group for field in material.fields}
        tested = held_out_groups(card, lambda: material.identity, groups)
        learn, judge = _dealt(material.fields, card, tested)
        note = "" if tested else f"{none_held_out(card)}."
    else:
        learn, judge = (
            load_material(DataOptions(data, split, part)).fields for part in ("train", "validation")
        )
    require_known_classes((*learn, *judge), card)
    calibration, unread = read_tiles(_some(learn, count, card.seed), card, threads)
    tiles, more = read_tiles(judge, card, threads)
    return Gathered(calibration, tiles, (*unread, *more), note)


def read_tiles(
    fields: Fields, card: ModelCard, threads: int
) -> tuple[LabelledTiles, tuple[str, ...]]:
    """The tiles that classification would cut, and the files that it could not read."""
    with (
        Workers(threads) as workers,
        workers.in_order(lambda field: _cut(field, card), fields) as found,
    ):
        parts = list(found)
    read = [(field, part) for field, part in zip(fields, parts, strict=True) if part is not None]
    size = card.patch_size_pixels
    pixels = np.concatenate([np.empty((0, size, size, 3), np.uint8), *(part for _, part in read)])
    labels = [card.class_names.index(field.label) for field, part in read for _ in part]
    groups = [field.group for field, part in read for _ in part]
    skipped = [field.file for field, part in zip(fields, parts, strict=True) if part is None]
    tiles = LabelledTiles(pixels, np.array(labels, np.int64), tuple(groups), len(read))
    return tiles, tuple(skipped)


def _cut(field: LabelledField, card: ModelCard) -> RgbBatch | None:
    try:
        return cut_picture(field.path, card, um_px=field.um_px).pixels
    except CaseError:
        return None


def _dealt(fields: Fields, card: ModelCard, tested: Collection[str]) -> tuple[Fields, Fields]:
    """Fields to calibrate on and to judge by; the card's test groups belong to neither."""
    free = [field for field in fields if field.group not in tested]
    groups = sorted({field.group for field in free})
    np.random.default_rng(card.seed).shuffle(groups)
    judges = set(groups[: max(1, round(JUDGED_SHARE * len(groups)))])
    learn = [field for field in free if field.group not in judges]
    return learn, [field for field in free if field.group in judges]


def _some(fields: Fields, count: int, seed: int) -> list[LabelledField]:
    """At most ``count`` fields, taken from the classes in turn."""
    order = np.random.default_rng(seed).permutation(len(fields))
    taken: dict[str, int] = {}
    ranked = []
    for row in order:
        label = fields[row].label
        taken[label] = taken.get(label, 0) + 1
        ranked.append((taken[label], row))
    return [fields[row] for _, row in sorted(ranked)[:count]]
