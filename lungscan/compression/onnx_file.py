"""A model as one ONNX file for other programs, checked against its golden answers."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from lungscan import RESEARCH_USE
from lungscan.errors import MachineError, ModelError, UsageProblem
from lungscan.model.card import INT8, ModelCard
from lungscan.model.folder import read_golden
from lungscan.results.atomic_files import write_atomic

TOLERANCE = 1e-3  # of a probability, fp32 against fp32
EXTENSION = ".onnx"


@dataclass(frozen=True, slots=True)
class OnnxExport:
    """A written file, and how far its answers lie from the model's own."""

    path: Path
    bytes: int
    worst_difference: float  # of a probability, over the golden fields


def export_onnx(card: ModelCard, path: Path) -> OnnxExport:
    """Write the network with its normalisation and softmax to ``path``.

    Input ``tiles``: ``(n, s, s, 3)`` uint8 RGB, any n. Outputs ``probabilities`` ``(n, classes)``,
    calibrated, and ``features`` ``(n, d)``, which refusing rests on; refusing itself is not part of
    the file. Its metadata name the classes, the scale and the model.

    Raises:
        UsageProblem: the model is int8, or ``path`` does not end with ``.onnx``.
        MachineError: torch, timm or onnx is not installed, or the file cannot be written.
        ModelError: the file does not repeat the model's golden answers; nothing is written.
    """
    if card.precision == INT8:
        raise UsageProblem(
            f"{card.name} is an int8 model, which has no form in torch. Export the model that it "
            f"was made from ({card.compression.get('source', 'see its card')})."
        )
    if path.suffix != EXTENSION:
        raise UsageProblem(f"{path.name}: an export is written as {EXTENSION}.")
    data = _to_onnx(card)
    worst = _difference(card, data)
    if not worst <= TOLERANCE:  # NaN is a difference too
        raise ModelError(
            f"The exported network of {card.name} changes a golden answer by {worst:.4f}, so "
            "nothing was written."
        )
    write_atomic(path, data, durable=False)
    return OnnxExport(path, len(data), worst)


def metadata(card: ModelCard) -> dict[str, str]:
    """What the file says of itself."""
    return {
        "name": card.name,
        "version": card.version,
        "use": RESEARCH_USE,
        "intended_use": card.intended_use,
        "licence": card.licence,
        "model_sha256": card.sha256,
        "class_names": json.dumps(card.class_names),
        "display_names": json.dumps(card.display_names, ensure_ascii=False),
        "patch_size_pixels": str(card.patch_size_pixels),
        "spacing_um_px": repr(card.spacing_um_px),
        "input": "tiles: uint8 RGB, n x size x size x 3; normalisation is inside",
        "outputs": "probabilities: calibrated; features: what refusing rests on",
    }


def _to_onnx(card: ModelCard) -> bytes:
    try:
        import onnxscript  # noqa: F401  torch's exporter would only say so half-way
        import torch

        from lungscan.runtimes.deploy import load_deployed
    except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision of another torch
        raise MachineError(
            f"The export to ONNX needs torch, timm and onnxscript, which cannot be loaded here "
            f'({error}). Install them with `python -m pip install "lungscan-histology[train]"`.'
        ) from error
    side = card.patch_size_pixels
    example = torch.zeros((2, side, side, 3), dtype=torch.uint8)  # of 1, the batch would stay fixed
    with _silence():
        program = torch.onnx.export(
            load_deployed(card),
            (example,),
            input_names=["tiles"],
            output_names=["probabilities", "features"],
            dynamic_shapes={"tiles": {0: torch.export.Dim("n", min=1)}},
            external_data=False,
            dynamo=True,
        )
    if program is None:
        raise ModelError(f"torch cannot export {card.architecture} to ONNX.")
    return _labelled(program.model_proto, card)


def _labelled(proto: Any, card: ModelCard) -> bytes:
    """The file's bytes, with our metadata and without the exporter's: those hold stack traces."""
    proto.doc_string = f"{card.name} {card.version}: {card.summary} {RESEARCH_USE}"
    graph = proto.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        del part.metadata_props[:]
        part.doc_string = ""
    for tensor in graph.initializer:
        del tensor.metadata_props[:]
    del proto.metadata_props[:]
    for key, value in metadata(card).items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, value
    found: bytes = proto.SerializeToString()
    return found


def _difference(card: ModelCard, data: bytes) -> float:
    """The largest change of a golden probability when OpenVINO computes the file, in fp32."""
    golden = read_golden(card)
    fields, expected = golden.fields, golden.probs
    core = ov.Core()
    try:
        network = core.compile_model(
            core.read_model(model=data), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
        )
        whole = network([fields])[0]
        alone = np.concatenate([network([field[None]])[0] for field in fields])  # any batch
    except RuntimeError as error:
        raise ModelError(f"OpenVINO cannot read the exported network: {error}") from error
    return float(max(np.abs(found - expected).max() for found in (whole, alone)))


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the exporter's progress off stdout, and its own libraries' complaints to itself."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
