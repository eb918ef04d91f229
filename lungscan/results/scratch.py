"""Where a model is drafted before it takes its place, and what a killed process left there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lungscan.layout import LOCK
from lungscan.results.atomic_files import into_place
from lungscan.results.lock import output_lock

_EARLIER = "earlier"  # what lay in the place of the draft


@contextmanager
def scratch_beside(out: Path) -> Iterator[Path]:
    """A folder for drafts beside the place where one of them will lie.

    It is always the same one, so that the next start clears what a killed process left there. What
    cannot be removed stays behind: the model lies in its place by then.

    Raises:
        OutputLocked: another live process drafts for the same place.
        MachineError, OSError: the folder cannot be made.
    """
    place = Path(os.path.abspath(out))  # noqa: PTH100  links stay what they are
    scratch = place.with_name(f".lungscan-{place.name}")
    try:
        with output_lock(scratch):
            _clear(scratch, place)
            try:
                yield scratch
            finally:
                _clear(scratch, place)
    finally:
        with suppress(OSError):  # not empty, or another process has begun
            scratch.rmdir()


def folder_into_place(draft: Path, out: Path, scratch: Path) -> None:
    """Move a folder to ``out``, an earlier one into ``scratch``, from where it comes back in need.

    Raises OSError.
    """
    if out.exists():
        into_place(out, scratch / _EARLIER)
    into_place(draft, out)


def _clear(scratch: Path, place: Path) -> None:
    """Remove all drafts, and the earlier folder, or move it back where its place is empty."""
    earlier = scratch / _EARLIER
    with suppress(OSError):
        if earlier.exists() and not place.exists():
            into_place(earlier, place)
    for entry in scratch.iterdir():
        if entry.name.startswith(LOCK) or (entry == earlier and not place.exists()):
            continue
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            with suppress(OSError):
                entry.unlink()
