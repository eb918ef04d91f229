"""OpenVINO: the default on a CPU. One stream per thread, each fed by its own caller."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import openvino as ov

from lungscan.cards import ModelCard
from lungscan.errors import MachineError, ModelError
from lungscan.types import FloatArray, RgbBatch


class OpenVinoRuntime:
    """A compiled network. The graph has a fixed batch; a shorter last batch is padded."""

    def __init__(
        self, card: ModelCard, threads: int, batch_size: int, precision: str | None = None
    ) -> None:
        self._batch_size = batch_size
        self._size = card.patch_size_pixels
        core = ov.Core()
        wanted = precision or _best_precision(core)
        model = read_graph(core, card.folder)
        model.reshape([batch_size, self._size, self._size, 3])
        try:
            self._compiled = core.compile_model(
                model,
                "CPU",
                {
                    "PERFORMANCE_HINT": "THROUGHPUT",
                    "NUM_STREAMS": str(threads),
                    "INFERENCE_NUM_THREADS": str(threads),
                    "INFERENCE_PRECISION_HINT": wanted,
                },
            )
        except RuntimeError as error:
            raise MachineError(f"OpenVINO cannot compile the network here: {error}") from error
        self._precision = wanted
        self._local = threading.local()

    @property
    def device(self) -> str:
        """Runtime, device and precision."""
        return f"OpenVINO {ov.__version__.split('-')[0]} CPU {self._precision}"

    @property
    def batch_size(self) -> int:
        """Tiles per call."""
        return self._batch_size

    def predict(self, batch: RgbBatch) -> tuple[FloatArray, FloatArray]:
        """See ``Runtime.predict``."""
        parts = [self._infer(batch[i : i + self._batch_size]) for i in range(0, len(batch), self._batch_size)]
        return np.concatenate([p for p, _ in parts]), np.concatenate([f for _, f in parts])

    def _infer(self, batch: RgbBatch) -> tuple[FloatArray, FloatArray]:
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled.create_infer_request()
        count = len(batch)
        if count < self._batch_size:
            rest = np.zeros((self._batch_size - count, *batch.shape[1:]), np.uint8)
            batch = np.concatenate([batch, rest])
        request.infer([np.ascontiguousarray(batch)], share_inputs=True)
        probs = request.get_output_tensor(0).data[:count].copy()
        features = request.get_output_tensor(1).data[:count].copy()
        return probs, features


def read_graph(core: ov.Core, folder: Path) -> ov.Model:
    """Join ``graph.xml`` with the numbers in ``weights.safetensors``.

    The data section of the safetensors file is laid out as the graph's constants are (see
    ``lungscan.training.bundle``), so the numbers are stored once for every runtime.

    Raises:
        ModelError: the two do not fit together.
    """
    xml = (folder / "graph.xml").read_text(encoding="utf-8")
    raw = np.fromfile(folder / "weights.safetensors", np.uint8)
    try:
        header = int(raw[:8].view("<u8")[0])
        if not 0 < header <= len(raw) - 8:
            raise ValueError("the header of weights.safetensors is damaged")
        data = np.ascontiguousarray(raw[8 + header :])
        return core.read_model(model=xml, weights=ov.Tensor(data))
    except (RuntimeError, ValueError, IndexError) as error:
        raise ModelError(
            f"The graph and the weights of {folder.name} do not make a network ({error}). "
            "Install the model again."
        ) from error


def _best_precision(core: ov.Core) -> str:
    """bf16 where the CPU computes in it, else fp32."""
    return "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
