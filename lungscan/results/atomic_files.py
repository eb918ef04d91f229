"""Files that are either whole or not there.

Every file of a run is written beside its final name and moved into place, so that a killed process
leaves the old file or the new one, never half of one. A reader never sees a file grow.
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO

from lungscan.errors import MachineError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_AWAY = {errno.EIO, errno.ENOTCONN, errno.ESTALE, errno.ETIMEDOUT, errno.ENETDOWN}
PAUSES_S = (0.1, 0.3, 0.6)  # between one attempt to move a file on Windows and the next
_GO_ON = "then start it again: finished cases are kept"


def write_atomic(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Put ``data`` at ``path``, whole or not at all; missing parent folders are made.

    ``durable=False`` leaves out the two fsync calls, for files that can be rebuilt.
    Raises MachineError when the disk is full, the folder may not be written, or the drive is away.
    """
    with atomic_writer(path, durable=durable) as file:
        file.write(data)


@contextmanager
def atomic_writer(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """Yield a binary file that becomes ``path`` when the block ends without an error.

    Raises MachineError as ``write_atomic`` does. An error in the block leaves ``path`` as it was.
    """
    temporary, moved = _temporary(path), False
    try:
        with _create(temporary) as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        into_place(temporary, path)
        moved = True
        if durable:
            _sync_folder(path.parent)
    except OSError as error:
        raise machine_error(error, path) from error
    finally:
        if not moved:
            with suppress(OSError):
                temporary.unlink()


def put(path: Path, write: Callable[[Path], None]) -> Path:
    """Let ``write`` make a file and move it to ``path``; return where it lies in the end.

    Windows does not replace a file that another program has open. The new one is then put beside
    it as ``cases (1).csv``, under the first free number: a file of such a name may be somebody's
    own copy. Raises MachineError as ``write_atomic`` does.
    """
    draft = _temporary(path)
    write(draft)
    try:
        try:
            into_place(draft, path)
        except PermissionError:
            path = _free_name(path)
            into_place(draft, path)
    except OSError as error:
        raise machine_error(error, path) from error
    finally:
        with suppress(OSError):
            draft.unlink()
    return path


def into_place(draft: Path, path: Path) -> None:
    """Move ``draft`` to ``path``; a file that lies there is replaced. Raises OSError.

    On Windows a virus scanner or an indexer opens new files for a moment, and nobody may move or
    replace what another has open. That is no reason to lose an hour's work.
    """
    for pause in PAUSES_S if os.name == "nt" else ():
        try:
            draft.replace(path)
        except PermissionError:
            time.sleep(pause)
        else:
            return
    draft.replace(path)


def _create(path: Path) -> BinaryIO:
    """A new file, in a folder that is made when it is missing."""
    try:
        return path.open("xb")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")


def _temporary(path: Path) -> Path:
    # A short name of its own: adding to the file's name could pass the 255 bytes a name may have.
    return path.with_name(f".lungscan-{secrets.token_hex(6)}.tmp")


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.stem} ({n}){path.suffix}") for n in count(1))
    return next(name for name in names if not name.exists())


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut, where folders can be synced at all."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems cannot sync a folder; the file's content is safe already.
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def machine_error(error: OSError, path: Path) -> MachineError:
    """Say in one sentence why ``path`` could not be written, and what to do."""
    if error.errno in _FULL:
        return MachineError(
            f"The disk is full, so {path} could not be written; free some space, {_GO_ON}."
        )
    if error.errno in _FORBIDDEN:
        return MachineError(
            f"{path} may not be written; close it in other programs and check the permissions "
            f"of its folder, or choose another (--out), {_GO_ON}."
        )
    if error.errno in _AWAY:
        return MachineError(f"The drive with {path} does not answer; connect it again, {_GO_ON}.")
    reason = error.strerror or str(error)
    return MachineError(f"{path} could not be written ({reason}); choose another folder (--out).")
