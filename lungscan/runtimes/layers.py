"""The convolutions of a deployed network: found in its graph, measured, and given other numbers.

A deployed network has its batch normalisations folded into the convolutions before them. What a
normalisation did is not lost by that: on the tissue it was trained on, a channel of such a
convolution has the mean and the deviation that the normalisation gave it. So both are measured,
and with them statistics can be estimated anew (AdaBN: Li et al. 2017) without the normalisations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openvino as ov
import openvino.opset13 as ops
from numpy.typing import NDArray
from safetensors.numpy import load_file

from lungscan.errors import ModelError
from lungscan.model.graph import read_graph, write_graph
from lungscan.types import FloatArray, RgbBatch

Numbers = dict[str, NDArray[np.float16]]

EARLY = 8  # a layer is early while its maps have this part of the input's side, or more
CHUNK = 16  # tiles measured at once
_LEAST = 1e-3  # deviation of a channel; one that hardly varies is not stretched
_SPACE = (0, 2, 3)  # tiles, rows and columns of a map
_CONVOLUTIONS = ("Convolution", "GroupConvolution")


@dataclass(frozen=True)
class Moments:
    """Mean and deviation ``(channels,)`` of each layer's output, by the layer's name."""

    mean: Mapping[str, FloatArray]
    deviation: Mapping[str, FloatArray]


@dataclass(frozen=True)
class _Layer:
    """A convolution with its bias."""

    name: str  # as torch calls the module
    weight: ov.Node  # constants
    bias: ov.Node
    sum: ov.Node  # convolution plus bias
    side: int  # of its maps


class Network:
    """Graph and numbers of a model folder, to be measured and changed; nothing is written before.

    Raises:
        ModelError: the folder holds no network whose layers bear names (an int8 model's do not).
    """

    def __init__(self, folder: Path, side_px: int) -> None:
        self._side = side_px
        self._model = read_graph(ov.Core(), folder)
        self._model.reshape([-1, side_px, side_px, 3])
        self._numbers: Numbers = {
            name: value
            for name, value in load_file(folder / "weights.safetensors").items()
            if not name.startswith("graph.")
        }
        if not self._layers(self._model):
            raise ModelError(
                f"The network of {folder.name} has no convolutions that can be told by name, so "
                "it cannot be adapted. Take the model that it was made from."
            )

    @property
    def early(self) -> tuple[str, ...]:
        """Names of the layers near the input, which see colour, stain and grain."""
        least = self._side / EARLY
        return tuple(layer.name for layer in self._layers(self._model) if layer.side >= least)

    def moments(self, tiles: RgbBatch) -> Moments:
        """Mean and deviation of the early layers' outputs over ``tiles`` ``(n, s, s, 3)`` uint8."""
        model = self._model.clone()
        layers = self._early_of(model)
        wanted = []
        for layer in layers:
            x = layer.sum.output(0)
            wanted += [_mean(x), _mean(ops.multiply(x, x))]
        parts = _run(model, wanted, tiles, CHUNK)
        mean, square = parts[0::2], parts[1::2]
        found = zip(mean, square, strict=True)
        spread = [np.sqrt(np.maximum(s - m * m, 0)).astype(np.float32) for m, s in found]
        names = [layer.name for layer in layers]
        means = [m.astype(np.float32) for m in mean]
        return Moments(dict(zip(names, means, strict=True)), dict(zip(names, spread, strict=True)))

    def match(self, tiles: RgbBatch, source: Moments, share: float) -> None:
        """Bring the early layers' outputs on ``tiles`` to the moments that ``source`` names.

        One layer after another, each on what the layers before it give once they are matched, in
        a single pass over all tiles.

        Args:
            tiles: ``(n, s, s, 3)`` uint8, of another laboratory.
            source: moments on the tissue that the network was trained on.
            share: weight of the tiles' own moments; the rest is the source's (Schneider et al.
                2020).
        """
        model = self._model.clone()
        wanted, names = [], []
        for layer in self._early_of(model):
            mean, spread = source.mean[layer.name], source.deviation[layer.name]
            factor, shift = _matched(layer.sum, mean, spread, share)
            wanted += [factor, shift]
            names.append(layer.name)
        found = [part.astype(np.float32) for part in _run(model, wanted, tiles, len(tiles))]
        for name, factor, shift in zip(names, found[0::2], found[1::2], strict=True):
            weight, bias = (self._numbers[f"{name}.{part}"] for part in ("weight", "bias"))
            column = factor.reshape(-1, *(1,) * (weight.ndim - 1))
            self.set(f"{name}.weight", weight * column)
            self.set(f"{name}.bias", bias * factor + shift)

    def last_layer(self, like: FloatArray) -> tuple[str, str]:
        """Names of weight and bias of the layer whose weights are ``like`` ``(outputs, d)``.

        Raises:
            ModelError: there is no such layer.
        """
        for name, value in self._numbers.items():
            if value.shape == like.shape and np.allclose(value, like, atol=1e-2, rtol=1e-2):
                return name, f"{name.removesuffix('weight')}bias"
        raise ModelError("The network's last layer is not the one that its novelty was fitted for.")

    def numbers(self, name: str) -> FloatArray:
        """The parameter of that name."""
        return self._numbers[name].astype(np.float32)

    def set(self, name: str, value: FloatArray) -> None:
        """Give a parameter other values, rounded to half precision as the folder stores them."""
        old = self._numbers[name]
        new = np.ascontiguousarray(value.reshape(old.shape), np.float16)
        for node in self._constants(name):
            shaped = ops.constant(new.reshape(list(node.output(0).shape)))
            for target in node.output(0).get_target_inputs():
                target.replace_source_output(shaped.output(0))
        self._numbers[name] = new

    def write(self, folder: Path) -> None:
        """Write ``graph.xml`` and ``weights.safetensors``."""
        self._model.validate_nodes_and_infer_types()
        write_graph(self._model, self._numbers, folder)

    def _constants(self, name: str) -> list[ov.Node]:
        """The graph's constants that hold a parameter: those of its layer alone."""
        layers = {layer.name: layer for layer in self._layers(self._model)}
        stem, _, part = name.rpartition(".")
        if stem in layers:
            return [getattr(layers[stem], part)]
        if part == "bias":  # of a matrix product: what is added to it
            (weight,) = self._constants(f"{stem}.weight")
            return [_bias_behind(weight)]
        content = self._numbers[name].tobytes()
        return [
            op
            for op in self._model.get_ops()
            if op.get_type_name() == "Constant" and _bytes(op) == content
        ]

    def _early_of(self, model: ov.Model) -> list[_Layer]:
        early = set(self.early)
        return [layer for layer in self._layers(model) if layer.name in early]

    def _layers(self, model: ov.Model) -> list[_Layer]:
        """Convolutions with a bias, from the input on; a parameter tells a layer's name."""
        names = {
            value.tobytes(): name.removesuffix(".weight")
            for name, value in self._numbers.items()
            if name.endswith(".weight") and value.ndim == 4
        }
        found = []
        for op in model.get_ordered_ops():
            if op.get_type_name() not in _CONVOLUTIONS:
                continue
            weight, total = _constant(op, 1), _only_reader(op)
            if weight is None or total is None or total.get_type_name() != "Add":
                continue
            name, bias = names.get(_bytes(weight)), _constant(total, 1)
            if name is not None and bias is not None:
                side = total.get_output_partial_shape(0)[2].get_length()
                found.append(_Layer(name, weight, bias, total, side))
        return found


def _matched(total: ov.Node, mean: FloatArray, spread: FloatArray, share: float) -> list[ov.Node]:
    """Insert the matching of one layer's output; returns its factor and shift ``(1, c, 1, 1)``."""
    x = total.output(0)
    readers = list(x.get_target_inputs())
    here = _mean(x)
    off = ops.subtract(x, here)
    variance = _mean(ops.multiply(off, off))
    aim, width = (_channels(value) for value in (mean, np.maximum(spread, _LEAST)))
    centre = ops.add(_times(here, share), _times(aim, 1 - share))
    blended = ops.add(_times(variance, share), _times(ops.multiply(width, width), 1 - share))
    factor = ops.divide(width, ops.sqrt(ops.maximum(blended, _number(_LEAST**2))))
    shift = ops.subtract(aim, ops.multiply(factor, centre))
    out = ops.add(ops.multiply(x, factor), shift)
    for reader in readers:
        reader.replace_source_output(out.output(0))
    return [factor, shift]


def _run(
    model: ov.Model, wanted: Sequence[ov.Node], tiles: RgbBatch, chunk: int
) -> list[NDArray[np.float64]]:
    """Values ``(channels,)`` of nodes, averaged over chunks of the tiles by their size."""
    part = ov.Model([ops.result(node) for node in wanted], model.get_parameters())
    precise = {"INFERENCE_PRECISION_HINT": "f32"}  # two machines shall adapt alike
    compiled = ov.Core().compile_model(part, "CPU", precise)
    totals: list[NDArray[np.float64]] = [np.zeros(1)] * len(wanted)
    for start in range(0, len(tiles), chunk):
        batch = np.ascontiguousarray(tiles[start : start + chunk])
        found = compiled(batch)
        weight = len(batch) / len(tiles)
        totals = [
            total + weight * found[i].astype(np.float64).reshape(-1)
            for i, total in enumerate(totals)
        ]
    return totals


def _mean(value: ov.Node | ov.Output) -> ov.Node:
    return ops.reduce_mean(value, ops.constant(np.array(_SPACE)), keep_dims=True)


def _times(value: ov.Node, factor: float) -> ov.Node:
    return ops.multiply(value, _number(factor))


def _number(value: float) -> ov.Node:
    return ops.constant(np.array(value, np.float32))


def _channels(values: FloatArray) -> ov.Node:
    return ops.constant(values.astype(np.float32).reshape(1, -1, 1, 1))


def _constant(op: ov.Node, port: int) -> ov.Node | None:
    """The constant behind an input, through conversions and reshapings, if there is one."""
    node = op.input(port).get_source_output().get_node()
    while node.get_type_name() in {"Convert", "Reshape"}:
        node = node.input(0).get_source_output().get_node()
    return node if node.get_type_name() == "Constant" else None


def _only_reader(op: ov.Node) -> ov.Node | None:
    readers = list(op.output(0).get_target_inputs())
    return readers[0].get_node() if len(readers) == 1 else None


def _bias_behind(weight: ov.Node) -> ov.Node:
    """The constant that is added to the product with ``weight``."""
    node: ov.Node | None = weight
    while node is not None and node.get_type_name() != "Add":
        node = _only_reader(node)
    bias = None if node is None else _constant(node, 1)
    if bias is None:
        raise ModelError("The network's last layer has no bias, so it cannot be adapted.")
    return bias


def _bytes(constant: ov.Node) -> bytes:
    content: bytes = constant.data.tobytes()
    return content
