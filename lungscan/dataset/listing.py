"""A data folder: one sub-folder per class, with or without a table of groups."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import numpy as np

from lungscan.dataset.group_table import GroupRow, read_groups, spelt_as_found
from lungscan.dataset.pixels import open_picture
from lungscan.dataset.samples import IndexArray, Samples
from lungscan.errors import UnreadableFile, UsageProblem
from lungscan.inputs import require_regular, show
from lungscan.inputs.kinds import guess
from lungscan.inputs.walk import Candidate, walk
from lungscan.workers import Workers

GROUPS_FILE = "groups.csv"
_THREADS = 2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SkippedPicture:
    """A file that is no part of the data, and in one sentence why."""

    name: str  # relative to the folder, safe to print
    reason: str
    broken: bool = False  # a picture that should have been read, not a stray file


@dataclass(frozen=True)
class Listing:
    """The pictures of a data folder in the order of their names; row i is picture i."""

    folder: Path
    names: tuple[str, ...]  # relative to the folder, with forward slashes
    labels: IndexArray  # (n,) index into class_names
    class_names: tuple[str, ...]  # sorted
    groups: tuple[str, ...] | None  # as given; None when nothing was given
    skipped: tuple[SkippedPicture, ...]
    sizes: tuple[tuple[int, int], ...] | None = None  # width, height; None when not opened
    digests: tuple[str, ...] | None = None  # SHA-256 of each file; None when not opened
    scales: tuple[float | None, ...] | None = None  # µm/px that each states; None: not opened
    um_px: tuple[float | None, ...] = ()  # what a table says of it; (): nothing of any picture
    sources: IndexArray | None = None  # (n,) which of several sources; None: there is one
    contents: tuple[str, ...] = ()  # of several sources, `contents_sha256` of each folder

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where the pictures lie."""
        return tuple(self.folder / name for name in self.names)

    @property
    def label_names(self) -> tuple[str, ...]:
        """The class of each picture by name."""
        return tuple(self.class_names[label] for label in self.labels)

    @property
    def contents_sha256(self) -> str:
        """SHA-256 over the pictures' own, whatever their names, classes and groups.

        By it a model's card knows the pictures that it was trained on; "" when not opened.
        """
        if self.digests is None:
            return ""
        return hash_of_contents(self.digests)

    def without(self, reasons: Mapping[str, str]) -> Listing:
        """The listing without the pictures named, which are then skipped as broken ones are.

        Raises:
            UsageProblem: a class has no picture left.
        """
        if not reasons:
            return self
        more = [SkippedPicture(show(name), why, broken=True) for name, why in reasons.items()]
        kept = replace(
            self.taken([row for row, name in enumerate(self.names) if name not in reasons]),
            skipped=tuple(sorted((*self.skipped, *more), key=lambda item: item.name)),
        )
        gone = [f"{item.name}: {item.reason}" for item in more]
        _require_classes(self.folder, self.class_names, kept.label_names, gone)
        return kept

    def taken(self, rows: Sequence[int]) -> Listing:
        """The pictures at ``rows``, in that order, with the same classes."""
        return replace(
            self,
            names=_at(self.names, rows),
            labels=self.labels[list(rows)],
            groups=None if self.groups is None else _at(self.groups, rows),
            sizes=None if self.sizes is None else _at(self.sizes, rows),
            digests=None if self.digests is None else _at(self.digests, rows),
            scales=None if self.scales is None else _at(self.scales, rows),
            um_px=_at(self.um_px, rows) if self.um_px else (),
            sources=None if self.sources is None else self.sources[list(rows)],
        )

    def samples(self, groups: Sequence[str] | None = None) -> Samples:
        """The record for training, with the given or, in their place, other (found) groups.

        Raises:
            UsageProblem: there are neither.
        """
        chosen = self.groups if groups is None else tuple(groups)
        if chosen is None:
            raise UsageProblem(
                f"{show(self.folder.name)} has no groups; find them with `lungscan data split`."
            )
        return Samples(self.paths, self.labels, chosen, self.class_names, self.um_px, self.sources)


