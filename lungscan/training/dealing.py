"""Who sees which picture: groups are found or given, and dealt to training, validation and test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from lungscan.dataset.folds import read_fold, split_fold, split_source
from lungscan.dataset.group_table import names_as_found
from lungscan.dataset.listing import Listing
from lungscan.dataset.samples import Samples, data_hash
from lungscan.dataset.similar import find_similar
from lungscan.dataset.splits import (
    Split,
    apply_split,
    leaking_groups,
    leaks,
    read_split,
    split_at_random,
    split_by_group,
    split_rows,
    with_names,
)
from lungscan.errors import UsageProblem
from lungscan.inputs import show
from lungscan.training.options import TrainOptions

# In the folder `training` of a model folder, beside the checkpoints:
SPLIT_FILE = "split.csv"
RUN_FILE = "run.json"


def dealt(
    listing: Listing, options: TrainOptions, work: Path, left_out: Mapping[str, str]
) -> tuple[Samples, Split]:
    """The pictures of a listing with their groups, and the rows of each part.

    Args:
        listing: of the data folder, without the pictures that are left out.
        options: the recipe, which says how they are dealt.
        work: folder of the checkpoints, with the split of an earlier start.
        left_out: names of the pictures that are left out, which a split file may hold.

    Raises:
        UsageProblem: they cannot be dealt so.
    """
    itself = "A fold" if options.fold else "A source left out" if options.leave_out else ""
    if itself and (options.split_file or options.protocol != "grouped"):
        raise UsageProblem(
            f"{itself} is dealt by group and by itself: give it without a split file, and with the "
            "protocol grouped."
        )
    if options.fold and options.leave_out:
        raise UsageProblem("Either a fold or a source is the test part: give one of them.")
    if options.split_file:
        written = read_split(Path(options.split_file))
        there = {*listing.names, *left_out}
        spelt = names_as_found([row.file for row in written], there, listing.folder)
        rows = with_names(written, spelt)
        found = apply_split([row for row in rows if row.file not in left_out], listing)
        _require_classes(*found)
        return found
    groups = listing.groups or _groups_of_earlier(listing, work)
    if groups is None:
        groups = find_similar(listing.paths).groups
    samples = listing.samples(groups)
    if options.leave_out:
        names = [source.name for source in options.sources]
        source = source_number(options) - 1
        return samples, split_source(samples, source, names[source], options.split, options.seed)
    return samples, deal(samples, options, options.protocol)


def _require_classes(samples: Samples, split: Split) -> None:
    """Refuse a split file that leaves a class without a picture to learn from or to validate by.

    Raises:
        UsageProblem: which class, and which part.
    """
    for part, rows in (("train", split.train), ("validation", split.validation)):
        found = set(samples.labels[rows].tolist())
        without = [show(name) for row, name in enumerate(samples.class_names) if row not in found]
        if without:
            raise UsageProblem(
                f"The split file has no picture of {', '.join(without)} in the part {part}. "
                "Networks are fitted on train, temperature and limits on validation, so each class "
                "must stand in both. Change the file, or make it with `lungscan data split`."
            )


def source_number(options: TrainOptions) -> int:
    """Which source is left out, from 1.

    Raises:
        UsageProblem: there is none of that name, or no other.
    """
    names = [source.name for source in options.sources]
    if len(names) < 2:
        raise UsageProblem(
            f"Leaving {show(options.leave_out)!r} out wants a recipe with two [[sources]] at least."
        )
    if options.leave_out not in names:
        raise UsageProblem(
            f"There is no source {show(options.leave_out)!r} to leave out; the recipe has "
            f"{', '.join(names)}."
        )
    return names.index(options.leave_out) + 1


def deal(samples: Samples, options: TrainOptions, protocol: str = "grouped") -> Split:
    """Deal samples as the options say: by fold, by single pictures or by group."""
    if options.fold:
        return split_fold(samples, read_fold(options.fold), options.split, options.seed)
    deal = split_at_random if protocol == "random" else split_by_group
    return deal(samples, options.split, options.seed)


def _groups_of_earlier(listing: Listing, work: Path) -> tuple[str, ...] | None:
    """The groups that an earlier start found for these very pictures, if there was one."""
    path = work / SPLIT_FILE
    if not path.exists():
        return None
    try:
        samples, _ = apply_split(read_split(path), listing)
    except UsageProblem:  # other pictures than then: their groups are found anew
        return None
    return samples.groups if found_for(samples, work) else None


def found_for(samples: Samples, work: Path) -> bool:
    """Whether ``work`` records a run of these very pictures, classes and groups."""
    try:
        record = json.loads((work / RUN_FILE).read_text(encoding="utf-8"))
        return bool(record["data_sha256"] == data_hash(samples))
    except (OSError, ValueError, KeyError, TypeError):  # none, or damaged
        return False


def leaking_anywhere(listing: Listing, samples: Samples, split: Split) -> tuple[str, ...]:
    """Groups in several parts: those of the split, and those that the folder itself knows."""
    rows = split_rows(listing, samples.groups, split)
    found = leaking_groups(rows, listing)
    if listing.groups is not None:
        known = dict(zip(listing.names, listing.groups, strict=True))
        found |= {leak.group for leak in leaks(rows, known)}
    return tuple(sorted(found))
