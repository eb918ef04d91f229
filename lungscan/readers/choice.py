"""Children or no children."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lungscan.cards import ModelCard
from lungscan.launch import Launched
from lungscan.options import ScanOptions
from lungscan.readers.base import Readers
from lungscan.readers.local import LocalReaders
from lungscan.readers.pool import ReaderPool
from lungscan.readers.protocol import Setup


@contextmanager
def open_readers(
    options: ScanOptions, card: ModelCard, threads: int, launched: Launched | None = None
) -> Iterator[Readers]:
    """Readers for one run; leaving the block ends their processes.

    The first process may have been ``launched`` before. With ``options.isolate`` off, images are
    read in this process: for debugging, and for tests.
    """
    if not options.isolate:
        if launched:
            launched.close()
        yield LocalReaders(options, card)
        return
    pool = ReaderPool(Setup(options, card), threads, launched)
    try:
        yield pool
    finally:
        pool.close()