def hash_of_contents(digests: Iterable[str]) -> str:
    """SHA-256 over the pictures' own, in whatever order and under whatever names they lie."""
    return sha256("\n".join(sorted(digests)).encode()).hexdigest()


def read_listing(
    folder: Path, groups: Path | None = None, *, check: bool = True, fewest: int = 2
) -> Listing:
    """List the pictures of ``folder`` with their classes, and groups where there are any.

    A class is a sub-folder; what lies below it, at any depth, belongs to it. With ``groups`` (or a
    ``groups.csv`` in the folder) that table says which pictures count, their labels and groups;
    files that it leaves out are reported as skipped. With ``check`` every picture is decoded once:
    broken ones are skipped with the reason, sizes and hashes are noted. ``fewest`` classes must be
    there.

    Raises:
        UsageProblem: no class folders, too few classes, a class without a readable picture,
            or a table that is wrong.
    """
    found, skipped = _walk_classes(folder)
    table = groups or groups_table(folder)
    rows: Mapping[str, GroupRow]
    if table is None:
        rows = _rows_of_folders(found, folder)
    else:
        rows = spelt_as_found(read_groups(table), found, folder)
    if table is not None:
        skipped += [
            SkippedPicture(show(name), f"is not named in {show(table.name)}")
            for name in sorted(found - rows.keys())
        ]
    wanted = sorted({row.label for row in rows.values()})
    _require_told_apart(folder, wanted)
    if len(wanted) < fewest:
        raise UsageProblem(_too_few(folder, wanted, table, len(found)))
    opened = list(_open(folder, sorted(rows), check=check))
    skipped += [item for item in opened if isinstance(item, SkippedPicture)]
    kept = [item for item in opened if isinstance(item, _Opened)]
    _require_classes(folder, wanted, [rows[item.name].label for item in kept])
    spacings = tuple(rows[item.name].um_px for item in kept)
    return Listing(
        folder=folder,
        names=tuple(item.name for item in kept),
        labels=np.array([wanted.index(rows[item.name].label) for item in kept], np.int64),
        class_names=tuple(wanted),
        groups=None if table is None else tuple(rows[item.name].group for item in kept),
        skipped=tuple(sorted(skipped, key=lambda item: item.name)),
        sizes=tuple(item.size for item in kept) if check else None,
        digests=tuple(item.digest for item in kept) if check else None,
        scales=tuple(item.mpp_um for item in kept) if check else None,
        um_px=spacings if any(spacings) else (),
    )


def groups_table(folder: Path) -> Path | None:
    """The folder's own ``groups.csv``, in capitals or not; None when there is none."""
    if not folder.is_dir():
        return None
    found = sorted(p for p in folder.iterdir() if p.name.lower() == GROUPS_FILE and p.is_file())
    return found[-1] if found else None  # small letters come last


def every_picture(folder: Path) -> dict[str, GroupRow]:
    """The pictures that a folder's table names and all others below its class folders, by name.

    For judging, where nothing is left out silently: a picture that the table does not name is of
    its folder's class and a group of its own, and none is opened.

    Raises:
        UsageProblem: the table is wrong.
    """
    table = groups_table(folder)
    found, _ = _walk_classes(folder, empty=True)
    rows = {} if table is None else spelt_as_found(read_groups(table), found, folder)
    alone = {name: GroupRow(name, name.split("/")[0], name) for name in found}
    return dict(sorted((alone | rows).items()))


@dataclass(frozen=True, slots=True)
class _Opened:
    name: str
    size: tuple[int, int] = (0, 0)
    digest: str = ""
    mpp_um: float | None = None


def _at(values: Sequence[T], rows: Iterable[int]) -> tuple[T, ...]:
    return tuple(values[row] for row in rows)


