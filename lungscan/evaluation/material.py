"""Labelled fields: listed from a folder of classes, or named by a split file.

The only place of the evaluation that reads ``groups.csv`` and split files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from lungscan.cards import ModelCard
from lungscan.dataset.group_table import read_table, require_inside
from lungscan.errors import NothingToDo, UsageProblem
from lungscan.evaluation.options import PARTS, DataOptions
from lungscan.evaluation.records import DataNote, LabelledField, Protocol, Seen
from lungscan.inputs.kinds import FIELD_SUFFIXES
from lungscan.inputs.names import natural, show


@dataclass(frozen=True)
class Material:
    """The fields to judge, and what is known of them."""

    fields: tuple[LabelledField, ...]
    folder: str = ""
    split: str = ""
    part: str = ""
    protocol: Protocol = Protocol.WHOLE
    leaking_groups: int = 0
    sha256: str = ""  # of the whole data folder, as a model's card names it; "" when unknown

    def note(self, card: ModelCard) -> DataNote:
        """What was judged, with what the card says of it."""
        groups = {field.group for field in self.fields}
        seen, unheld = _seen(card, self.sha256, groups)
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


def material_of(
    paths: Sequence[Path], labels: Sequence[str], groups: Sequence[str], folder: Path
) -> Material:
    """Fields that are listed already; ``labels`` are class names.

    The protocol is taken to be what the caller vouches for: use ``dataclasses.replace`` to say
    ``Protocol.GROUPED`` or ``LEAKING``.
    """
    fields = tuple(
        LabelledField(path.relative_to(folder).as_posix(), path, label, group)
        for path, label, group in zip(paths, labels, groups, strict=True)
    )
    return Material(fields, folder.name)


def load_material(options: DataOptions) -> Material:
    """List what ``options`` point at.

    Raises:
        UsageProblem: a table is damaged or names nothing of the part.
        NothingToDo: the folder holds no class with a field.
    """
    root = options.data
    whole = _list_folder(root)
    digest = _data_hash(whole) if (root / "groups.csv").is_file() else ""
    if options.split is None:
        if not whole:
            raise NothingToDo(
                f"{show(root.name)} holds no field image in a sub-folder. "
                "LungScan wants one sub-folder per class."
            )
        if options.groups:
            _require_named(whole, options.groups)
        fields = _regrouped(whole, options.groups)
        return Material(fields, show(root.resolve().name), sha256=digest)
    parts = _read_split(options.split, root)
    if options.groups:
        _require_named([field for fields in parts.values() for field in fields], options.groups)
    table = options.groups or _better_groups(root, parts)
    parts = {part: _regrouped(fields, table) for part, fields in parts.items()}
    fields = parts[options.part]
    if not fields:
        counts = ", ".join(f"{part} {len(parts[part])}" for part in PARTS)
        raise UsageProblem(
            f"{show(options.split.name)} names no field of the part {options.part!r} "
            f"(fields: {counts}). Choose another --part."
        )
    protocol, leaking = _protocol(parts, options.part)
    return Material(
        fields,
        show(root.resolve().name),
        show(options.split.name),
        options.part,
        protocol,
        leaking,
        digest,
    )


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


def _list_folder(root: Path) -> tuple[LabelledField, ...]:
    """Every field below the class folders; ``groups.csv`` gives groups where it is present.

    Rows whose file is missing stay in the list: judging them tells that they cannot be read.
    """
    table = root / "groups.csv"
    rows = read_table(table, ("file", "label", "group")) if table.is_file() else []
    named = {row["file"]: _field(root, row) for row in rows}
    for path in _pictures(root):
        file = path.relative_to(root).as_posix()
        if file not in named:
            named[file] = LabelledField(file, path, file.split("/")[0], file)
    return tuple(named[file] for file in sorted(named))


def _pictures(root: Path) -> Iterator[Path]:
    folders = sorted((p for p in root.iterdir() if p.is_dir()), key=lambda p: natural(p.name))
    for folder in folders:
        for path in folder.rglob("*") if not folder.name.startswith(".") else ():
            hidden = path.name.startswith(".")
            if path.suffix.lower() in FIELD_SUFFIXES and not hidden and path.is_file():
                yield path


def _read_split(table: Path, root: Path) -> dict[str, tuple[LabelledField, ...]]:
    rows = read_table(table, ("file", "label", "group", "part"))
    for line, row in enumerate(rows, 2):
        require_inside(row["file"], table, line)
    strange = sorted({row["part"] for row in rows} - set(PARTS))
    if strange:
        raise UsageProblem(
            f"{show(table.name)} names the part {show(strange[0])!r}; parts are {', '.join(PARTS)}."
        )
    return {part: tuple(_field(root, row) for row in rows if row["part"] == part) for part in PARTS}


def _field(root: Path, row: dict[str, str]) -> LabelledField:
    return LabelledField(row["file"], root / row["file"], row["label"], row["group"] or row["file"])


def _regrouped(fields: tuple[LabelledField, ...], table: Path | None) -> tuple[LabelledField, ...]:
    """The fields with the groups of ``table``; those it does not name keep theirs."""
    if table is None:
        return fields
    group_of = {row["file"]: row["group"] for row in read_table(table, ("file", "group"))}
    return tuple(replace(field, group=group_of.get(field.file, field.group)) for field in fields)


def _require_named(fields: Sequence[LabelledField], table: Path) -> None:
    """Refuse a table of groups that is about other files."""
    named = {row["file"] for row in read_table(table, ("file", "group"))}
    if named.isdisjoint(field.file for field in fields):
        raise UsageProblem(
            f"{show(table.name)} names none of the fields; its column file must be relative to "
            "the data folder, such as lung_n/a.jpeg."
        )


def _protocol(parts: dict[str, tuple[LabelledField, ...]], part: str) -> tuple[Protocol, int]:
    """What the split keeps apart, and how many of the judged groups stand in another part too."""
    mine = {field.group for field in parts[part]}
    every = [field.group for fields in parts.values() for field in fields]
    elsewhere = {f.group for other, fields in parts.items() if other != part for f in fields}
    leaking = len(mine & elsewhere)
    if leaking:
        return Protocol.LEAKING, leaking
    return (Protocol.UNKNOWN if _alone(every) else Protocol.GROUPED), 0


def _better_groups(root: Path, parts: dict[str, tuple[LabelledField, ...]]) -> Path | None:
    """The folder's own table, where a split file puts each picture into a group of its own."""
    table = root / "groups.csv"
    every = [field.group for fields in parts.values() for field in fields]
    return table if _alone(every) and table.is_file() else None


def _alone(groups: Sequence[str]) -> bool:
    """Whether no two pictures share a group."""
    return len(set(groups)) == len(groups)


def _seen(card: ModelCard, digest: str, groups: set[str]) -> tuple[Seen, int]:
    """Whether the card names this data, and how many groups are not among its test groups."""
    if not digest or card.data.get("sha256") != digest:
        return Seen.UNKNOWN, 0
    held = set() if card.data.get("protocol") == "random" else set(card.data.get("test_groups", ()))
    unheld = len(groups - held)
    return (Seen.YES if unheld else Seen.NO), unheld


def _data_hash(fields: Sequence[LabelledField]) -> str:
    """SHA-256 over names, labels, groups and bytes, as training writes it into the card.

    Returns "" when a file cannot be read: then the data are not those of any card.
    """
    names = sorted({field.label for field in fields})
    digest = sha256()
    try:
        for field in fields:
            head = f"{field.path.name}\0{names.index(field.label)}\0{field.group}\0"
            digest.update(head.encode("utf-8", "surrogateescape"))
            digest.update(field.path.read_bytes())
    except OSError:
        return ""
    return digest.hexdigest()
