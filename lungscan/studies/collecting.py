"""Read a study's folders, and deal their pictures to its units."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lungscan.dataset.folds import Fold, split_fold
from lungscan.dataset.listing import Listing, read_listing
from lungscan.dataset.pixels import read_rgb
from lungscan.dataset.samples import Samples
from lungscan.dataset.similar import find_similar
from lungscan.dataset.splits import Split, split_at_random
from lungscan.errors import UsageProblem
from lungscan.reading.resize import resize
from lungscan.studies.arrays import (
    TEST,
    TRAIN,
    VALIDATION,
    Bytes,
    Material,
    hash_of,
)
from lungscan.studies.options import RANDOM, WHOLE, StudyOptions
from lungscan.studies.tasks import Unit, units
from lungscan.training.drawn import draw_counter_example
from lungscan.training.more import FILES_FILE, read_pictures
from lungscan.workers import Workers

_THREADS = 2
_PICTURES = {".jpg", ".jpeg", ".png"}
_SEED = 0  # of the choice among counter-examples, and of their drawing


def gather(options: StudyOptions, root: Path) -> tuple[Material, Listing]:
    """Read all pictures, and deal them for every unit.

    Groups come from the folder's ``groups.csv``, else near-duplicates are searched.

    Args:
        options: the study.
        root: what the folders of ``options`` are relative to.

    Raises:
        UsageProblem: a folder cannot be read, or a class has too few pictures or groups.
    """
    others = _others(options, root)  # first: a name that is wrong should cost no reading
    listing = read_listing(root / options.data)
    groups = listing.groups or find_similar(listing.paths).groups
    samples = listing.samples(groups)
    pixels = _squares(samples.paths, options.input_px)
    parts = {unit.name: _part(samples, options, unit) for unit in units(options)}
    pictures = hash_of(pixels, samples.labels, others)
    material = Material(
        pixels,
        samples.labels,
        samples.groups,
        samples.class_names,
        parts,
        others,
        options.fingerprint(pictures),
    )
    return material, listing


def _part(samples: Samples, options: StudyOptions, unit: Unit) -> Bytes:
    part = np.full(len(samples.labels), TRAIN, np.uint8)
    if unit.protocol == WHOLE:
        return part
    split = _deal(samples, options, unit)
    part[split.validation], part[split.test] = VALIDATION, TEST
    return part


def _deal(samples: Samples, options: StudyOptions, unit: Unit) -> Split:
    if unit.protocol == RANDOM:
        return split_at_random(samples, options.split, unit.seed)
    shares = (1 - options.held, options.held, 0.0)
    return split_fold(samples, Fold(unit.fold, options.folds), shares, unit.seed)


def _squares(paths: Sequence[Path], size_px: int) -> Bytes:
    """Each picture whole, as one square ``(n, s, s, 3)``."""
    with Workers(_THREADS) as workers, workers.in_order(read_rgb, paths) as found:
        parts = [resize(rgb, (size_px, size_px)) for rgb in found]
    return np.stack(parts)


def _others(options: StudyOptions, root: Path) -> Bytes:
    """Counter-examples: some of each folder, every second one in grey, and as many drawn ones."""
    rng = np.random.default_rng(_SEED)
    size, found = options.input_px, [np.empty((0, options.input_px, options.input_px, 3), np.uint8)]
    for name in options.counter_examples:
        folder = root / name
        paths = _pictures(folder)
        if not paths:
            raise UsageProblem(
                f"The folder {folder.name} of counter-examples holds no picture to learn from."
            )
        chosen = rng.permutation(len(paths))[: options.counter_limit]
        pixels = _squares([paths[row] for row in chosen], size)
        pixels[::2] = pixels[::2].mean(3, keepdims=True).astype(np.uint8)
        drawn = [draw_counter_example(rng, size) for _ in range(len(pixels) // 2)]
        found += [pixels, np.stack(drawn)] if drawn else [pixels]
    return np.concatenate(found)


def _pictures(folder: Path) -> list[Path]:
    """The pictures below a folder, but for those that a ``files.csv`` keeps for evaluation."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _PICTURES)
    for place in (folder, folder.parent):
        if (place / FILES_FILE).exists():
            may = {picture.path for picture in read_pictures(place) if picture.allowed}
            found = [path for path in found if path in may]
    return found
