"""OpenVINO: the default on a CPU. One stream per thread, each fed by its own caller."""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import partial

import numpy as np
import openvino as ov

from lungscan.errors import MachineError, ModelError
from lungscan.model.card import INT8, ModelCard
from lungscan.model.graph import read_graph
from lungscan.runtimes.kernels import FP32, best_precision, convolutions, prefer_faster
from lungscan.types import FloatArray, RgbBatch

BATCH = 16  # tiles that a caller hands over, unless it is told otherwise


class OpenVinoRuntime:
    """A compiled network that answers tile by tile, each on one core, several side by side.

    Kernels are chosen by the shape that a graph is compiled for, and sums are split by the threads
    that share them. Here the shape is one tile and the thread is one, always. So an answer depends
    on its tile alone: not on the size of a batch, on a tile's place in it or what lies beside it,
    nor on how many threads there are. See docs/decisions/0016-tile-by-tile.md.
    """

    def __init__(
        self, model: ov.Model, threads: int, batch_size: int, hint: str, *, int8: bool = False
    ) -> None:
        """Compile a graph.

        Args:
            model: uint8 ``(n, s, s, 3)`` in, probabilities and features out.
            batch_size: tiles per call that callers are told to hand over.
            hint: OpenVINO's word for a precision, see ``cpu_precisions``.
            int8: whether the graph is quantized; ``hint`` is then that of its other layers.

        Raises:
            MachineError: OpenVINO cannot compile it here.
        """
        self._batch_size = batch_size
        self.compiled = compile_graph(model, threads, hint)
        # Not ``hint``: where the CPU has no such arithmetic, OpenVINO takes fp32 without a word.
        used = self.compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        self._precision = f"int8 with {used}" if int8 else used
        self._local = threading.local()

    @property
    def device(self) -> str:
        """Runtime, device and precision."""
        return f"OpenVINO {ov.__version__.split('-')[0]} CPU {self._precision}"

    @property
    def batch_size(self) -> int:
        """Tiles per call."""
        return self._batch_size

    @property
    def kernels(self) -> tuple[str, ...]:
        """What computes the convolutions, the most frequent first.

        ``brgconv_avx2_1x1_f32``, for example: the instructions of the processor are in the name.
        """
        return convolutions(self.compiled)

    def predict(self, batch: RgbBatch) -> tuple[FloatArray, FloatArray]:
        """See ``Runtime.predict``."""
        lane = getattr(self._local, "lane", None)
        if lane is None:
            lane = self._local.lane = _Lane(self.compiled)
        answers = [lane.answer(tile) for tile in batch]
        return np.concatenate([p for p, _ in answers]), np.concatenate([f for _, f in answers])


class _Lane:
    """One caller's request, bound to memory of its own: less than 0.05 ms of Python for a tile."""

    def __init__(self, compiled: ov.CompiledModel) -> None:
        self._request = compiled.create_infer_request()
        self._tile = np.zeros(list(compiled.input(0).shape), np.uint8)
        self._request.set_input_tensor(ov.Tensor(self._tile, shared_memory=True))

    def answer(self, tile: RgbBatch) -> tuple[FloatArray, FloatArray]:
        """Probabilities ``(1, classes)`` and features ``(1, d)`` of one tile."""
        np.copyto(self._tile[0], tile)
        self._request.infer()
        probs, features = (self._request.get_output_tensor(i).data.copy() for i in (0, 1))
        return probs, features


def load_openvino(
    card: ModelCard, threads: int, batch_size: int = BATCH, hint: str | None = None
) -> OpenVinoRuntime:
    """The card's network; ``hint`` None takes the best precision on this CPU that compiles.

    Raises:
        ModelError: the files are no network, or one that does not fit the card.
        MachineError: OpenVINO cannot compile it here.
    """
    int8 = card.precision == INT8  # whose convolutions have kernels of their own
    wanted = hint or best_precision()
    model = read_graph(ov.Core(), card.folder, str if int8 or wanted != FP32 else prefer_faster)
    check_graph(model, card)
    load = partial(OpenVinoRuntime, model, threads, batch_size, int8=int8)
    if hint is None and wanted != FP32:
        with suppress(MachineError):  # virtual machines promise more than they let through
            return load(wanted)
        wanted = FP32
    return load(wanted)


def compile_graph(model: ov.Model, threads: int, hint: str, tiles: int = 1) -> ov.CompiledModel:
    """Compile for ``tiles`` at once, ``threads`` streams and one thread in each.

    Raises:
        MachineError: OpenVINO cannot.
    """
    model = model.clone()
    shape = model.input(0).get_partial_shape()
    settings = {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "NUM_STREAMS": str(threads),
        "INFERENCE_NUM_THREADS": str(threads),
        "INFERENCE_PRECISION_HINT": hint,
    }
    try:
        shape[0] = tiles
        model.reshape(shape)
        return ov.Core().compile_model(model, "CPU", settings)
    except RuntimeError as error:
        raise MachineError(f"OpenVINO cannot compile the network here: {error}") from error


def check_graph(model: ov.Model, card: ModelCard) -> None:
    """Fix the graph for one tile, and check that it gives what ``Runtime.predict`` promises."""
    size, classes = card.patch_size_pixels, len(card.class_names)
    fault = ""
    try:
        model.reshape([1, size, size, 3])
        probs, features = (list(output.shape) for output in model.outputs)
        if probs != [1, classes] or len(features) != 2 or features[0] != 1:
            fault = f"its outputs are {probs} and {features}"
    except (RuntimeError, ValueError) as error:
        fault = str(error)
    if fault:
        raise ModelError(
            f"The graph of {card.name} does not take fields of {size} px and give {classes} "
            f"classes ({fault}). Install the model again."
        )
