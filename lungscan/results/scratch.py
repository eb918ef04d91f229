"""Where a model is drafted before it takes its place, and what a killed process left there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from lungscan.layout import LOCK
from lungscan.results.atomic_files import into_place
from lungscan.results.lock import output_lock

_PREFIX = ".lungscan-"
_MOST_NAME_BYTES = 255  # of a file or folder
_EARLIER = "earlier"  # what lay in the place of the draft


@contextmanager
def scratch_beside(out: Path) -> Iterator[Path]:
    """A folder for drafts beside the place where one of them will lie.

    It is always the same one, so that the next start clears what a killed process left there. What
    cannot be removed stays behind: the model lies in its place by then.

    Raises:
        OutputLocked: another live process drafts for the same place.
        OSError: the folder cannot be made.
        MachineError: it cannot be written.
    """
    place = Path(os.path.abspath(out))  # noqa: PTH100  links stay what they are
    scratch = place.with_name(_name_for(place.name))
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        with output_lock(scratch):
            _clear(scratch, place)
            try:
                yield scratch
            finally:
                with suppress(OSError):
                    _clear(scratch, place)
    finally:
        with suppress(OSError):  # not empty, or another process has begun
            scratch.rmdir()


def folder_into_place(draft: Path, out: Path, scratch: Path) -> None:
    """Move a folder to ``out``, an earlier one into ``scratch``, from where it comes back in need.

    Raises OSError.
    """
    if os.path.lexists(out):
        into_place(out, scratch / _EARLIER)
    into_place(draft, out)


def _name_for(name: str) -> str:
    """The name of the folder for drafts of ``name``; of one that is too long it holds a hash."""
    longest = _MOST_NAME_BYTES - len(_PREFIX)
    short = len(os.fsencode(name)) <= longest
    return _PREFIX + (name if short else sha256(os.fsencode(name)).hexdigest())


def _clear(scratch: Path, place: Path) -> None:
    """Remove all drafts, and the earlier folder, or move it back where its place is empty.

    What lay there may have been a link, which leads nowhere from here.
    """
    earlier = scratch / _EARLIER
    with suppress(OSError):
        if os.path.lexists(earlier) and not os.path.lexists(place):
            into_place(earlier, place)
    for entry in scratch.iterdir():
        if entry.name.startswith(LOCK) or (entry == earlier and not os.path.lexists(place)):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            with suppress(OSError):
                entry.unlink()
