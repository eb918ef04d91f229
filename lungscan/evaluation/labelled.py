"""Labelled fields: listed from a folder of classes, or named by a split file.

Folders and tables are read by the readers that training uses (``lungscan.dataset``), so a folder
has one hash, whoever asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from lungscan.dataset.group_table import GroupRow, names_on_disk, read_groups, spelt_as_found
from lungscan.dataset.learnt import WORK_FOLDER, digests_of_parts
from lungscan.dataset.listing import every_picture, groups_table, read_listing
from lungscan.dataset.samples import data_hash
from lungscan.dataset.splits import SplitRow, read_split, with_names
from lungscan.errors import NothingToDo, UsageProblem
from lungscan.evaluation.options import PARTS, DataOptions
from lungscan.evaluation.records import DataNote, LabelledField, Protocol, Seen
from lungscan.evaluation.seen_groups import Identity, seen_groups
from lungscan.inputs.names import natural, show
from lungscan.model.card import ModelCard
from lungscan.results.checksums import digest_of


@dataclass(frozen=True)
class Material:
    """The fields to judge, and what is known of them."""

    fields: tuple[LabelledField, ...]
    folder: str = ""
    split: str = ""
    part: str = ""
    protocol: Protocol = Protocol.WHOLE
    leaking_groups: int = 0
    root: Path | None = None  # the data folder; None: its identity is unknown, or `known`
    known: Identity | None = None

    @cached_property
    def identity(self) -> Identity:
        """By which a model's card knows the folder; every picture is opened to find it."""
        if self.known is not None:
            return self.known
        return Identity() if self.root is None else _identity(self.root)

    def note(self, card: ModelCard) -> DataNote:
        """What was judged, with what the card says of it."""
        groups = {field.group for field in self.fields}
        seen, unheld = _seen(card, self.identity, self.fields)
        return DataNote(
            folder=self.folder,
            split=self.split,
            part=self.part,
            protocol=self.protocol,
            seen=seen,
            leaking_groups=self.leaking_groups,
            seen_groups=unheld,
            fields=len(self.fields),
            groups=len(groups),
            grouped=len(groups) < len(self.fields),
        )


def load_material(options: DataOptions) -> Material:
    """List what ``options`` point at.

    Raises:
        UsageProblem: a table is damaged or names nothing of the part.
        NothingToDo: the folder holds no class with a field.
    """
    root = options.data
    name = show(root.resolve().name)
    given = read_groups(options.groups) if options.groups else {}
    if options.split is None:
        fields = tuple(_field(root, row, row.um_px) for row in every_picture(root).values())
        if not fields:
            raise NothingToDo(
                f"{show(root.name)} holds no field image in a sub-folder. "
                "LungScan wants one sub-folder per class."
            )
        given = spelt_as_found(given, {field.file for field in fields}, root)
        return Material(_regrouped(fields, given), name, root=root)
    parts = _parts(options.split, root, given)
    fields = parts[options.part]
    if not fields:
        counts = ", ".join(f"{part} {len(parts[part])}" for part in PARTS)
        raise UsageProblem(
            f"{show(options.split.name)} names no field of the part {options.part!r} "
            f"(fields: {counts}). Choose another --part."
        )
    protocol, leaking = _protocol(parts, options.part)
    split = show(options.split.name)
    return Material(fields, name, split, options.part, protocol, leaking, root)


def require_known_classes(fields: Sequence[LabelledField], card: ModelCard) -> None:
    """Refuse fields of a class that the model does not know.

    Raises:
        UsageProblem: names the classes of both.
    """
    found = sorted({field.label for field in fields}, key=natural)
    if not set(found) <= set(card.class_names):
        raise UsageProblem(
            f"The data have the classes {', '.join(map(show, found))}, but {card.name} knows "
            f"{', '.join(card.class_names)}: sub-folders must bear the model's class names."
        )