def _walk_classes(folder: Path, *, empty: bool = False) -> tuple[set[str], list[SkippedPicture]]:
    """The files below class folders that may be pictures, and what is left out.

    ``empty`` class folders are refused unless they may be.
    """
    if not folder.is_dir():
        raise UsageProblem(f"There is no data folder '{show(str(folder))}'.")
    found: set[str] = set()
    skipped: list[SkippedPicture] = []
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.name.startswith("."):
            before = len(found)
            for name, reason in _walk_class(entry, folder):
                if reason:
                    skipped.append(SkippedPicture(show(name), reason))
                else:
                    found.add(name)
            if len(found) == before and not empty:
                raise UsageProblem(
                    f"Class {show(entry.name)} holds no picture; add some or remove the folder."
                )
        elif entry.name.lower() != GROUPS_FILE:
            skipped.append(SkippedPicture(show(entry.name), "lies in no class folder"))
    return found, skipped


def _walk_class(entry: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """Names relative to the data folder, each with why it is left out ("" when it is not)."""
    for item in walk((entry,)):
        if not isinstance(item, Candidate):
            yield item.relative_path, item.reason
            continue
        name = item.path.relative_to(folder).as_posix()
        if not name.isprintable() or not _is_unicode(name):
            yield name, "has a name with characters that no table can hold; rename it"
        elif guess(item.path) == "slide":
            yield name, "is a whole slide; training takes field images"
        else:
            yield name, ""


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _rows_of_folders(found: Iterable[str], folder: Path) -> Mapping[str, GroupRow]:
    rows = {name: GroupRow(name, name.split("/")[0], "") for name in found}
    if not rows:
        raise UsageProblem(
            f"{show(folder.name)} holds no class folders; a data folder has one sub-folder of "
            "pictures per class."
        )
    return rows


def _open(folder: Path, names: Sequence[str], *, check: bool) -> Iterator[_Opened | SkippedPicture]:
    if not check:
        yield from (_Opened(name) for name in names)
        return

    def look(name: str) -> _Opened | SkippedPicture:
        return _open_one(folder, name)

    with Workers(_THREADS) as workers, workers.in_order(look, names) as results:
        yield from results


def _open_one(folder: Path, name: str) -> _Opened | SkippedPicture:
    path = folder / name
    try:
        data = path.read_bytes()
        if not data:
            require_regular(path)  # which says so
        info = open_picture(path, data).info
    except OSError as error:
        reason = f"cannot be read ({error.strerror or type(error).__name__})"
        return SkippedPicture(show(name), reason, broken=True)
    except UnreadableFile as error:
        cause = str(error).removeprefix(show(path.name)).strip()
        return SkippedPicture(show(name), cause, broken=True)
    size = (info.width, info.height)
    return _Opened(name, size, sha256(data).hexdigest(), info.scale.mpp_um)


def _too_few(folder: Path, wanted: Sequence[str], table: Path | None, pictures: int) -> str:
    which = f" ({', '.join(map(show, wanted))})" if wanted else ""
    cure = "Give each class a sub-folder of pictures."
    if table is not None:
        name = show(table.name)
        cure = (
            f"Of the {pictures:,} pictures there only those count that {name} names, with its "
            f"labels: complete {name}, or take it away."
        )
    return (
        f"{show(folder.name)}: two classes at least are needed, found {len(wanted)}{which}. {cure}"
    )


def _require_told_apart(folder: Path, wanted: Sequence[str]) -> None:
    """Refuse one class that is spelled two ways; a network would learn to tell them apart."""
    spellings: dict[str, str] = {}
    for label in wanted:
        plain = " ".join(re.split(r"[\s_-]+", label.casefold())).strip()
        other = spellings.setdefault(plain, label)
        if other != label:
            raise UsageProblem(
                f"{show(folder.name)} has the classes {show(other)} and {show(label)}, which "
                "differ in their spelling alone. Spell them alike, in folders and tables."
            )


def _require_classes(
    folder: Path, wanted: Sequence[str], kept: Sequence[str], gone: Sequence[str] = ()
) -> None:
    for label in wanted:
        if label not in kept:
            why = next((f" ({text})" for text in gone if text.startswith(f"{show(label)}/")), "")
            raise UsageProblem(
                f"Class {show(label)} of {show(folder.name)} holds no readable picture{why}."
            )
