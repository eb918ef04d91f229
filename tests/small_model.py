"""A real, tiny model: timm's smallest EfficientNet, its last layer fitted to drawn colours.

Everything that a shipped model has: graph, weights, refusal, golden fields, a card.
"""

from __future__ import annotations

import atexit
import dataclasses
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import timm
import torch
from safetensors.numpy import save

from lungscan.compression.int8 import compress
from lungscan.compression.records import CompressionJob
from lungscan.dataset.labelled_tiles import LabelledTiles
from lungscan.model.card import Metric, ModelCard, write_card
from lungscan.model.checked import read_card
from lungscan.training.bundle import deploy, write_network
from lungscan.training.calibrate import Outputs, fit_novelty
from lungscan.training.golden import golden_fields
from lungscan.training.network_answers import outputs_of
from tests.labelled import CLASSES
from tests.models import CARD

SIDE = 64
HUES = ((160, 90, 170), (225, 170, 205), (205, 80, 120))


def draw_tiles(seed: int, per_class: int = 12) -> LabelledTiles:
    """Noise in three hues; two tiles to a group."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), per_class)
    noise = rng.normal(0, 14, (len(labels), SIDE, SIDE, 3)) + np.array(HUES)[labels, None, None]
    groups = tuple(f"{seed}-{row // 2}" for row in range(len(labels)))
    return LabelledTiles(np.clip(noise, 0, 255).astype(np.uint8), labels, groups)


def draw_noise(seed: int, count: int) -> np.ndarray:
    """Counter-examples."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)


def build_model(folder: Path) -> ModelCard:
    """Write the model folder."""
    torch.set_num_threads(1)  # so small a network only waits for other threads
    torch.manual_seed(0)
    network = timm.create_model("test_efficientnet", pretrained=False, num_classes=4).eval()
    train, checked = draw_tiles(0), draw_tiles(1)
    foreign = draw_noise(2, 12)
    pixels = np.concatenate([train.pixels, foreign])
    labels = np.concatenate([train.labels, np.full(len(foreign), 3)])
    _settle(network, pixels)
    _fit_last_layer(network, outputs_of(network, pixels).features, labels)
    layer = network.get_classifier()
    seen = outputs_of(network, train.pixels)
    novelty = fit_novelty(
        Outputs(seen.logits, seen.features),
        train.labels,
        outputs_of(network, checked.pixels),
        outputs_of(network, foreign),
        layer.weight.detach().numpy(),
        layer.bias.detach().numpy(),
    )
    probe = torch.from_numpy(golden_fields(SIDE, 0))
    deployed = deploy(network, 3, 1.0, probe)
    folder.mkdir(parents=True)
    write_network(deployed, SIDE, folder)
    (folder / "novelty.safetensors").write_bytes(save(novelty.tensors()))
    with torch.inference_mode():
        np.savez_compressed(
            folder / "golden.npz", fields=probe.numpy(), probs=deployed(probe)[0].numpy()
        )
    (folder / "README.md").write_text("# small 1.0\n\nA drawn model.\n", encoding="utf-8")
    metric = Metric("accuracy student", 0.9, 0.8, 0.95, 36, 18, "distilled")
    card = dataclasses.replace(
        CARD,
        name="small",
        architecture="test_efficientnet",
        class_names=CLASSES,
        patch_size_pixels=SIDE,
        metrics=(metric,),
        facts=(("Accuracy, grouped test", "90.0 %"),),
    )
    write_card(card, folder)
    return read_card(folder)


@torch.no_grad()
def _settle(network: torch.nn.Module, pixels: np.ndarray) -> None:
    """Give batch normalisation the statistics of the drawn tiles; random weights need them."""
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) * 255 for v in ((0.485,) * 3, (0.229,) * 3))
    network.train()
    for _ in range(30):
        network((torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - mean) / std)
    network.eval()


def _fit_last_layer(network: torch.nn.Module, features: np.ndarray, labels: np.ndarray) -> None:
    layer = network.get_classifier()  # type: ignore[operator]
    x, y = torch.from_numpy(features), torch.from_numpy(labels)
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.02)
    for _ in range(150):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(layer(x), y).backward()
        optimiser.step()


def compression_job(source: ModelCard, **changes: object) -> CompressionJob:
    """Enough to compress the small model."""
    job = CompressionJob(
        source,
        calibration=np.concatenate([draw_tiles(3, 8).pixels, draw_noise(8, 8)]),
        tiles=draw_tiles(4, 10),
        foreign=draw_noise(9, 8),
        threads=1,
        command="lungscan compress small",
    )
    return dataclasses.replace(job, **changes)  # type: ignore[arg-type]


@cache
def small_model() -> ModelCard:
    """The model, made once for all tests of a run; nobody may change its folder."""
    return build_model(_place() / "small")


@cache
def small_int8() -> ModelCard:
    """Its int8 form, made once as well."""
    out = _place() / "small-int8"
    compress(compression_job(small_model()), out)
    return read_card(out)


@cache
def _place() -> Path:
    folder = TemporaryDirectory()
    atexit.register(folder.cleanup)
    return Path(folder.name)
