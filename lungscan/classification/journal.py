"""The journal of one file: scored tiles reach the disk block by block, while the slide still runs.

A run that is killed loses the block in flight; the next run of the same command takes the earlier
tiles over and goes on behind them. The first line names input, model and settings, so nothing is
taken over from another question. Each block bears its own checksum: a half-written one at the end
is dropped.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from struct import Struct
from types import TracebackType
from typing import Self
from zlib import crc32

import numpy as np

from lungscan.classification.scoring import TileBatch
from lungscan.errors import MachineError
from lungscan.results.atomic_files import machine_error
from lungscan.types import FloatArray, TileQuality, TileState

BLOCK_TILES = 128  # a fraction of a second on two cores; each block costs one fsync

_MAGIC = "lungscan journal 3"
_STATES = tuple(TileState)
_LONE = 7  # columns before the probabilities
_HEAD = Struct("<III")  # number of tiles, bytes of the device's name, checksum


class Journal:
    """What is known of one file's tiles, the first ones first. One thread writes."""

    def __init__(self, path: Path, key: str, classes: int) -> None:
        """Take over what an earlier run left under the same ``key``, and make ready to go on.

        Raises:
            MachineError: the file cannot be written.
        """
        self._path, self._columns = path, _LONE + classes
        self._fresh: list[TileBatch] = []
        head = f"{_MAGIC} {key}\n".encode()
        try:
            self.earlier, end = self._read(head)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("r+b" if end else "w+b")
            try:
                self._file.truncate(end)
                self._file.seek(end)
                if not end:
                    self._file.write(head)
            except OSError:
                self._file.close()
                raise
        except OSError as error:
            raise machine_error(error, path) from error

    @property
    def done(self) -> int:
        """How many tiles an earlier run has scored."""
        return sum(len(batch.state) for batch in self.earlier)

    def add(self, batch: TileBatch) -> None:
        """The next tiles; put on the disk as soon as they fill a block. Raises MachineError."""
        self._fresh.append(batch)
        if sum(len(b.state) for b in self._fresh) >= BLOCK_TILES:
            self.flush()

    def flush(self) -> None:
        """Put what is still in memory on the disk. Raises MachineError."""
        if not self._fresh:
            return
        data = b"".join(_block(batch) for batch in self._fresh)
        self._fresh = []
        try:
            self._file.write(data)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise machine_error(error, self._path) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it; a run that ends early keeps what it has scored."""
        try:
            with suppress(MachineError) if kind else nullcontext():
                self.flush()
        finally:
            with suppress(OSError):  # a full disk refuses once more what was refused before
                self._file.close()

    def _read(self, head: bytes) -> tuple[tuple[TileBatch, ...], int]:
        """The sound blocks of the file, and where they end; nothing of another key."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return (), 0
        if not data.startswith(head):
            return (), 0
        batches, at = [], len(head)
        while found := self._batch(data, at):
            batch, at = found
            batches.append(batch)
        return tuple(batches), at

    def _batch(self, data: bytes, at: int) -> tuple[TileBatch, int] | None:
        """The block at ``at`` and where it ends.

        None when it is not whole, or holds a tile to be tried again.
        """
        start = at + _HEAD.size
        count, named, checksum = _HEAD.unpack(data[at:start].ljust(_HEAD.size, b"\0"))
        tiles_end = start + count * (self._columns * 4 + 1)
        end = tiles_end + named
        body = data[start:end]
        if not count or end > len(data) or crc32(body) != checksum:
            return None
        numbers = np.frombuffer(body, "<f4", count * self._columns).reshape(count, -1)
        states = tuple(_STATES[code] for code in data[tiles_end - count : tiles_end])
        device = data[tiles_end:end].decode()
        return None if TileState.FAILED in states else (_unpacked(numbers, states, device), end)


class NoJournal:
    """Keeps nothing: of a case that nobody will go on with."""

    earlier: tuple[TileBatch, ...] = ()
    done = 0

    def add(self, batch: TileBatch) -> None:
        """Nothing is kept."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def _block(batch: TileBatch) -> bytes:
    quality = batch.quality
    unknown = np.full(len(batch.state), np.nan, np.float32)
    lone = (
        batch.tissue_fraction,
        batch.novelty,
        quality.focus,
        quality.pen,
        quality.blank,
        quality.valid,
        unknown if batch.appearance is None else batch.appearance,
    )
    numbers = np.column_stack([*lone, batch.probs]).astype("<f4")
    states, device = bytes(_STATES.index(state) for state in batch.state), batch.device.encode()
    body = numbers.tobytes() + states + device
    return _HEAD.pack(len(states), len(device), crc32(body)) + body


def _unpacked(numbers: FloatArray, states: Sequence[TileState], device: str) -> TileBatch:
    fraction, novelty, focus, pen, blank, valid, appearance = numbers[:, :_LONE].T.astype(
        np.float32
    )
    return TileBatch(
        tissue_fraction=fraction,
        probs=numbers[:, _LONE:].astype(np.float32),
        novelty=novelty,
        quality=TileQuality(focus, pen, blank, valid),
        state=tuple(states),
        device=device,
        appearance=None if np.isnan(appearance).all() else appearance,  # no tile of these failed
    )
