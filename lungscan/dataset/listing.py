"""A data folder: one sub-folder per class, with or without a table of groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from lungscan.dataset.group_table import GroupRow, read_groups
from lungscan.dataset.pixels import decode
from lungscan.dataset.samples import IndexArray, Samples
from lungscan.errors import UnreadableFile, UsageProblem
from lungscan.inputs import show
from lungscan.inputs.kinds import guess
from lungscan.inputs.walk import Candidate, walk
from lungscan.workers import Workers

GROUPS_FILE = "groups.csv"
_THREADS = 2


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

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where the pictures lie."""
        return tuple(self.folder / name for name in self.names)

    @property
    def label_names(self) -> tuple[str, ...]:
        """The class of each picture by name."""
        return tuple(self.class_names[label] for label in self.labels)

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
        return Samples(self.paths, self.labels, chosen, self.class_names)


def read_listing(folder: Path, groups: Path | None = None, *, check: bool = True) -> Listing:
    """List the pictures of ``folder`` with their classes, and groups where there are any.

    A class is a sub-folder; what lies below it, at any depth, belongs to it. With ``groups`` (or a
    ``groups.csv`` in the folder) that table says which pictures count, their labels and groups;
    files that it leaves out are reported as skipped. With ``check`` every picture is decoded once:
    broken ones are skipped with the reason, sizes and hashes are noted.

    Raises:
        UsageProblem: no class folders, fewer than two classes, a class without a readable picture,
            or a table that is wrong.
    """
    found, skipped = _walk_classes(folder)
    table = groups or folder / GROUPS_FILE
    given = groups is not None or table.is_file()
    rows = read_groups(table) if given else _rows_of_folders(found, folder)
    if given:
        skipped += [
            SkippedPicture(show(name), f"is not named in {show(table.name)}")
            for name in sorted(found - rows.keys())
        ]
    wanted = sorted({row.label for row in rows.values()})
    opened = list(_open(folder, sorted(rows), check=check))
    skipped += [item for item in opened if isinstance(item, SkippedPicture)]
    kept = [item for item in opened if isinstance(item, _Opened)]
    _require_classes(folder, wanted, [rows[item.name].label for item in kept])
    return Listing(
        folder=folder,
        names=tuple(item.name for item in kept),
        labels=np.array([wanted.index(rows[item.name].label) for item in kept], np.int64),
        class_names=tuple(wanted),
        groups=tuple(rows[item.name].group for item in kept) if given else None,
        skipped=tuple(sorted(skipped, key=lambda item: item.name)),
        sizes=tuple(item.size for item in kept) if check else None,
        digests=tuple(item.digest for item in kept) if check else None,
    )


@dataclass(frozen=True, slots=True)
class _Opened:
    name: str
    size: tuple[int, int] = (0, 0)
    digest: str = ""


def _walk_classes(folder: Path) -> tuple[set[str], list[SkippedPicture]]:
    """The files below class folders that may be pictures, and what is left out."""
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
            if len(found) == before:
                raise UsageProblem(
                    f"Class {show(entry.name)} holds no picture; add some or remove the folder."
                )
        elif entry.name != GROUPS_FILE:
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
        height, width = decode(path, data).shape[:2]
    except OSError as error:
        reason = f"cannot be read ({error.strerror or type(error).__name__})"
        return SkippedPicture(show(name), reason, broken=True)
    except UnreadableFile as error:
        told = str(error).removeprefix(show(path.name)).strip()
        return SkippedPicture(show(name), told, broken=True)
    return _Opened(name, (width, height), sha256(data).hexdigest())


def _require_classes(folder: Path, wanted: Sequence[str], kept: Sequence[str]) -> None:
    if len(wanted) < 2:
        raise UsageProblem(
            f"{show(folder.name)}: two classes at least are needed, found {len(wanted)}."
        )
    for label in wanted:
        if label not in kept:
            raise UsageProblem(
                f"Class {show(label)} of {show(folder.name)} holds no readable picture."
            )
