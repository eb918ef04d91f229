"""Archives of strangers, unpacked by counting what comes out, never by what they say of themselves.

An archive is refused whole: half a series would be answered as if it were one.
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from lungscan_web.jobs.limits import BadArchive, TooLarge
from lungscan_web.jobs.safe_names import file_name

PIECE = 1 << 20
DEEPEST = 16  # folders
BOMB_RATIO = 200  # of unpacked to packed bytes, beyond
BOMB_FROM = 100 << 20  # so many unpacked bytes
DIRECTORY_BYTES = 512  # of the archive's list, for each member allowed
_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
# ZIPs inside, and never images: unpacked they would be a list of parts that nobody gave.
_DOCUMENTS = frozenset(
    {".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp", ".epub", ".jar", ".apk", ".whl"}
)


def is_archive(path: Path) -> bool:
    """Whether a file begins as a ZIP does, whatever its name is, unless it is a document's."""
    if path.suffix.lower() in _DOCUMENTS:
        return False
    with path.open("rb") as file:
        return file.read(4) in _MAGIC


def unpack(archive: Path, into: Path, *, members: int, room: int, check: Callable[[], None]) -> int:
    """Unpack a ZIP into the folder ``into``, which is made; the bytes that came out.

    Args:
        members: how many files it may hold.
        room: how many bytes may come out of it.
        check: called between pieces; raises when nobody wants the rest.

    Raises:
        BadArchive: it is damaged, encrypted, or holds what is never unpacked (links, names that
            lead out of the folder, two files of one name).
        TooLarge: it holds more than is allowed, or far more than its size lets expect.
    """
    packed = archive.stat().st_size
    into.mkdir(mode=0o700)
    try:
        with _Archive(archive, members) as stream, zipfile.ZipFile(stream) as opened:
            stream.members = None  # its list has been read
            found = list(_wanted(opened, members))
            room = min(room, max(BOMB_FROM, packed * BOMB_RATIO))
            total = 0
            for member, target in found:
                total += _write(opened, member, into / target, room - total, check)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise BadArchive(
            "The ZIP archive is damaged and cannot be unpacked. Make it again, or give its files "
            "one by one."
        ) from error
    except RuntimeError as error:  # zipfile's way to ask for a password
        raise BadArchive("The ZIP archive is encrypted. Give it without a password.") from error
    if not found:
        raise BadArchive("The ZIP archive holds no files.")
    return total


class _Archive(io.BufferedReader):
    """A file of which no more is read at once than the list of so many members may take.

    ``zipfile`` reads the list whole, however long it is, and an archive may say how long in several
    places. What is asked for here is what was believed.
    """

    def __init__(self, path: Path, members: int | None) -> None:
        """``members``: None once the list has been read, and whatever is asked for may be had."""
        super().__init__(path.open("rb", buffering=0))
        self.members = members

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file. Raises TooLarge."""
        if self.members and size and size > self.members * DIRECTORY_BYTES:
            words = f"The ZIP archive lists more than {self.members:,} files. Give fewer at once."
            raise TooLarge(words)
        return super().read(size)


def _wanted(
    opened: zipfile.ZipFile, members: int
) -> Iterator[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """The files in it and where they go, below the folder."""
    taken: set[str] = set()
    for member in opened.infolist():
        target = _target(member)
        if member.is_dir() or target.parts[0] == "__MACOSX":
            continue
        if str(target).casefold() in taken:
            raise BadArchive("The ZIP archive holds two files of one name. Rename one of them.")
        taken.add(str(target).casefold())
        if len(taken) > members:
            raise TooLarge(f"The ZIP archive holds more than {members:,} files. Give fewer.")
        yield member, target


def _target(member: zipfile.ZipInfo) -> PurePosixPath:
    """Where a member goes. Raises BadArchive for what is never unpacked."""
    name = member.orig_filename
    parts = [part for part in re.split(r"[/\\]", name) if part not in ("", ".")]
    outside = name.startswith(("/", "\\")) or ".." in parts or re.match(r"[A-Za-z]:", name)
    if outside or "\0" in name or not parts:
        raise BadArchive(
            "The ZIP archive holds a file whose name leads out of its folder, so none of it was "
            "unpacked. Make the archive again from the folder itself."
        )
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise BadArchive(
            "The ZIP archive holds a link or a device, so none of it was unpacked. Put the files "
            "themselves into it."
        )
    if member.flag_bits & _ENCRYPTED:
        raise BadArchive("The ZIP archive is encrypted. Give it without a password.")
    if member.compress_type not in _METHODS:
        raise BadArchive("The ZIP archive is packed in a rare way. Make it anew as a plain ZIP.")
    if len(parts) > DEEPEST:
        raise BadArchive(f"The ZIP archive holds folders more than {DEEPEST} deep.")
    return PurePosixPath(*(file_name(part) for part in parts))


def _write(
    opened: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    path: Path,
    room: int,
    check: Callable[[], None],
) -> int:
    """Write one member, and count; the folders are our own, so no link lies in the way."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    total = 0
    with opened.open(member) as source, path.open("xb") as target:
        while piece := source.read(PIECE):
            check()
            total += len(piece)
            if total > room:
                raise TooLarge(
                    "The ZIP archive unpacks to more than is taken here. Give fewer files at once."
                )
            target.write(piece)
    return total
