"""Networks that OpenVINO computes on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import openvino as ov

from lungscan.measuring.records import Variant
from lungscan.types import RgbBatch

RUNTIME, CPU = "OpenVINO", "CPU"
HINTS = {"f32": "fp32", "bf16": "bf16", "f16": "fp16"}  # OpenVINO's words and ours


class OpenVinoNetwork:
    """A graph that is compiled anew for each batch and number of streams."""

    def __init__(
        self, subject: str, model: ov.Model, hint: str, precision: str, threads: int, size_px: int
    ) -> None:
        self.variant = Variant(subject, RUNTIME, CPU, precision)
        self.threads: int | None = threads
        self.streams = _streams(threads)
        self._model, self._hint, self._size_px = model, hint, size_px
        self._core = ov.Core()

    def single(self) -> Callable[[], object]:
        """See ``Network.single``."""
        request = self._compiled(1, {"PERFORMANCE_HINT": "LATENCY"}).create_infer_request()
        tile = _noise(1, self._size_px)
        return lambda: request.infer([tile], share_inputs=True)

    def many(self, batch: int, streams: int) -> Callable[[int], object]:
        """See ``Network.many``."""
        settings = {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": str(streams)}
        queue = ov.AsyncInferQueue(self._compiled(batch, settings), streams)
        tiles = _noise(batch, self._size_px)

        def run(count: int) -> None:
            for _ in range(count):
                queue.start_async([tiles], share_inputs=True)
            queue.wait_all()

        return run

    def _compiled(self, batch: int, settings: dict[str, str]) -> Any:
        model = self._model.clone()
        model.reshape([batch, self._size_px, self._size_px, 3])
        common = {
            "INFERENCE_NUM_THREADS": str(self.threads),
            "INFERENCE_PRECISION_HINT": self._hint,
        }
        return self._core.compile_model(model, "CPU", settings | common)


def _streams(threads: int) -> tuple[int, ...]:
    """One stream for each thread first, then fewer, by halves."""
    found = [threads]
    while found[-1] > 1:
        found.append(found[-1] // 2)
    return tuple(found)


def _noise(batch: int, size_px: int) -> RgbBatch:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (batch, size_px, size_px, 3), np.uint8)
