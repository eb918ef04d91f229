"""Memory that a run and one of its reader processes share, cut into slots of tiles."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungscan.types import RgbBatch

SLOT_TILES = 64  # read with one request; a batch rarely has more


@dataclass(frozen=True, slots=True)
class Layout:
    """How the memory is cut: ``count`` slots of ``SLOT_TILES`` tiles of ``size_px`` squared."""

    count: int
    size_px: int

    @property
    def slot_bytes(self) -> int:
        """Bytes of one slot."""
        return SLOT_TILES * self.size_px**2 * 3

    @property
    def bytes(self) -> int:
        """Bytes of all of them; only what is touched takes memory."""
        return self.count * self.slot_bytes


class Slots:
    """The mapped memory. ``tiles`` gives views, valid until ``close``."""

    def __init__(self, descriptor: int, layout: Layout) -> None:
        self._layout = layout
        self._map = mmap.mmap(descriptor, layout.bytes)

    def tiles(self, slot: int, first: int, count: int) -> RgbBatch:
        """View ``count`` tiles of a slot: ``(count, size, size, 3)``."""
        size = self._layout.size_px
        start = slot * self._layout.slot_bytes + first * size**2 * 3
        flat = np.frombuffer(self._map, np.uint8, count * size**2 * 3, start)
        return flat.reshape(count, size, size, 3)

    def close(self) -> None:
        """Unmap; where somebody still holds a view, the memory goes with the last one."""
        with suppress(BufferError):
            self._map.close()


@contextmanager
def shared_memory(memory: int | None, layout: Layout) -> Iterator[tuple[int, str]]:
    """``memory`` that a child has inherited, given its size; where there is none, a temporary file.

    Yields its descriptor, and the name under which the child opens the file ("" for inherited
    memory). The file is removed after the block. ``/dev/shm`` is not used: containers often keep it
    at 64 MB.
    """
    if memory is not None:
        os.ftruncate(memory, layout.bytes)
        yield memory, ""
        return
    descriptor, name = tempfile.mkstemp(prefix="lungscan-")  # Windows lets others open only such
    try:
        os.truncate(descriptor, layout.bytes)
        yield descriptor, name
    finally:
        os.close(descriptor)
        with suppress(OSError):  # a child that was killed may not have let go of it yet
            Path(name).unlink()
