"""The counter-examples of a training, pictures of no class of the model, and their deal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungscan.dataset.listing import read_listing
from lungscan.dataset.pixels import Look, Squares, load_squares
from lungscan.dataset.samples import Samples, data_hash
from lungscan.dataset.splits import Split
from lungscan.training.dealing import deal
from lungscan.training.more import FILES_FILE, read_pictures
from lungscan.training.options import TrainOptions


@dataclass(frozen=True)
class Foreign:
    """One folder of counter-examples, split by its own groups."""

    name: str
    samples: Samples
    split: Split
    squares: Squares
    sha256: str  # of its pictures, their names and groups: from them the options make the deal


def read_foreign(folder: Path, look: Look, options: TrainOptions) -> tuple[Foreign, list[str]]:
    """The counter-examples of a folder, and which of its pictures are left out.

    A folder that says what each picture may be used for, in ``files.csv``, is dealt as one class.
    """
    if (folder / FILES_FILE).is_file():
        pictures = [picture for picture in read_pictures(folder) if picture.allowed]
        squares, refused = load_squares([p.path for p in pictures], look, options.field_px)
        kept = [picture for row, picture in enumerate(pictures) if row not in refused]
        names = [picture.path.relative_to(folder).as_posix() for picture in kept]
        others = Samples(
            tuple(picture.path for picture in kept),
            np.zeros(len(kept), np.int64),
            tuple(picture.group or name for picture, name in zip(kept, names, strict=True)),
            (folder.name,),
        )
        sentences = [
            f"{folder.name}/{pictures[row].path.name}: {why}" for row, why in refused.items()
        ]
        return _dealt(folder, others, options, squares), sentences
    whole = read_listing(folder, check=False)
    squares, refused = load_squares(whole.paths, look, options.field_px, whole.um_px)
    listing = whole.without({whole.names[row]: why for row, why in refused.items()})
    others = listing.samples(listing.groups or listing.names)
    sentences = [f"{folder.name}/{whole.names[row]}: {why}" for row, why in refused.items()]
    return _dealt(folder, others, options, squares), sentences


def _dealt(folder: Path, others: Samples, options: TrainOptions, squares: Squares) -> Foreign:
    return Foreign(folder.name, others, _limited(others, options), squares, data_hash(others))


def _limited(others: Samples, options: TrainOptions) -> Split:
    """The deal of counter-examples, with no more for training than the options allow."""
    split = deal(others, options)
    if not options.counter_limit:
        return split
    rng = np.random.default_rng(options.seed)
    keep = rng.permutation(split.train)[: options.counter_limit]
    return Split(np.sort(keep), split.validation, split.test)
