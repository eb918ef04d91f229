"""Files on disk: is this one that can be read, which one is it, and what is its hash."""

from __future__ import annotations

import hashlib
import os
import stat
from concurrent.futures import CancelledError
from pathlib import Path
from threading import Event

from lungscan.errors import Code, UnreadableFile
from lungscan.inputs.names import show
from lungscan.types import InputFile

_CHUNK = 1 << 20

Identity = tuple[int, int] | str


def identity_of(path: Path, status: os.stat_result) -> Identity:
    """Tell two files apart even when links give them several names."""
    if status.st_ino:
        return status.st_dev, status.st_ino
    return str(path.resolve())  # some network drives number nothing


def open_failure(name: str, error: OSError) -> UnreadableFile:
    """Say why the machine does not hand out a file."""
    name = show(name)
    if isinstance(error, PermissionError) and os.name == "nt":  # which does not say which it is
        return UnreadableFile(
            f"{name} is open in another program that keeps it for itself, or may not be read by "
            "this user. Close it there, or ask for read permission.",
            code=Code.PERMISSION,
        )
    if isinstance(error, PermissionError):
        return UnreadableFile(
            f"{name} may not be read by this user; ask for read permission.", code=Code.PERMISSION
        )
    if isinstance(error, FileNotFoundError):
        return UnreadableFile(
            f"{name} is no longer there: it was moved or deleted after the run began, or its drive "
            "went away. Check the drive and run again.",
            code=Code.IO,
        )
    reason = error.strerror or type(error).__name__
    return UnreadableFile(
        f"{name} could not be read from the disk ({reason}); check the drive and run again.",
        code=Code.IO,
    )


def require_regular(path: Path) -> int:
    """Return the size in bytes of a regular file that is not empty.

    Asking first matters: opening a named pipe would wait for ever.

    Raises:
        UnreadableFile: it is something else, empty, gone, or not readable.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise open_failure(path.name, error) from error
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableFile(
            f"{show(path.name)} is not a regular file, so it holds no image; leave it out."
        )
    if status.st_size == 0:
        raise UnreadableFile(
            f"{show(path.name)} is empty; copy it again from its source.", code=Code.FORMAT
        )
    return status.st_size


def require_readable(file: InputFile) -> None:
    """See to it that the disk hands out a file: what fails to decode then is damaged.

    Raises:
        UnreadableFile: E_IO and the like; a part cannot be read.
    """
    for path in file.parts or (file.path,):
        size = require_regular(path)
        try:
            with path.open("rb", buffering=0) as stream:
                stream.read(1)
                stream.seek(size - 1)
                stream.read(1)
        except OSError as error:
            raise open_failure(path.name, error) from error


def sha256_of(file: InputFile, unwanted: Event | None = None) -> str:
    """Hash the file, or all its parts one after the other: SHA-256, hexadecimal.

    Raises:
        UnreadableFile: a part cannot be read.
        CancelledError: ``unwanted`` was set; reading ends with the block in hand.
    """
    digest = hashlib.sha256()
    for path in file.parts or (file.path,):
        require_regular(path)
        try:
            with path.open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    if unwanted and unwanted.is_set():
                        raise CancelledError
                    digest.update(chunk)
        except OSError as error:
            raise open_failure(path.name, error) from error
    return digest.hexdigest()
