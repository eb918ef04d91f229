"""The two files that hold a network: a graph, and the numbers it points into, stored once.

``weights.safetensors`` is written so that its data section is, byte for byte, the constants' block
of the OpenVINO IR in ``graph.xml``. torch finds its tensors by name, OpenVINO by offset, and no
number is stored twice. Formats: huggingface.co/docs/safetensors (format), OpenVINO IR version 11.
"""

from __future__ import annotations

import json
import math
import re
import struct
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from lungscan.errors import ModelError

# No reports to OpenVINO's makers, as in ``lungscan.runtimes``: either may be the first to load it.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402

Parameters = Mapping[str, NDArray[np.float16]]

DTYPES = {
    "f16": ("F16", 2),
    "f32": ("F32", 4),
    "i64": ("I64", 8),
    "i32": ("I32", 4),
    "u8": ("U8", 1),
    "i8": ("I8", 1),
    "boolean": ("BOOL", 1),
}
CONSTANT = re.compile(
    r'<data element_type="(\w+)" shape="([\d, ]*)" offset="(\d+)" size="(\d+)" ?/>'
)


def read_graph(core: ov.Core, folder: Path, change: Callable[[str], str] = str) -> ov.Model:
    """Join ``graph.xml`` with the numbers in ``weights.safetensors``.

    Args:
        change: what is done to the graph's text before.

    Raises:
        ModelError: the two do not fit together.
    """
    try:
        xml = _plain_xml(folder / "graph.xml")
        weights = folder / "weights.safetensors"
        # OpenVINO finds its numbers by place; that the header tells the truth is proved here.
        with safe_open(weights, "numpy"):
            raw = np.fromfile(weights, np.uint8)
        return core.read_model(model=change(xml), weights=ov.Tensor(_data_section(raw)))
    except (RuntimeError, ValueError, SyntaxError, OSError, SafetensorError) as error:
        raise ModelError(
            f"The graph and the weights of {folder.name} do not make a network ({error}). "
            "Install the model again."
        ) from error


def count_parameters(folder: Path) -> int:
    """How many numbers torch would load by name: weights and biases, batch normalisation folded.

    None of an int8 model's numbers bears a name; its card says how many there were.

    Raises:
        ModelError: the file is not a safetensors file.
    """
    try:
        with (folder / "weights.safetensors").open("rb") as handle:
            header = json.loads(handle.read(int.from_bytes(handle.read(8), "little")))
        shapes = [entry["shape"] for name, entry in header.items() if name[:6] != "graph."]
        return sum(math.prod(shape) for shape in shapes)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ModelError(f"The weights of {folder.name} are damaged ({error}).") from error


def write_graph(model: ov.Model, parameters: Parameters, folder: Path) -> None:
    """Write ``graph.xml`` and ``weights.safetensors``; floating-point constants become halves.

    Args:
        parameters: numbers that torch will look for by name. Those that are constants of the graph
            give them their name; the others follow behind the graph's block.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        path = Path(scratch) / "graph.xml"
        ov.save_model(model, path, compress_to_fp16=True)
        xml = path.read_text(encoding="utf-8")
        block = path.with_suffix(".bin").read_bytes()
    (folder / "graph.xml").write_text(_compact(xml), encoding="utf-8", newline="\n")
    (folder / "weights.safetensors").write_bytes(_safetensors(xml, block, parameters))


def _plain_xml(path: Path) -> str:
    """The graph's text; ValueError when it declares entities, which no network needs."""
    xml = path.read_text(encoding="utf-8")
    if "<!DOCTYPE" in xml:
        raise ValueError("graph.xml declares entities")
    return xml


def _data_section(raw: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What follows the header of a safetensors file, whose length stands in its first 8 bytes."""
    header = int.from_bytes(raw[:8].tobytes(), "little")
    if not 0 < header <= len(raw) - 8:
        raise ValueError("the header of weights.safetensors is damaged")
    return np.ascontiguousarray(raw[8 + header :])


def _compact(xml: str) -> str:
    """Drop indentation and the converter's notes (they hold the command line and options)."""
    xml = re.sub(r"<rt_info>.*?</rt_info>|<rt_info ?/>", "", xml, flags=re.DOTALL)
    return re.sub(r">\s+<", "><", xml)


def _safetensors(xml: str, block: bytes, parameters: Parameters) -> bytes:
    """Describe the constants' block as tensors; append parameters that the graph does not use."""
    by_bytes = {value.tobytes(): name for name, value in parameters.items()}
    header: dict[str, object] = {}
    position = 0
    for kind, shape, offset, size in sorted(_constants(xml), key=lambda c: c[2]):
        if offset < position:
            continue  # the same constant, used twice
        if offset > position:
            header[f"graph.gap{position}"] = _entry("U8", [offset - position], position, offset)
        end = offset + size
        name = by_bytes.pop(block[offset:end], None) if kind == "f16" else None
        known = list(parameters[name].shape) if name else shape
        header[name or f"graph.c{offset}"] = _entry(DTYPES[kind][0], known, offset, end)
        position = end
    if position < len(block):
        header[f"graph.gap{position}"] = _entry("U8", [len(block) - position], position, len(block))
    tail = bytearray()
    for name, value in parameters.items():
        if name not in header:
            start = len(block) + len(tail)
            tail += value.tobytes()
            header[name] = _entry("F16", list(value.shape), start, len(block) + len(tail))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 64)
    return struct.pack("<Q", len(text)) + text + block + bytes(tail)


def _entry(dtype: str, shape: list[int], start: int, end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def _constants(xml: str) -> list[tuple[str, list[int], int, int]]:
    found = []
    for kind, shape, offset, size in CONSTANT.findall(xml):
        sides = [int(part) for part in shape.split(",") if part.strip()]
        found.append((kind, sides, int(offset), int(size)))
    return found
