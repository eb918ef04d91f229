"""Deal pictures to training, validation and test, and keep the outcome in a split file.

A split file is a CSV table ``file,label,group,part``; ``part`` is train, validation or test. It
does not say whether it leaks: that is found by looking (``leaks``).
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from lungscan.dataset.group_table import inside
from lungscan.dataset.listing import Listing
from lungscan.dataset.mixed_groups import require_everywhere, to_parts, turns
from lungscan.dataset.samples import IndexArray, Samples
from lungscan.errors import UsageProblem
from lungscan.inputs import show
from lungscan.inputs.csv_input import read_table
from lungscan.results.atomic_files import write_atomic

PARTS = ("train", "validation", "test")
COLUMNS = ("file", "label", "group", "part")
LEAST = 3  # groups of a class: one for each part
SHARES = (0.70, 0.15, 0.15)


@dataclass(frozen=True)
class Split:
    """Row numbers of each part."""

    train: IndexArray
    validation: IndexArray
    test: IndexArray


@dataclass(frozen=True, slots=True)
class SplitRow:
    """One line of a split file."""

    file: str
    label: str
    group: str
    part: str


@dataclass(frozen=True, slots=True)
class Leak:
    """A group that stands in more than one part."""

    group: str
    counts: Mapping[str, int]  # pictures in each part where it stands


def split_by_group(samples: Samples, shares: tuple[float, float, float], seed: int) -> Split:
    """Deal whole groups to train, validation and test, class by class.

    A group that holds several classes is dealt once (``lungscan.dataset.mixed_groups``).

    Raises:
        UsageProblem: a class has fewer groups than there are parts, or none is left for one.
    """
    part_of: dict[str, int] = {}
    for turn in turns(samples, np.random.default_rng(seed), LEAST):
        count = len(turn.groups)
        if count < LEAST:
            name = show(samples.class_names[turn.label])
            raise UsageProblem(f"Class {name} has {count} groups; three at least are needed.")
        edges = np.cumsum(shares)[:2] / sum(shares) * count
        tested = 1 if shares[2] > 0 else 0  # groups that a class must keep for the test
        first = min(max(1, round(edges[0])), count - 1 - tested)
        second = min(max(first + 1, round(edges[1])), count - tested)
        wanted = {0: first, 1: second - first, 2: count - second}
        part_of |= to_parts(turn, turn.fresh, part_of, wanted)
    names = dict(enumerate(PARTS[: 3 if shares[2] > 0 else 2]))
    require_everywhere(samples, part_of, names)
    return split_of(samples, part_of)


def split_of(samples: Samples, part_of: Mapping[str, int]) -> Split:
    """The split that puts each group into its part: 0 training, 1 validation, 2 test."""
    part = np.array([part_of[group] for group in samples.groups])
    train, validation, test = (np.flatnonzero(part == k).astype(np.int64) for k in range(3))
    return Split(train, validation, test)


def split_at_random(samples: Samples, shares: tuple[float, float, float], seed: int) -> Split:
    """Deal single pictures, class by class: the literature's protocol, which leaks.

    Raises:
        UsageProblem: a class has fewer pictures than there are parts.
    """
    alone = replace(samples, groups=tuple(str(row) for row in range(len(samples.groups))))
    return split_by_group(alone, shares, seed)


def split_rows(listing: Listing, groups: Sequence[str], split: Split) -> tuple[SplitRow, ...]:
    """The lines of a split file, in the order of the listing."""
    part = {row: PARTS[k] for k, rows in enumerate(_parts(split)) for row in rows.tolist()}
    columns = zip(listing.names, listing.label_names, groups, strict=True)
    return tuple(SplitRow(*cells, part[row]) for row, cells in enumerate(columns))


def write_split(path: Path, rows: Sequence[SplitRow]) -> None:
    """Write a split file, whole or not at all.

    Raises:
        MachineError: it cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((row.file, row.label, row.group, row.part) for row in rows)
    write_atomic(path, text.getvalue().encode())