def _parts(
    split: Path, root: Path, given: Mapping[str, GroupRow]
) -> dict[str, tuple[LabelledField, ...]]:
    """The fields of each part; with the folder's own groups where the split file has none."""
    written = read_split(split)
    rows = with_names(written, names_on_disk([row.file for row in written], root))
    files = {row.file for row in rows}
    given = spelt_as_found(given, files, root)
    table = groups_table(root) if root.is_dir() else None
    groups = spelt_as_found(read_groups(table), files, root) if table else {}
    scales = {file: row.um_px for file, row in groups.items()}
    fields = _regrouped([_field(root, row, scales.get(row.file)) for row in rows], given)
    if not given and _alone([field.group for field in fields]):
        fields = tuple(_with_group(field, groups) for field in fields)
    placed = tuple(zip(rows, fields, strict=True))
    return {part: tuple(field for row, field in placed if row.part == part) for part in PARTS}


def _field(root: Path, row: GroupRow | SplitRow, um_px: float | None = None) -> LabelledField:
    return LabelledField(row.file, root / row.file, row.label, row.group, um_px)


def _regrouped(
    fields: Sequence[LabelledField], groups: Mapping[str, GroupRow]
) -> tuple[LabelledField, ...]:
    """The fields with the given groups; those not named keep theirs.

    Raises:
        UsageProblem: the groups are those of other files.
    """
    if groups and groups.keys().isdisjoint(field.file for field in fields):
        raise UsageProblem(
            "The table of groups names none of the fields; its column file must be relative to "
            "the data folder, such as lung_n/a.jpeg."
        )
    return tuple(_with_group(field, groups) for field in fields)


def _with_group(field: LabelledField, groups: Mapping[str, GroupRow]) -> LabelledField:
    row = groups.get(field.file)
    return field if row is None else replace(field, group=row.group)


def _protocol(parts: dict[str, tuple[LabelledField, ...]], part: str) -> tuple[Protocol, int]:
    """What the split keeps apart, and how many of the judged groups stand in another part too."""
    mine = {field.group for field in parts[part]}
    every = [field.group for fields in parts.values() for field in fields]
    elsewhere = {f.group for other, fields in parts.items() if other != part for f in fields}
    leaking = len(mine & elsewhere)
    if leaking:
        return Protocol.LEAKING, leaking
    return (Protocol.UNKNOWN if _alone(every) else Protocol.GROUPED), 0


def _alone(groups: Sequence[str]) -> bool:
    """Whether no two pictures share a group."""
    return len(set(groups)) == len(groups)


def _seen(card: ModelCard, identity: Identity, fields: Sequence[LabelledField]) -> tuple[Seen, int]:
    """Whether the model knows these data, and how many groups it does not hold out."""
    seen = seen_groups(card, identity, {field.group for field in fields})
    if seen is not None:
        return (Seen.YES if seen else Seen.NO), len(seen)
    learnt = _learnt_groups(card, fields)
    return (Seen.YES if learnt else Seen.UNKNOWN), len(learnt)


def _learnt_groups(card: ModelCard, fields: Sequence[LabelledField]) -> set[str]:
    """The groups with a picture that the model's own run learnt, where its folder still tells.

    So part of the training's data is found too; a picture that was encoded anew is not.
    """
    learnt = digests_of_parts(card.folder / WORK_FOLDER, ("train", "validation"))
    if not learnt:
        return set()
    there = (field for field in fields if field.path.is_file())
    return {field.group for field in there if digest_of(field.path) in learnt}


def _identity(root: Path) -> Identity:
    """The folder as training reads it: what its table names and what can be decoded.

    A folder that training refuses is no model's data.
    """
    try:
        listing = read_listing(root)
        digest = data_hash(listing.samples()) if listing.groups is not None else ""
    except (UsageProblem, OSError):  # OSError: a picture went away meanwhile
        return Identity()
    return Identity(listing.contents_sha256, digest)
