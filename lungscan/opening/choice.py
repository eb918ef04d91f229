"""Children or no children."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lungscan.model.card import ModelCard
from lungscan.opening.launch import Launched
from lungscan.opening.local import LocalReaders
from lungscan.opening.messages import Setup
from lungscan.opening.opener import Readers
from lungscan.opening.pool import ReaderPool
from lungscan.options import ClassifierOptions


@contextmanager
def open_readers(
    options: ClassifierOptions, card: ModelCard, threads: int, launched: Launched | None = None
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
