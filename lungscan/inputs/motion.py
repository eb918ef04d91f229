"""Files that somebody is still writing: known by their sizes and times, without ever waiting."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from lungscan.errors import Code, UnreadableFile
from lungscan.inputs.names import show
from lungscan.types import InputFile, Stamp

IN_MOTION = Code.CHANGING
SETTLED_S = 10.0  # a writer that pauses comes back sooner than that


def stamp_of(status: os.stat_result) -> Stamp:
    """What changes when somebody writes to a file."""
    return status.st_size, status.st_mtime_ns


def look(file: InputFile) -> tuple[Stamp | None, ...]:
    """The stamps of all parts as they are now; None where the disk does not tell."""
    return tuple(_stamp_at(path) for path in file.parts or (file.path,))


def in_motion(file: InputFile, before: Sequence[Stamp | None]) -> UnreadableFile | None:
    """Say so when a file that was just read is still being written; None when it is unchanged.

    It is when it changed since ``before``, what ``look`` gave before it was opened. A file that
    changed earlier, since it was found, may only pause: it is left alone until it has settled.
    """
    now = look(file)
    # Clocks differ between machines, so they are asked only of a file that was seen to change.
    if not _changed(before, now) and not (_changed(file.stamps, now) and _is_fresh(now)):
        return None
    return UnreadableFile(
        f"{show(file.path.name)} is still being written; run again when the copy is finished.",
        code=IN_MOTION,
    )


def _stamp_at(path: Path) -> Stamp | None:
    try:
        return stamp_of(path.stat())
    except OSError:
        return None


def _changed(earlier: Sequence[Stamp | None], now: Sequence[Stamp | None]) -> bool:
    return any(then and here and then != here for then, here in zip(earlier, now, strict=False))


def _is_fresh(stamps: Sequence[Stamp | None]) -> bool:
    written = max((stamp[1] for stamp in stamps if stamp), default=0)
    return time.time() - written / 1e9 < SETTLED_S
