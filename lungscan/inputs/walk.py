"""From paths to candidate files: folders opened, junk named, each file once, order stable."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lungscan.errors import Code
from lungscan.inputs.files import Identity, identity_of
from lungscan.inputs.kinds import why_not
from lungscan.inputs.motion import stamp_of
from lungscan.inputs.names import natural, same_name, show
from lungscan.layout import CASES, KEY, LOCK, OF_A_CASE, OF_A_RUN, RECORD, SHARDS
from lungscan.types import Stamp

_MIRAX_INDEX = "slidedat.ini"
_MIRAX_DATA = "data of a MIRAX slide, whose .mrxs file is missing or has another name"
_SYSTEM_FILES = frozenset({"thumbs.db", ".ds_store", "desktop.ini", "ehthumbs.db"})
# Of a whole drive: what was deleted there, and what nobody may open. Others begin with a dot.
_SYSTEM_FOLDERS = frozenset({"$recycle.bin", "system volume information"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A regular file that may be an image, or a part of one."""

    path: Path
    relative_path: str
    identity: Identity
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Omission:
    """Something left out; ``error_code`` is set when that was not by choice."""

    relative_path: str
    reason: str
    error_code: str = ""


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    relative_path: str
    named: bool  # given by the user, not found in a folder


def walk(
    paths: tuple[Path, ...], names: Mapping[Path, str] | None = None
) -> Iterator[Candidate | Omission]:
    """Everything below ``paths`` in natural order, each file once.

    ``names`` are relative paths of some of ``paths``, as an earlier search gave them. Links to
    folders are not followed below a given path, so a loop cannot trap the walk.
    """
    seen: set[Identity] = set()
    # A stack, not recursion: no tree is too deep for it.
    known = names or {}
    stack = [
        _Entry(path, known.get(path) or show(_root_name(path)), named=True)
        for path in reversed(paths)
    ]
    while stack:
        entry = stack.pop()
        try:
            status = entry.path.stat()
        except OSError as error:
            yield _not_reached(entry, error)
            continue
        identity = identity_of(entry.path, status)
        if identity in seen:
            continue
        if stat.S_ISDIR(status.st_mode):
            reason = "" if entry.named else _folder_reason(entry.path)
            if reason:
                yield Omission(entry.relative_path, reason)
                continue
            seen.add(identity)
            try:
                children = _children(entry)
            except OSError as error:
                yield _not_reached(entry, error)
                continue
            if children is None:
                yield Omission(entry.relative_path, _MIRAX_DATA)
            else:
                stack.extend(reversed(children))
            continue
        seen.add(identity)
        reason = _file_reason(entry, status)
        if reason:
            yield Omission(entry.relative_path, reason)
        else:
            yield Candidate(entry.path, entry.relative_path, identity, stamp_of(status))


def _root_name(path: Path) -> str:
    return path.name if path.name not in {"", ".."} else (path.resolve().name or "root")


def _children(folder: _Entry) -> list[_Entry] | None:
    """What a folder holds; None: only the parts of a MIRAX slide, which is not here."""
    with os.scandir(folder.path) as listing:
        names = sorted((entry.name for entry in listing), key=natural)
    if any(name.lower() == _MIRAX_INDEX for name in names):
        return None
    # What shards of a run keep there, even before the first case is finished.
    names = [name for name in names if name != SHARDS]
    # Results of LungScan. They are not listed as skipped either, or a run that goes on would not
    # end with the tables of one that was never stopped.
    if folder.relative_path.rpartition("/")[2].lower() == CASES:
        names = [name for name in names if not _is_of_a_case(folder.path / name)]
    ours = any(map(_is_of_a_case, (folder.path / CASES).glob("*")))
    if ours or LOCK in names:
        names = [name for name in names if name not in OF_A_RUN or name == CASES]
    # The folder of a MIRAX slide bears the slide's name and holds only its parts. Copies through
    # macOS spell a letter with an accent as two characters, in one of the names or in both.
    mirax = {same_name(Path(name).stem) for name in names if Path(name).suffix.lower() == ".mrxs"}
    return [
        _Entry(folder.path / name, f"{folder.relative_path}/{show(name)}", named=False)
        for name in names
        if same_name(name) not in mirax
    ]


def _is_of_a_case(folder: Path) -> bool:
    """Whether a run made this folder: it bears a key, and holds a record or nothing but our files.

    What a killed run left has no record yet. All else below ``cases`` may be the user's.
    """
    if not KEY.fullmatch(folder.name):
        return False
    if (folder / RECORD).is_file():
        return True
    try:
        return all(OF_A_CASE.fullmatch(path.name) for path in folder.iterdir())
    except OSError:
        return False


def _folder_reason(path: Path) -> str:
    if path.is_symlink():
        return "link to a folder, not followed"
    if path.name.lower() in _SYSTEM_FOLDERS:
        return "folder of Windows itself, such as its recycle bin"
    return "hidden folder" if path.name.startswith(".") else ""


def _file_reason(entry: _Entry, status: os.stat_result) -> str:
    """Say why a file is left out; "" when it is not."""
    name = entry.path.name
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    if name.startswith("._"):
        return "side file of macOS, not an image"
    if name.startswith("~$") or name.lower() in _SYSTEM_FILES:
        return "file of another program, not an image"
    # What a person names is tried, whatever it is called.
    if entry.named:
        return ""
    if name.startswith("."):
        return "hidden file"
    why = why_not(entry.path)
    return "empty file" if why and status.st_size == 0 else why


def _not_reached(entry: _Entry, error: OSError) -> Omission:
    if isinstance(error, PermissionError):
        return Omission(
            entry.relative_path,
            "may not be read by this user; ask for read permission",
            Code.PERMISSION,
        )
    in_a_ring = error.errno == errno.ELOOP  # a link that leads back to itself
    if in_a_ring or isinstance(error, FileNotFoundError | NotADirectoryError):
        reason = "does not exist; check its name" if entry.named else "link that leads nowhere"
        return Omission(entry.relative_path, reason, Code.NOT_FOUND if entry.named else "")
    return Omission(
        entry.relative_path,
        f"could not be read from the disk ({error.strerror or type(error).__name__}); check the "
        "drive and run again",
        Code.IO,
    )
