"""The private folder of one page: for its owner alone, and gone when the page is.

A lock of the operating system on a file in it says that its page lives. The system lets go of it
with the process, even one that was killed, so that the next start finds out which folders are left
over, and removes them.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from lungscan.errors import MachineError

PREFIX = "lungscan-web-"
_LOCK = ".lock"


class PrivateFolder:
    """A folder of mode 0700 with a name nobody can guess, for as long as it is open."""

    def __init__(self, base: Path | None = None) -> None:
        """Remove what killed pages left below ``base`` (default: the system's), and make anew.

        Raises:
            MachineError: the folder cannot be made.
        """
        base = base or Path(tempfile.gettempdir())
        self.removed = sweep(base)
        try:
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))  # 0700
            self._lock = _locked(self.path)
        except OSError as error:
            raise MachineError(
                f"No private folder can be made in {base} ({error.strerror or error}). Free some "
                "space, or set TMPDIR to a folder that you may write to."
            ) from error

    def new(self) -> Path:
        """An empty folder inside, for one job. Raises MachineError."""
        path = self.path / secrets.token_hex(16)
        try:
            path.mkdir(mode=0o700)
        except OSError as error:
            raise disk_error(error) from error
        return path

    def keep(self) -> None:
        """Say that it is in use still, to be called now and then.

        What nobody touches for days is taken by those who clean temporary folders, and without its
        lock a start elsewhere would count the folder as left over.
        """
        with suppress(OSError):  # a full disk, or a folder that is gone: whoever uses it is told
            if not (self.path / _LOCK).exists():
                earlier, self._lock = self._lock, _locked(self.path)
                earlier.close()
            os.utime(self.path / _LOCK)
            os.utime(self.path)

    def close(self) -> None:
        """Delete it with all that it holds."""
        entries = self.path.iterdir() if self.path.exists() else ()
        for entry in entries:
            if entry.name != _LOCK:  # last: until then a start elsewhere must not count it as left
                remove(entry)
        self._lock.close()
        remove(self.path)


def disk_error(error: OSError) -> MachineError:
    """What a visitor is told; without the path, which would name a file."""
    return MachineError(
        f"The file could not be stored here ({error.strerror or type(error).__name__}). Try again, "
        "or tell whoever runs the page."
    )


def sweep(base: Path) -> int:
    """Delete the folders of pages that no longer live; how many there were."""
    return sum(_is_left_over(path) and remove(path) for path in base.glob(f"{PREFIX}*"))


def remove(path: Path) -> bool:
    """Delete a folder with all it holds, links as links; whether it is gone."""
    shutil.rmtree(path, ignore_errors=True)
    return not path.exists()


def _is_left_over(path: Path) -> bool:
    """Whether it is ours, and nobody holds its lock."""
    try:
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode):
            return False
        if hasattr(os, "getuid") and status.st_uid != os.getuid():
            return False
        with (path / _LOCK).open("rb+") as lock:
            _hold(lock)
    except FileNotFoundError:
        return _is_old(path)  # killed between making the folder and the lock
    except OSError:
        return False
    return True


def _is_old(path: Path) -> bool:
    with suppress(OSError):
        return time.time() - path.lstat().st_mtime > 60
    return False


def _locked(folder: Path) -> BinaryIO:
    """The lock of a folder, made anew; nobody finds it before it is held.

    But on Windows, which renames no open file: there nobody can delete one either, so that a start
    elsewhere leaves the folder where it is.
    """
    renamed = sys.platform != "win32"
    fresh = folder / (f"{_LOCK}-new" if renamed else _LOCK)
    lock = fresh.open("wb" if renamed else "xb")
    try:
        _hold(lock)
        if renamed:
            fresh.rename(folder / _LOCK)
    except OSError:
        lock.close()
        raise
    return lock


def _hold(file: BinaryIO) -> None:
    """Lock a file for this process, or raise OSError when another one has."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
