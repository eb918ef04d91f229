"""``lungscan.sha256``: checksums of what was written, in the form that ``sha256sum -c`` reads.

The run's folder has a list of its tables and of all cases, so nothing can be changed, removed or
added unseen. A case with more files than its record has a list of its own, which the run's list
names; of the others it names the record itself. The last line is a comment with the checksum of the
lines above: a damaged list must not accuse sound files.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lungscan.layout import CASES, LIST, RECORD, case_folder, record_name
from lungscan.results.atomic_files import machine_error, write_atomic
from lungscan.results.case_json import DamagedRecord

_MAX_BYTES = 1 << 28  # two million names
_KEY = re.compile(r"[a-z0-9-]+")
_LINE = re.compile(r"([0-9a-f]{64})  ((?:cases/[a-z0-9-]+/)?[A-Za-z0-9][A-Za-z0-9 ().-]*)")

Sums = dict[str, str]  # name, relative to the list's folder -> SHA-256, hexadecimal


@contextmanager
def sealed(folder: Path) -> Iterator[dict[str, str | None]]:
    """Keep the list of ``folder`` true while the block writes; it notes in the dict what it wrote.

    What is noted without a checksum is hashed afterwards. The list goes before anything is written
    and comes back last, so a killed process leaves no list rather than one that contradicts its
    files. Files that are not written again keep the checksum they had, but for those of cases,
    which are to be noted each time. A record alone gets no list. Raises MachineError.
    """
    sums = {name: digest for name, digest in known_sums(folder).items() if "/" not in name}
    unseal(folder)
    written: dict[str, str | None] = {}
    yield written
    try:
        sums |= {name: digest or digest_of(folder / name) for name, digest in written.items()}
        sums = {name: sums[name] for name in sorted(sums) if (folder / name).is_file()}
    except OSError as error:
        raise machine_error(error, folder / LIST) from error
    if set(sums) != {RECORD}:
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


def record_differs(out: Path, key: str, data: bytes, listed: Sums) -> bool:
    """Whether a checksum says that the record of a case was not ``data``.

    ``listed`` is the run's list; the case's own is asked where that does not name the record.
    """
    expected = listed.get(record_name(key)) or known_sums(case_folder(out, key)).get(RECORD)
    return expected is not None and expected != hashlib.sha256(data).hexdigest()


def seals_of_cases(out: Path, known: Sums) -> dict[str, str | None]:
    """What the run's list names of each case: its list, or else its record.

    Records keep the checksum they have in ``known``, so that none is believed because it is there.
    Raises MachineError.
    """
    seals: dict[str, str | None] = {}
    try:
        for folder in (out / CASES).iterdir():
            if not _KEY.fullmatch(folder.name):
                continue
            if (folder / LIST).is_file():
                seals[f"{CASES}/{folder.name}/{LIST}"] = None
            elif (folder / RECORD).is_file():
                name = record_name(folder.name)
                seals[name] = known.get(name)
    except FileNotFoundError:  # a run without cases
        pass
    except OSError as error:
        raise machine_error(error, out / CASES) from error
    return seals


def known_sums(folder: Path) -> Sums:
    """The list as far as it can be read; a damaged one is made anew from what is written."""
    try:
        return read_sums(folder) or {}
    except DamagedRecord:
        return {}
