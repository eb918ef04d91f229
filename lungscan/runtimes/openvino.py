"""OpenVINO: the default on a CPU. One stream per thread, each fed by its own caller."""

from __future__ import annotations

import threading

import numpy as np
import openvino as ov

from lungscan.cards import INT8, ModelCard
from lungscan.errors import MachineError, ModelError
from lungscan.runtimes.graph import read_graph
from lungscan.types import FloatArray, RgbBatch


class OpenVinoRuntime:
    """A compiled network. The graph has a fixed batch; a shorter last batch is padded."""

    def __init__(
        self, card: ModelCard, threads: int, batch_size: int, precision: str | None = None
    ) -> None:
        self._batch_size = batch_size
        core = ov.Core()
        wanted = precision or best_precision(core)
        model = read_graph(core, card.folder)
        set_batch(model, card, batch_size)
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
        self._precision = f"int8 with {wanted}" if card.precision == INT8 else wanted
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


def set_batch(model: ov.Model, card: ModelCard, batch_size: int) -> None:
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


def best_precision(core: ov.Core) -> str:
    """fp16 where the CPU computes in it, else bf16, else fp32.

    fp16 keeps 11 bits of a number, bf16 only 8, which can be seen in the answers: see
    docs/decisions/0014-half-precision.md.
    """
    return cpu_precisions(core)[-1]


def cpu_precisions(core: ov.Core) -> tuple[str, ...]:
    """OpenVINO's hints of the precisions that this CPU computes in, the best one last."""
    able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return ("f32", *(hint for hint, name in (("bf16", "BF16"), ("f16", "FP16")) if name in able))
