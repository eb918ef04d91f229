"""Where a worker keeps finished cases until the driver fetches them, if it does not see its disk.

They are patients' results on a machine that may be anybody's: each run has a folder of its own that
this user alone may enter, without a name from the files. It goes when the run ends, whatever was
fetched of it, and with the process at the latest.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
import time
from pathlib import Path

from lungscan.errors import MachineError
from lungscan.results.atomic_files import machine_error

STALE_S = 3600.0  # a run that has fetched nothing for so long has lost its driver

_folders: dict[str, Path] = {}  # by token of the run
_ended: set[str] = set()  # tokens


def folder_of(token: str, parent: Path) -> Path:
    """The folder of a run, made where it is missing. Raises MachineError."""
    if token in _ended:
        raise MachineError("The run has ended, so this worker keeps nothing more of it.")
    if token not in _folders:
        try:
            _folders[token] = Path(tempfile.mkdtemp(prefix="lungscan-", dir=parent))
        except OSError as error:
            raise machine_error(error, parent) from error
    return _folders[token]


def has_ended(token: str) -> bool:
    """Whether the driver has said so: a case in work then may go on for a while."""
    return token in _ended


def end(token: str) -> None:
    """Remove what is left of a run that has ended."""
    _ended.add(token)
    _remove(token)


def remove_stale() -> None:
    """Remove folders of runs whose drivers went away without a word.

    Not all but the present run's: two drivers may share a cluster, and fetch a little later.
    """
    for token, folder in list(_folders.items()):
        try:
            stale = time.time() - folder.stat().st_mtime > STALE_S
        except OSError:
            stale = True
        if stale:
            _remove(token)


def remove_all() -> None:
    """Remove everything, as the process ends."""
    for token in list(_folders):
        _remove(token)


def _remove(token: str) -> None:
    folder = _folders.pop(token, None)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


atexit.register(remove_all)
