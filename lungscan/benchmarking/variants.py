"""What is timed: the runtimes that LungScan ships, called as a scan calls them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from lungscan.benchmarking.records import Variant
from lungscan.errors import MachineError
from lungscan.runtimes import Runtime
from lungscan.types import RgbBatch

Load = Callable[[int], Runtime]  # of a batch


class RuntimeNetwork:
    """A network in a runtime; batches come from as many callers as are answered side by side."""

    def __init__(
        self, variant: Variant, load: Load, threads: int | None, streams: int, size_px: int
    ) -> None:
        self.variant, self.threads = variant, threads
        self.streams: tuple[int, ...] = (streams,)
        self._load, self._size_px = load, size_px

    def single(self) -> Callable[[], object]:
        """See ``Network.single``."""
        runtime, tile = self._load(1), _noise(1, self._size_px)
        return lambda: runtime.predict(tile)

    def many(self, batch: int, streams: int) -> Callable[[int], object]:
        """See ``Network.many``."""
        runtime, tiles = self._load(batch), _noise(batch, self._size_px)
        callers = ThreadPoolExecutor(streams)

        def run(count: int) -> None:
            for _ in callers.map(lambda _: runtime.predict(tiles), range(count)):
                pass
            if runtime.batch_size < batch:  # it has gone on with smaller ones
                raise MachineError(
                    f"The GPU has no memory left for batches of {batch}; close other programs that "
                    "use it."
                )

        return run


def _noise(batch: int, size_px: int) -> RgbBatch:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (batch, size_px, size_px, 3), np.uint8)
