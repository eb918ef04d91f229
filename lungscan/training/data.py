"""What a run trains on: the lung fields, the counter-examples, and who sees which."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch

from lungscan.dataset.listing import Listing, read_listing
from lungscan.dataset.pixels import Look, Squares, load_squares
from lungscan.dataset.samples import IndexArray, Samples, data_hash
from lungscan.dataset.splits import Split, SplitRow, deal_hash, read_split, split_rows
from lungscan.errors import UsageProblem
from lungscan.inputs import show
from lungscan.training.counter_examples import Foreign, read_foreign
from lungscan.training.dealing import SPLIT_FILE, dealt, found_for, leaking_anywhere
from lungscan.training.fit import Pictures
from lungscan.training.joined_sources import pool
from lungscan.training.more import More, gather_more
from lungscan.training.options import TrainOptions


@dataclass(frozen=True)
class Material:
    """Everything decoded, in memory. Row i of samples and squares is picture i."""

    samples: Samples
    split: Split
    squares: Squares  # at the size of the cached fields
    foreign: tuple[Foreign, ...]
    data_sha256: str
    contents_sha256: str  # over the pictures alone, those left out included
    look: Look  # what the network sees when it classifies: decides on the squares
    leaking: tuple[str, ...] = ()  # groups that stand in more than one part
    skipped: tuple[str, ...] = ()  # pictures left out, each with the reason
    rows: tuple[SplitRow, ...] = ()  # the split as a table
    more: More | None = None  # for the stages that the options name
    source_contents: tuple[str, ...] = ()  # as contents_sha256, of each of several sources
    known_groups: tuple[str, ...] = ()  # of each picture by the folder's own table; (): none
    strangers: tuple[str, ...] = ()  # teachers of which nobody can say what they learnt
    origin: str = ""  # the model begun from, where nobody can say whether it learnt these pictures
    deal_sha256: str = ""  # of a split file: who stands in which part; "": options deal
    digests: tuple[str, ...] = ()  # SHA-256 of each picture's file, beside ``rows``

    @property
    def classes(self) -> int:
        """Number of lung classes."""
        return len(self.samples.class_names)

    @property
    def held_groups(self) -> tuple[str, ...]:
        """The test groups of which no picture is of a leaking group, by whatever table."""
        return self._clean_groups(self.split.test)

    @property
    def validation_groups(self) -> tuple[str, ...]:
        """The validation groups of which no picture is of a leaking group."""
        return self._clean_groups(self.split.validation)

    def _clean_groups(self, rows: IndexArray) -> tuple[str, ...]:
        groups, leaking = self.samples.groups, set(self.leaking)
        known = zip(groups, self.known_groups or groups, strict=True)
        touched = {group for group, own in known if {group, own} & leaking}
        return tuple(sorted({groups[row] for row in rows} - touched))

    @property
    def fingerprint_sha256(self) -> str:
        """What checkpoints belong to: data, counter-examples, squares cut of them, a file's deal.

        The data's own hash where there is nothing but whole pictures that the options deal: these
        are prepared as ever.
        """
        how = [part.how_sha256 for part in (self.squares, *(f.squares for f in self.foreign))]
        facts = how if any(how) else []
        if self.deal_sha256:
            facts.append(f"deal {self.deal_sha256}")
        facts += [f"counter-examples {part.sha256}" for part in self.foreign]
        if not facts:
            return self.data_sha256
        return sha256("\n".join((self.data_sha256, *facts)).encode()).hexdigest()


def gather(options: TrainOptions, root: Path, work: Path) -> Material:
    """Read, cut and split the folders that ``options`` names below ``root``.

    Groups come from the split file, else from the folder's ``groups.csv``, else near-duplicates are
    searched once; ``work`` holds the split of an earlier start, which spares the search. Pictures
    that classification would refuse are left out before the split.

    Raises:
        UsageProblem: data that cannot be read or split, or a split that leaks without
            ``allow_leakage``.
    """
    look = Look(
        options.classify_px, options.classify_spacing, options.modality, options.window or None
    )
    whole = _listing(options, root, work)
    squares, refused = load_squares(whole.paths, look, options.field_px, whole.um_px)
    left_out = {whole.names[row]: why for row, why in refused.items()}
    listing = whole.without(left_out)
    samples, split = dealt(listing, options, work, left_out)
    leaking = leaking_anywhere(listing, samples, split)
    if leaking and not options.allow_leakage:
        raise UsageProblem(
            f"The split leaks: {len(leaking)} groups, or files of them, stand in more than "
            "one part, so the test would ask for tissue that was learnt. Split by group, give "
            "equal files one group (`lungscan data audit` names them), or say --allow-leakage, and "
            "every report will name it."
        )
    found = [read_foreign(root / name, look, options) for name in options.counter_examples]
    foreign = tuple(part for part, _ in found)
    more = None
    if options.more_pictures and (options.features_fit or options.more_in != ("features",)):
        others = [(part.samples, part.split) for part in foreign]
        own = _as_elsewhere(samples, options)
        more = gather_more(root, options.more_pictures, own, split, others, look, options.field_px)
    rows = split_rows(listing, samples.groups, split)
    return Material(
        samples,
        split,
        squares,
        foreign,
        data_hash(samples),
        whole.contents_sha256,
        look,
        leaking,
        (
            *(f"{item.name}: {item.reason}" for item in listing.skipped if item.broken),
            *(sentence for _, sentences in found for sentence in sentences),
        ),
        rows,
        more,
        whole.contents,
        known_groups=listing.groups or (),
        deal_sha256=deal_hash(rows) if options.split_file else "",
        digests=listing.digests or (),
    )


def _listing(options: TrainOptions, root: Path, work: Path) -> Listing:
    """The data folder, or all sources as one."""
    if not options.sources:
        return read_listing(root / options.data)
    if options.data != TrainOptions(name="").data:
        raise UsageProblem(
            f"The recipe names the data folder {options.data!r} and [[sources]]; keep one of them."
        )
    path = work / SPLIT_FILE
    earlier = {row.file: row.group for row in read_split(path)} if path.exists() else {}
    found = pool(options.sources, root, earlier)
    if earlier and not found_for(found.samples(), work):
        return pool(options.sources, root, {})
    return found


def _as_elsewhere(samples: Samples, options: TrainOptions) -> Samples:
    """The samples with the groups as other folders write them, without the name of a source.

    Where two sources name theirs alike and one of the two judges, neither is learnt from.
    """
    if not options.sources:
        return samples
    return replace(samples, groups=tuple(group.partition("/")[2] for group in samples.groups))


def split_text(material: Material) -> str:
    """The split in a sentence."""
    parts = material.split
    leak = f"LEAKING: {len(material.leaking)} groups stand in more than one part"
    return (
        f"{len(parts.train)} fields to train on, {len(parts.validation)} to validate, "
        f"{len(parts.test)} to test; " + (leak if material.leaking else "no group on two sides")
    )


def confounded(options: TrainOptions, material: Material) -> str:
    """Which classes stand in one of several sources alone, in a sentence; "" when none does.

    Such a class can be told by its laboratory's stain.
    """
    samples = material.samples
    if samples.sources is None or len(options.sources) < 2:
        return ""
    alone = []
    for label, name in enumerate(samples.class_names):
        of = np.unique(samples.sources[samples.labels == label])
        if len(of) == 1:
            alone.append(f"{show(name)} ({options.sources[of[0]].name})")
    if not alone:
        return ""
    return (
        f"In one source alone: {', '.join(alone)}. What a network learns of it may be the stain or "
        "the scanner of that source."
    )


def contradicted(material: Material) -> str:
    """Which files are the very same under two labels, in a sentence; "" when none is."""
    first: dict[str, SplitRow] = {}
    pairs = []
    for row, digest in zip(material.rows, material.digests, strict=False):  # or no digests
        other = first.setdefault(digest, row)
        if other.label != row.label:
            pairs.append((other.file, row.file))
    if not pairs:
        return ""
    more = f" ({len(pairs):,} such pairs)" if len(pairs) > 1 else ""
    return (
        f"{show(pairs[0][0])} and {show(pairs[0][1])} are one picture with two labels{more}: at "
        "least one label is wrong, is learnt, and counts in every figure."
    )


def training_pictures(material: Material) -> Pictures:
    """Squares of the training groups, then those of the counter-examples as one more class."""
    parts = [(material.squares, material.split.train, material.samples.labels)]
    for foreign in material.foreign:
        others = np.full(len(foreign.samples.labels), material.classes, np.int64)
        parts.append((foreign.squares, foreign.split.train, others))
    counts = [squares.counts[rows] for squares, rows, _ in parts]
    of = material.samples.sources
    own = None if of is None else of[material.split.train]
    labels = [
        np.repeat(labels[rows], count)
        for (_, rows, labels), count in zip(parts, counts, strict=True)
    ]
    pixels = [squares.of(rows) for squares, rows, _ in parts]
    found = Pictures.of(np.concatenate(pixels), np.concatenate(labels), np.concatenate(counts))
    return found if own is None else found.of_sources(own)


def joined(own: Pictures, further: Pictures) -> Pictures:
    """The pictures of both."""
    return Pictures(
        torch.cat([own.pixels, further.pixels]),
        torch.cat([own.labels, further.labels]),
        np.concatenate([own.counts, further.counts]),
        own.sources,
    )


def validation_pictures(material: Material, input_px: int) -> Pictures:
    """Squares of the validation groups, as the network sees them when classifying."""
    rows = material.split.validation
    part = material.samples.take(rows)
    if material.squares.size_px == input_px:
        squares = material.squares.taken(rows)
    else:
        squares = _cut_again(part, material.look, input_px)
    return Pictures.of(squares.pixels, np.repeat(part.labels, squares.counts), squares.counts)


def at_input_size(material: Material, input_px: int) -> Material:
    """The same material with every square at the size of the network's input.

    They are cut from the pictures once more: resized twice, they would not be those that
    classification sees.
    """
    if material.squares.size_px == input_px:
        return material
    foreign = tuple(
        replace(f, squares=_cut_again(f.samples, material.look, input_px)) for f in material.foreign
    )
    squares = _cut_again(material.samples, material.look, input_px)
    return replace(material, squares=squares, foreign=foreign)


def _cut_again(samples: Samples, look: Look, size_px: int) -> Squares:
    squares, gone = load_squares(samples.paths, look, size_px, samples.um_px)
    for row, why in gone.items():
        raise UsageProblem(
            f"{samples.paths[row].name} could be read when this run began and no longer can: {why} "
            "Leave the data as they are, and run the same command again."
        )
    return squares
