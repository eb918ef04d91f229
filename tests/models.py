"""Models for tests: a tiny one with a fake network, and the shipped network made to answer always.

Nothing here depends on how well the shipped model is trained.
"""

from __future__ import annotations

import dataclasses
import shutil
import threading
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from lungscan.model.card import Metric, ModelCard, write_card
from lungscan.model.checked import read_card
from lungscan.types import FloatArray, RgbBatch
from lungscan_models import shipped_models

SHIPPED = shipped_models() / "lung-histology"
TILE_PX = 64
SPACING_UM = 1.0  # at 0.5 µm/px a tile spans 128 level-0 pixels
FEATURES = 4

CARD = ModelCard(
    schema=1,
    name="tiny",
    version="1.0",
    summary="A fake for tests.",
    licence="Apache-2.0",
    architecture="none",
    teacher="",
    class_names=("adeno", "benign", "squamous"),
    display_names=("Adenocarcinoma", "Benign lung", "Squamous cell carcinoma"),
    colors=("#d55e00", "#009e73", "#0072b2"),
    tumour=(True, False, True),
    patch_size_pixels=TILE_PX,
    spacing_um_px=SPACING_UM,
    spacing_note="",
    large_fields="resized",
    temperature=1.0,
    confidence_threshold=0.5,
    novelty_threshold=1.0,
    minimum_tissue_mm2=0.001,
    tumour_limit_mm2=0.1,
    tumour_limit_share=0.02,
    data={"summary": "nothing"},
    command="",
    seed=0,
    recipe={},
    metrics=(Metric("accuracy", 0.9, 0.85, 0.95, 100, 50),),
    reliability=(),
    facts=(),
    intended_use="tests",
    limits=("Knows nothing.",),
    files={},
)


def tiny_model(folder: Path, card: ModelCard = CARD) -> ModelCard:
    """Write a model folder whose network is no network: ``FakeRuntime`` stands in for it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("weights.safetensors", "graph.xml", "golden.npz", "README.md"):
        (folder / name).write_bytes(f"the {name} of {card.name}\n".encode() * 20)
    write_novelty(folder / "novelty.safetensors", FEATURES)
    write_card(card, folder)
    return read_card(folder)


def copy_model(folder: Path) -> ModelCard:
    """Copy the shipped model and make it answer always."""
    folder.mkdir(parents=True)
    for name in ("weights.safetensors", "graph.xml", "golden.npz", "README.md"):
        shutil.copyfile(SHIPPED / name, folder / name)
    features = len(load_file(SHIPPED / "novelty.safetensors")["centre"])
    write_novelty(folder / "novelty.safetensors", features)
    shipped = read_card(SHIPPED)
    write_card(dataclasses.replace(shipped, name="test-model", confidence_threshold=0.01), folder)
    return read_card(folder)


def write_novelty(path: Path, features: int, classes: int = 3, directions: int = 2) -> None:
    """Write parameters under which nothing is novel."""
    arrays = {
        "centre": np.zeros(features),
        "basis": np.eye(features, directions),
        "class_means": np.zeros((classes, directions)),
        "residual_scale": np.ones(1),
        "output_weight": np.zeros((classes + 1, features)),
        "output_bias": np.array([0.0] * classes + [-50.0]),
        "limits": np.array([1.0, 1e9]),
    }
    save_file({name: values.astype(np.float32) for name, values in arrays.items()}, path)


class FakeRuntime:
    """Answers by a tile's mean colour, tile by tile, so neighbours cannot change an answer.

    ``sure`` is the probability of the class it names; ``fails_at`` makes one call raise ``error``.
    """

    device = "fake"

    def __init__(self, batch_size: int = 16) -> None:
        self.batch_size = batch_size
        self.sure = 0.9
        self.fails_at: int | None = None
        self.error: BaseException = RuntimeError("the driver is gone")
        self.calls = 0
        self.tiles = 0
        self._lock = threading.Lock()

    def predict(self, batch: RgbBatch) -> tuple[FloatArray, FloatArray]:
        """See ``lungscan.runtimes.Runtime.predict``."""
        with self._lock:
            self.calls += 1
            self.tiles += len(batch)
            if self.calls == self.fails_at:
                raise self.error
        assert batch.dtype == np.uint8
        sums = batch.sum((1, 2), dtype=np.int64)
        features = np.ones((len(batch), FEATURES), np.float32)
        features[:, :3] = sums / (batch.shape[1] * batch.shape[2] * 255)
        rest = (1 - self.sure) / 2
        tilt = (features[:, 0] - 0.5) * rest  # so that tiles differ
        probs = np.full((len(batch), 3), rest, np.float32)
        probs[:, 0] = self.sure
        probs[:, 1] += tilt
        probs[:, 2] -= tilt
        return probs, features
