"""Unpack a downloaded archive into data folders; an archive from outside is not trusted.

Only pictures in the folders that a source names are written, under a name of ours. A path that
climbs, a link, a bomb or a damaged member ends it, and nothing is left behind. What another program
has unpacked is laid out from its folder in the same way.
"""

from __future__ import annotations

import hashlib
import shutil
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from lungscan.dataset.patients import groups_of
from lungscan.dataset.public_sets import Source
from lungscan.errors import MachineError, UsageProblem
from lungscan.inputs import show
from lungscan.results.atomic_files import into_place, machine_error
from lungscan.results.scratch import scratch_beside

PICTURES = frozenset({".jpeg", ".jpg", ".png"})
MOST_MEMBERS = 200_000
MOST_PICTURE_BYTES = 50_000_000
MOST_TABLE_BYTES = 10_000_000
GROUPS_FILE = "groups.csv"

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What was laid out."""

    pictures: Mapping[str, int]  # data folder and class -> pictures
    ignored: int  # members that are no picture of a class


def sha256_of_archive(archive: Path) -> str:
    """SHA-256 of a file, hexadecimal.

    Raises:
        UsageProblem: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with archive.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UsageProblem(f"{show(archive.name)} cannot be read: {why}.") from error
    return digest.hexdigest()


def unpack(archive: Path, source: Source, root: Path) -> Unpacked:
    """Lay the pictures of ``archive`` out below ``root``, all of them or none.

    Args:
        archive: a ZIP file, or the folder that another program unpacked.
        source: what it should be. Where that has a table of patients, ``groups.csv`` is made of it.
        root: where the data folders will lie.

    Raises:
        UsageProblem: no ZIP archive of this source, unsafe, damaged, or its folders exist already.
        MachineError: the disk is full or may not be written.
        OutputLocked: another process unpacks something there.
    """
    try:
        with FolderArchive(archive) if archive.is_dir() else zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            plan, ignored = _plan(members, source, archive)
            tables = _tables(opened, members, plan, source, archive)
            _require_absent(source, root)
            with scratch_beside(root / "unpacking") as scratch:  # and what a killed one left goes
                _require_free(plan, root)
                return _write(opened, plan, tables, ignored - len(tables), scratch / "data", root)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise UsageProblem(
            f"{show(archive.name)} is no ZIP archive or is damaged ({error}); download it again."
        ) from error
    except RuntimeError as error:  # zipfile's way to say: encrypted
        raise UsageProblem(f"{show(archive.name)} cannot be unpacked: {error}.") from error
    except OSError as error:
        raise machine_error(error, root) from error


Plan = dict[str, zipfile.ZipInfo]  # target relative to the root, with forward slashes


class Opened(Protocol):
    """What is asked of an archive."""

    def infolist(self) -> list[zipfile.ZipInfo]:
        """Its members."""

    def open(self, name: zipfile.ZipInfo, /) -> IO[bytes]:
        """The content of one."""


class FolderArchive:
    """A folder that another program unpacked, read as an archive is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> FolderArchive:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing stays open."""

    def infolist(self) -> list[zipfile.ZipInfo]:
        """Its files, links as links."""
        found = []
        for path in sorted(self._folder.rglob("*")):
            status = path.lstat()
            if not stat.S_ISDIR(status.st_mode):
                info = zipfile.ZipInfo(path.relative_to(self._folder).as_posix())
                info.external_attr, info.file_size = status.st_mode << 16, status.st_size
                found.append(info)
        return found

    def open(self, name: zipfile.ZipInfo, /) -> IO[bytes]:
        """The content of one file."""
        return (self._folder / name.filename).open("rb")


def _tables(
    opened: Opened,
    members: Sequence[zipfile.ZipInfo],
    plan: Plan,
    source: Source,
    archive: Path,
) -> dict[str, str]:
    """``groups.csv`` by its target, where the source says whose picture each is."""
    table = source.patients
    if table is None:
        return {}
    found = [m for m in members if PurePosixPath(m.filename).name.lower() == table.file]
    if len(found) != 1:
        raise UsageProblem(
            f"{show(archive.name)} holds {len(found)} tables {table.file} instead of one, so "
            f"nobody can say which patient a picture is of; it is not the whole of {source.title}."
        )
    if found[0].file_size > MOST_TABLE_BYTES:
        raise UsageProblem(f"{table.file} of {show(archive.name)} is too large for a table.")
    with opened.open(found[0]) as stream:
        data = stream.read(MOST_TABLE_BYTES)
    return {f"{table.folder}/{GROUPS_FILE}": groups_of(data, table, plan, archive)}


