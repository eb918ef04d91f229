"""Post-training quantization of an OpenVINO graph by NNCF (docs.openvino.ai, NNCF).

Weights become int8 once; activations are rounded to 8 bits on ranges seen on calibration tiles.
What lies behind the features (the last layer and the softmax) stays as it is: it costs nothing, and
both outputs rest on the features, novelty on nothing else.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import openvino as ov

from lungscan.errors import MachineError
from lungscan.types import RgbBatch

# Of a compiled model and rows: how good it is there, and how near to the source in each row.
Score = Callable[[Any, list[int]], tuple[float, list[float]]]

# The second says at import that there is no GPU.
CHATTY = ("nncf", "torch.utils.cpp_extension")
RANKED_ON = 100  # tiles on which the layers are ranked by the harm that rounding them does


def quantize(model: ov.Model, tiles: RgbBatch, *, depthwise: bool) -> ov.Model:
    """Quantize all layers but the last, with or without the ``depthwise`` convolutions.

    Args:
        model: uint8 ``(n, s, s, 3)`` in, probabilities and features out; not changed.
        tiles: to calibrate on.
        depthwise: whether these are quantized, too.
    """
    nncf = _nncf()
    kept = [] if depthwise else ["GroupConvolution"]
    with _silence():
        return nncf.quantize(
            model,
            _dataset(tiles),
            subset_size=len(tiles),
            preset=nncf.QuantizationPreset.MIXED,
            fast_bias_correction=False,
            ignored_scope=nncf.IgnoredScope(
                names=behind_features(model), types=kept, validate=False
            ),
        )


def quantize_but_sensitive(model: ov.Model, tiles: RgbBatch, judged: int, score: Score) -> ov.Model:
    """Quantize, then give layers their full precision back, worst first, until ``score`` is good.

    Args:
        judged: how many rows ``score`` can be asked for.
        score: 1 is the source itself, 0 what is just allowed.
    """
    nncf = _nncf()

    def validate(compiled: Any, items: Any) -> tuple[float, list[float]]:
        return score(compiled, [int(row) for row in items])

    advanced = nncf.AdvancedAccuracyRestorerParameters(ranking_subset_size=min(RANKED_ON, judged))
    with _silence():
        return nncf.quantize_with_accuracy_control(
            model,
            _dataset(tiles),
            nncf.Dataset(range(judged)),
            validate,
            max_drop=1.0,
            drop_type=nncf.DropType.ABSOLUTE,
            subset_size=len(tiles),
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=nncf.IgnoredScope(names=behind_features(model), validate=False),
            advanced_accuracy_restorer_parameters=advanced,
        )


def behind_features(model: ov.Model) -> list[str]:
    """Names of the operations between the features and the probabilities."""
    features = model.outputs[1].get_node().input_value(0).get_node().get_friendly_name()
    found: list[str] = []
    waiting = [model.outputs[0].get_node().input_value(0).get_node()]
    while waiting:
        node = waiting.pop()
        name = node.get_friendly_name()
        if name == features or name in found or node.get_type_name() == "Constant":
            continue
        found.append(name)
        waiting += [source.get_node() for source in node.input_values()]
    return found


def _dataset(tiles: RgbBatch) -> Any:
    return _nncf().Dataset(range(len(tiles)), lambda row: tiles[row][None])


def _nncf() -> Any:
    try:
        with _silence():
            import nncf
    except ImportError as error:
        raise MachineError(
            f"int8 needs NNCF, which cannot be loaded here ({error}). "
            'Install it with `python -m pip install "lungscan-histology[train]"`.'
        ) from error
    return nncf


@contextmanager
def _silence() -> Iterator[None]:
    """Keep NNCF's bars off stdout, which belongs to data, and its notes out of the terminal."""
    loggers = [logging.getLogger(name) for name in CHATTY]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
