"""A model that costs nothing: mean colour in, three probabilities out, all files real.

With it an attack spends its time on LungScan and not on a network, and needs no torch.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from lungscan.model.card import ModelCard, write_card
from lungscan.model.checked import read_card
from lungscan.model.graph import write_graph
from tests.models import CARD, write_novelty

SIDE = 64  # px; with MPP_UM below, a tile spans as many level-0 pixels
MPP_UM = 0.5
_WEIGHTS = np.array([[9, -4, -6], [-7, 8, -1], [-3, -5, 9]], np.float32)


def build(folder: Path, side: int = SIDE) -> ModelCard:
    """Write a model folder that LungScan loads; tiles of ``side`` px at ``MPP_UM`` µm/px."""
    folder.mkdir(parents=True)
    network = _network(side)
    write_graph(network, {}, folder)
    write_novelty(folder / "novelty.safetensors", features=3)
    fields = np.random.default_rng(0).integers(0, 256, (4, side, side, 3), np.uint8)
    infer = ov.Core().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    probs = np.concatenate([infer([field[None]])[0] for field in fields])
    np.savez_compressed(folder / "golden.npz", fields=fields, probs=probs)
    (folder / "README.md").write_text("# mean colour 1.0\n", encoding="utf-8")
    card = dataclasses.replace(
        CARD,
        name="mean-colour",
        architecture="none",
        patch_size_pixels=side,
        spacing_um_px=MPP_UM,
        confidence_threshold=0.01,
        minimum_tissue_mm2=0.0,
    )
    write_card(card, folder)
    return read_card(folder)


def _network(side: int) -> ov.Model:
    picture = ops.parameter([1, side, side, 3], np.uint8, name="picture")
    mean = ops.reduce_mean(ops.convert(picture, "f32"), np.array([1, 2]), keep_dims=False)
    features = ops.multiply(mean, np.float32(1 / 255))
    logits = ops.matmul(features, ops.constant(_WEIGHTS), transpose_a=False, transpose_b=False)
    return ov.Model([ops.softmax(logits, axis=1), features], [picture], "mean-colour")
