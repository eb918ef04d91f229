"""What lies between a network's last maps and its logits, taken from the graph by structure.

The path is walked back from the softmax to the mean over the picture. Names are of no use: int8
changes them, and blocks share them. Where every step is affine or cuts at fixed values (ReLU,
ReLU6), the logits of a given tile are an affine function of the mean of its maps, exactly; anything
else is refused, because a map would be a guess there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from lungscan.errors import UsageProblem

Wide = NDArray[np.float64]

_SAME = {"Reshape", "Squeeze", "Unsqueeze", "Convert"}  # of a vector


@dataclass(frozen=True)
class Affine:
    """``x`` to ``weight @ x + bias``."""

    weight: Wide  # (out, in)
    bias: Wide  # (out,)


@dataclass(frozen=True)
class Each:
    """Each number times its ``factor`` plus its ``offset``."""

    factor: Wide
    offset: Wide


@dataclass(frozen=True)
class Cut:
    """``x`` to what of it lies between ``low`` and ``high``."""

    low: float
    high: float


Step = Affine | Each | Cut


@dataclass(frozen=True)
class Head:
    """The steps from the pooled features to the logits."""

    maps: ov.Output  # (1, k, rows, columns): what the mean is taken of
    steps: tuple[Step, ...]

    def at(self, pooled: Wide) -> Affine:
        """The affine function that the head is for tiles whose maps have the mean ``pooled``."""
        local: list[Affine | Each] = []
        now = pooled
        for step in self.steps:
            if isinstance(step, Cut):
                passes = (now > step.low) & (now < step.high)
                stuck = np.clip(now, step.low, step.high)
                local.append(Each(passes.astype(np.float64), np.where(passes, 0.0, stuck)))
            else:
                local.append(step)
            now = _apply(local[-1], now)
        weight, bias = np.eye(len(now)), np.zeros(len(now))
        for step in reversed(local):  # from the few classes back: small products only
            if isinstance(step, Affine):
                weight, bias = weight @ step.weight, bias + weight @ step.bias
            else:
                weight, bias = weight * step.factor, bias + weight @ step.offset
        return Affine(weight, bias)


def _apply(step: Affine | Each, vector: Wide) -> Wide:
    if isinstance(step, Affine):
        return step.weight @ vector + step.bias
    return step.factor * vector + step.offset


def find_head(model: ov.Model, name: str) -> Head:
    """The head of a graph whose first output is the softmax of its logits.

    Args:
        name: of the model, for the message.

    Raises:
        UsageProblem: a step is neither affine nor a cut, so no exact map exists.
    """
    node = _source(model.outputs[0].get_node(), 0)
    if node.get_type_name() != "Softmax":
        raise _refusal(name, "its answer is no softmax")
    node, path = _source(node, 0), []
    while node.get_type_name() != "ReduceMean":
        index = _computed_input(node, name)
        path.append((node, index))
        node = _source(node, index)
    shape = list(node.input_value(0).get_shape())
    if len(shape) != 4 or sorted(a % 4 for a in _constant(node, 1).astype(int).ravel()) != [2, 3]:
        raise _refusal(name, "its pooling is no mean over the picture")
    size, steps = shape[1], []
    for step, index in reversed(path):
        made = _step(step, index, size, name)
        if isinstance(made, Affine):
            size = len(made.bias)
        steps += [] if made is None else [made]
    return Head(node.input_value(0), tuple(steps))


def _step(node: ov.Node, index: int, size: int, name: str) -> Step | None:
    """One operation on a vector of ``size`` numbers; None when it changes nothing."""
    kind = node.get_type_name()
    made: Step | None = None
    if kind in ("Relu", "Clamp"):
        limits = node.get_attributes()
        made = Cut(limits.get("min", 0.0), limits.get("max", np.inf))
    elif kind in ("MatMul", "Convolution") and index == 0:
        made = _product(node)
    elif kind in ("Add", "Subtract", "Multiply", "Divide") and (kind != "Divide" or index == 0):
        value = np.broadcast_to(_constant(node, 1 - index).ravel(), size)
        made = _arithmetic(kind, index, value)
    elif kind == "Slice" and node.get_input_size() == 5:
        made = _slice(node, size)
    if made is None and kind not in _SAME:
        raise _refusal(name, f"{kind} stands between its maps and its classes")
    return made


def _product(node: ov.Node) -> Affine | None:
    """A matrix times the vector; None for a convolution with more than one place."""
    weight = _constant(node, 1)
    if node.get_type_name() == "MatMul":
        weight = weight if node.get_attributes()["transpose_b"] else weight.T
    elif weight.shape[2:] == (1, 1):
        weight = weight[:, :, 0, 0]
    else:
        return None
    return Affine(weight, np.zeros(len(weight)))


def _arithmetic(kind: str, index: int, value: Wide) -> Each:
    """A constant added, subtracted, multiplied or divided by; the vector is input ``index``."""
    none, one = np.zeros(len(value)), np.ones(len(value))
    if kind == "Add":
        return Each(one, value)
    if kind == "Subtract":
        return Each(one, -value) if index == 0 else Each(-one, value)
    return Each(value if kind == "Multiply" else 1 / value, none)


def _slice(node: ov.Node, size: int) -> Affine:
    """Some of the numbers; the last axis is the only one with more than one."""
    start, stop, step = (int(_constant(node, i).ravel()[0]) for i in (1, 2, 3))
    return Affine(np.eye(size)[start:stop:step], np.zeros(len(range(size)[start:stop:step])))


def _source(node: ov.Node, index: int) -> ov.Node:
    return node.input_value(index).get_node()


def _computed_input(node: ov.Node, name: str) -> int:
    """Which input of an operation depends on the tile; exactly one must."""
    found = [i for i in range(node.get_input_size()) if not _is_constant(_source(node, i))]
    if len(found) != 1:
        raise _refusal(name, f"{node.get_type_name()} joins several ways to its classes")
    return found[0]


def _is_constant(node: ov.Node) -> bool:
    """Whether nothing of the tile reaches an operation."""
    if node.get_type_name() == "Constant":
        return True
    inputs: Sequence[ov.Output] = node.input_values()
    return bool(inputs) and all(_is_constant(part.get_node()) for part in inputs)


def _constant(node: ov.Node, index: int) -> Wide:
    """The numbers of a constant input, unpacked from whatever form they are stored in."""
    part = ov.Model([node.input_value(index)], [], "constant")
    compiled = ov.Core().compile_model(part, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    value: Wide = compiled({})[0].astype(np.float64)
    return value


def _refusal(name: str, why: str) -> UsageProblem:
    return UsageProblem(
        f"The explanation cam is not exact for {name}: {why}. Use occlusion (--explain "
        "occlusion), which is right for every network."
    )
