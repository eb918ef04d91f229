"""OpenVINO: the default on a CPU. One stream per thread, each fed by its own caller."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from lungscan.cards import ModelCard
from lungscan.errors import MachineError, ModelError
from lungscan.types import FloatArray, RgbBatch


class OpenVinoRuntime:
    """A compiled network. The graph has a fixed batch; a shorter last batch is padded."""

    def __init__(
        self, card: ModelCard, threads: int, batch_size: int, precision: str | None = None
    ) -> None:
        self._batch_size = batch_size
        core = ov.Core()
        wanted = precision or _best_precision(core)
        model = read_graph(core, card.folder)
        _set_batch(model, card, batch_size)
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
        size = self._batch_size
        parts = [self._infer(batch[at : at + size]) for at in range(0, len(batch), size)]
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
    try:
        xml = (folder / "graph.xml").read_text(encoding="utf-8")
        raw = np.fromfile(folder / "weights.safetensors", np.uint8)
        return core.read_model(model=xml, weights=ov.Tensor(_data_section(raw)))
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelError(
            f"The graph and the weights of {folder.name} do not make a network ({error}). "
            "Install the model again."
        ) from error


def _set_batch(model: ov.Model, card: ModelCard, batch_size: int) -> None:
    """Fix the batch of a graph, and check that it gives what ``Runtime.predict`` promises."""
    size, classes = card.patch_size_pixels, len(card.class_names)
    fault = ""
    try:
        model.reshape([batch_size, size, size, 3])
        probs, features = (list(output.shape) for output in model.outputs)
        if probs != [batch_size, classes] or len(features) != 2 or features[0] != batch_size:
            fault = f"its outputs are {probs} and {features}"
    except (RuntimeError, ValueError) as error:
        fault = str(error)
    if fault:
        raise ModelError(
            f"The graph of {card.name} does not take fields of {size} px and give {classes} "
            f"classes ({fault}). Install the model again."
        )


def _data_section(raw: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What follows the header of a safetensors file, whose length stands in its first 8 bytes."""
    header = int.from_bytes(raw[:8].tobytes(), "little")
    if not 0 < header <= len(raw) - 8:
        raise ValueError("the header of weights.safetensors is damaged")
    return np.ascontiguousarray(raw[8 + header :])


def _best_precision(core: ov.Core) -> str:
    """bf16 where the CPU computes in it, else fp32."""
    return "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