def read_split(path: Path) -> tuple[SplitRow, ...]:
    """Read a split file.

    Raises:
        UsageProblem: it is no such table, names a file twice or outside the data folder, or an
            unknown part.
    """
    rows: dict[str, SplitRow] = {}
    for cells in read_table(path, COLUMNS):
        where = f"{show(path.name)}, line {cells.line}"
        file = inside(cells["file"], path, cells.line)
        row = SplitRow(file, cells["label"], cells["group"], cells["part"].lower())
        if not (row.file and row.label and row.group):
            raise UsageProblem(f"{where}: a value is missing.")
        if row.part not in PARTS:
            raise UsageProblem(
                f"{where}: part is {show(cells['part'])!r:.40}, not one of {', '.join(PARTS)}."
            )
        if row.file in rows:
            raise UsageProblem(f"{where}: {show(row.file)} stands twice.")
        rows[row.file] = row
    if not rows:
        raise UsageProblem(f"{show(path.name)} names no picture.")
    return tuple(rows.values())


def with_names(rows: Sequence[SplitRow], names: Mapping[str, str]) -> tuple[SplitRow, ...]:
    """The rows with the names that their files have, see ``group_table.names_as_found``."""
    return tuple(replace(row, file=names[row.file]) for row in rows)


def apply_split(rows: Sequence[SplitRow], listing: Listing) -> tuple[Samples, Split]:
    """The pictures of a listing with the split file's groups, and the rows of each part.

    Raises:
        UsageProblem: the split file and the folder do not hold the same pictures and labels.
    """
    by_file = {row.file: row for row in rows}
    _require_same(by_file, listing)
    wrong = [
        name
        for name, label in zip(listing.names, listing.label_names, strict=True)
        if by_file[name].label != label
    ]
    if wrong:
        raise UsageProblem(
            f"{show(wrong[0])} is {show(by_file[wrong[0]].label)} in the split file and another "
            f"class in the data folder{_more(wrong)}; make the split again."
        )
    samples = listing.samples([by_file[name].group for name in listing.names])
    part = np.array([PARTS.index(by_file[name].part) for name in listing.names])
    return samples, Split(*(np.flatnonzero(part == k).astype(np.int64) for k in range(3)))


def deal_hash(rows: Sequence[SplitRow]) -> str:
    """SHA-256 over which file stands in which part, whatever the order of the rows."""
    text = "\n".join(sorted(f"{row.file}\0{row.part}" for row in rows))
    return sha256(text.encode()).hexdigest()


def leaks(rows: Sequence[SplitRow], groups: Mapping[str, str] | None = None) -> tuple[Leak, ...]:
    """The groups that stand in several parts, by name; empty when none leaks.

    ``groups`` (file -> group) looks with other groups than the split file's own, such as found
    near-duplicates; a file that it does not name stands alone.
    """
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        group = row.group if groups is None else groups.get(row.file)
        if group is not None:
            counts.setdefault(group, Counter())[row.part] += 1
    return tuple(
        Leak(group, {part: counts[group][part] for part in PARTS if counts[group][part]})
        for group in sorted(counts)
        if len(counts[group]) > 1
    )


def leaking_groups(rows: Sequence[SplitRow], listing: Listing) -> frozenset[str]:
    """The groups of a split that stand in several parts, or that share a file with another part.

    Whatever a table says of groups, the very same file shows the same tissue.
    """
    contents = dict(zip(listing.names, listing.digests or (), strict=listing.digests is not None))
    twice = {leak.group for leak in leaks(rows, contents)}
    shared = {row.group for row in rows if contents.get(row.file) in twice}
    return frozenset(shared | {leak.group for leak in leaks(rows)})


def _parts(split: Split) -> tuple[IndexArray, IndexArray, IndexArray]:
    return split.train, split.validation, split.test


def _require_same(by_file: Mapping[str, SplitRow], listing: Listing) -> None:
    broken = {item.name: item.reason for item in listing.skipped}
    gone = [file for file in by_file if file not in set(listing.names)]
    if gone:
        why = broken.get(show(gone[0]), "is not in the data folder")
        raise UsageProblem(
            f"{show(gone[0])} of the split file {why.rstrip('.')}{_more(gone)}; make the split "
            "again or bring the pictures back."
        )
    new = [name for name in listing.names if name not in by_file]
    if new:
        raise UsageProblem(
            f"{show(new[0])} is in the data folder and not in the split file{_more(new)}; make "
            "the split again."
        )


def _more(names: Sequence[str]) -> str:
    return f" (and {len(names) - 1:,} more)" if len(names) > 1 else ""
