"""From a trained network to a model folder: weights once, a graph that points into them, a card.

``weights.safetensors`` is written so that its data section is, byte for byte, the constants' block
of the OpenVINO IR in ``graph.xml``. torch finds its tensors by name, OpenVINO by offset, and no
number is stored twice. Formats: huggingface.co/docs/safetensors (format), OpenVINO IR version 11.
"""

from __future__ import annotations

import json
import re
import struct
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lungscan.errors import ModelError
from lungscan.runtimes.deploy import Deployed, fold_batch_norm

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


def deploy(network: nn.Module, classes: int, temperature: float, probe: torch.Tensor) -> Deployed:
    """Fold, round to half precision and wrap a trained network.

    Args:
        probe: ``(n, s, s, 3)`` uint8 fields on which folding must not change the answer.

    Raises:
        ModelError: folding changed the outputs, so the network is not built in call order.
    """
    before = Deployed(network.float().eval(), classes, temperature)
    with torch.no_grad():
        expected = before(probe)[0]
        fold_batch_norm(network)
        folded = Deployed(network, classes, temperature).eval()
        change = float((folded(probe)[0] - expected).abs().max())
        if not change <= 1e-3:  # NaN is a change too
            raise ModelError(f"Folding batch normalisation changed an answer by {change:.4f}.")
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.copy_(value.half().float())
    return folded


def write_network(deployed: Deployed, size_px: int, folder: Path) -> None:
    """Write ``graph.xml`` and ``weights.safetensors``."""
    import openvino as ov

    example = torch.zeros((1, size_px, size_px, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        # OpenVINO still reads torch's networks through TorchScript, which announces its end.
        warnings.filterwarnings("ignore", r"`torch\.jit\.", FutureWarning)
        model = ov.convert_model(deployed, example_input=example)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "graph.xml"
        ov.save_model(model, path, compress_to_fp16=True)
        xml = path.read_text(encoding="utf-8")
        block = path.with_suffix(".bin").read_bytes()
    parameters = {
        name: value.detach().half().contiguous().numpy()
        for name, value in deployed.network.state_dict().items()
    }
    (folder / "graph.xml").write_text(_compact(xml), encoding="utf-8")
    (folder / "weights.safetensors").write_bytes(_safetensors(xml, block, parameters))


def _compact(xml: str) -> str:
    """Drop indentation and the converter's notes (they hold the command line and options)."""
    xml = re.sub(r"<rt_info>.*?</rt_info>|<rt_info ?/>", "", xml, flags=re.DOTALL)
    return re.sub(r">\s+<", "><", xml)


def _safetensors(xml: str, block: bytes, parameters: dict[str, np.ndarray]) -> bytes:
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
