"""``lungscan.sha256``: checksums of what was written, in the form that ``sha256sum -c`` reads.

Each case's folder has a list of its files, and the run's folder one of its tables and of the lists
of all cases, so nothing can be changed, removed or added unseen. The last line is a comment with
the checksum of the lines above: a damaged list must not accuse sound files.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lungscan.report.case_json import DamagedRecord
from lungscan.report.files import machine_error, write_atomic

LIST = "lungscan.sha256"
_MAX_BYTES = 1 << 28  # two million names
_LINE = re.compile(r"([0-9a-f]{64})  ((?:cases/[a-z0-9-]+/)?[A-Za-z0-9][A-Za-z0-9 ().-]*)")

Sums = dict[str, str]  # name, relative to the list's folder -> SHA-256, hexadecimal


@contextmanager
def sealed(folder: Path) -> Iterator[set[str]]:
    """Keep the list of ``folder`` true while the block writes; it adds to the set what it wrote.

    The list goes before anything is written and comes back last, so a killed process leaves no
    list rather than one that contradicts its files. Files that are not written again keep the
    checksum they had. Raises MachineError.
    """
    sums = _earlier(folder)
    unseal(folder)
    written: set[str] = set()
    yield written
    try:
        sums |= {name: digest_of(folder / name) for name in written}
        sums = {name: sums[name] for name in sorted(sums) if (folder / name).is_file()}
    except OSError as error:
        raise machine_error(error, folder / LIST) from error
    write_atomic(folder / LIST, dump_sums(sums), durable=False)


def unseal(folder: Path) -> None:
    """Remove the list of ``folder``, before what it names is written. Raises MachineError."""
    try:
        (folder / LIST).unlink(missing_ok=True)
    except OSError as error:
        raise machine_error(error, folder / LIST) from error


def read_sums(folder: Path) -> Sums | None:
    """The list of ``folder``, None when there is none. Its names never lead out of the folder.

    Raises DamagedRecord.
    """
    path = folder / LIST
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
            raise DamagedRecord(f"This {LIST} is no regular file, or too large to be one.")
        return load_sums(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DamagedRecord(f"This {LIST} cannot be read ({error.strerror or error}).") from error


def dump_sums(sums: Sums) -> bytes:
    """The list as ASCII text."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sums.items()).encode("ascii")
    return lines + b"# " + hashlib.sha256(lines).hexdigest().encode() + b"\n"


def load_sums(data: bytes) -> Sums:
    """What ``dump_sums`` wrote; raises DamagedRecord."""
    lines, mark, end = data.rpartition(b"# ")
    if not mark or end != hashlib.sha256(lines).hexdigest().encode() + b"\n":
        raise DamagedRecord(f"This {LIST} is cut off or was changed.")
    found = [_LINE.fullmatch(line) for line in lines.decode("ascii", "replace").splitlines()]
    sums = {match[2]: match[1] for match in found if match}
    if len(sums) != len(found):  # a list with a sound last line, but none of ours
        raise DamagedRecord(f"This {LIST} names files that LungScan does not write.")
    return sums


def digest_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def differs(folder: Path, name: str, data: bytes) -> bool:
    """Whether the list of ``folder`` knows ``name`` with other bytes than ``data``."""
    expected = _earlier(folder).get(name)
    return expected is not None and expected != hashlib.sha256(data).hexdigest()


def lists_of_cases(out: Path) -> set[str]:
    """The list of every case of a run, as the run's own list names it."""
    found = (path.relative_to(out).as_posix() for path in out.glob(f"cases/*/{LIST}"))
    return {name for name in found if _LINE.fullmatch(f"{'0' * 64}  {name}")}


def _earlier(folder: Path) -> Sums:
    """The list as far as it can be read; a damaged one is made anew from what is written."""
    try:
        return read_sums(folder) or {}
    except DamagedRecord:
        return {}