def _plan(members: Sequence[zipfile.ZipInfo], source: Source, archive: Path) -> tuple[Plan, int]:
    if len(members) > MOST_MEMBERS:
        raise UsageProblem(f"{show(archive.name)} holds {len(members):,} members: too many.")
    plan: Plan = {}
    ignored = 0
    for member in members:
        _require_safe(member, archive)
        target = _target(member, source)
        if target is None:
            ignored += not member.is_dir()
        elif target in plan:
            raise UsageProblem(f"{show(archive.name)} holds {show(target)} twice.")
        else:
            plan[target] = member
    missing = set(source.folders.values()) - {target.rpartition("/")[0] for target in plan}
    if missing:
        raise UsageProblem(
            f"{show(archive.name)} holds no pictures for {', '.join(sorted(missing))}, so it is "
            f"not the whole of {source.title}."
        )
    if sum(member.file_size for member in plan.values()) > source.most_bytes:
        raise UsageProblem(f"{show(archive.name)} unpacks to more than {source.name} can be.")
    return plan, ignored


def _require_safe(member: zipfile.ZipInfo, archive: Path) -> None:
    name = member.orig_filename
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or parts[0] == "/" or ".." in parts or ":" in parts[0]:
        raise UsageProblem(
            f"{show(archive.name)} holds the path {show(name)!r}, which leads out of its folder; "
            "it is not trusted."
        )
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UsageProblem(
            f"{show(archive.name)} holds {show(name)!r}, which is a link or device; it is not "
            "trusted."
        )


def _target(member: zipfile.ZipInfo, source: Source) -> str | None:
    """Where a member belongs; None when it is no picture of a class."""
    path = PurePosixPath(member.filename)
    if member.is_dir() or path.name.startswith(".") or "__MACOSX" in path.parts:
        return None
    folder = source.folders.get(path.parent.name.strip().lower())
    if folder is None or path.suffix.lower() not in PICTURES:
        return None
    return f"{folder}/{path.name}"


def _require_absent(source: Source, root: Path) -> None:
    for name in sorted({folder.split("/")[0] for folder in source.folders.values()}):
        if (root / name).exists():
            raise UsageProblem(
                f"{show(str(root / name))} exists already; move it away or choose another folder."
            )


def _require_free(plan: Plan, root: Path) -> None:
    needed = sum(member.file_size for member in plan.values())
    if shutil.disk_usage(root).free < needed:
        raise MachineError(
            f"Unpacking needs {needed / 1e9:.1f} GB in {show(str(root))}, which has less free."
        )


def _write(
    opened: Opened,
    plan: Plan,
    tables: Mapping[str, str],
    ignored: int,
    staging: Path,
    root: Path,
) -> Unpacked:
    """Unpack beside the final place and move whole data folders there at the end."""
    for target, member in plan.items():
        path = staging / target
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_member(opened, member, path)
    for target, text in tables.items():
        (staging / target).write_text(text, encoding="utf-8", newline="")
    moved: list[Path] = []
    try:
        for folder in sorted(staging.iterdir()):
            into_place(folder, root / folder.name)
            moved.append(root / folder.name)
    except OSError:
        for folder in moved:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    counts = Counter(target.rpartition("/")[0] for target in plan)
    return Unpacked(dict(sorted(counts.items())), ignored)


def _write_member(opened: Opened, member: zipfile.ZipInfo, path: Path) -> None:
    """Copy one member; what the archive claims about its size is not believed."""
    written = 0
    with opened.open(member) as stream, path.open("xb") as file:
        while chunk := stream.read(_CHUNK):
            written += len(chunk)
            if written > min(member.file_size, MOST_PICTURE_BYTES):
                raise UsageProblem(f"{show(member.filename)} unpacks to more than a picture holds.")
            file.write(chunk)
