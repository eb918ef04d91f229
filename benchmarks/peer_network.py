"""The network that all programs get, with seeded random weights, as four forms.

    python benchmarks/peer_network.py FOLDER ARCHITECTURE SIZE_PX SPACING_UM

Writes ``FOLDER/lungscan``, a model folder as ``lungscan train`` writes them, and for the peers
``network.safetensors``, ``network.json`` and ``answers.safetensors`` (fields with their answers, by
which each form is checked). Needs the extra ``train``.

Nothing was learnt, so nothing is told apart; speed does not depend on it. Batch normalisation has
the statistics of drawn tissue, so that no layer's output dies out or overflows. The model folder
refuses nothing, so that a slide gets a whole report, with a heat map and pictures of tiles; the
score of novelty is computed all the same, in as many directions as a trained model has.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import drawing
import numpy as np
import timm
import torch
from peer_kind import Kind
from safetensors.numpy import save_file

from lungscan.model.card import FILES, ModelCard, write_card
from lungscan.runtimes.deploy import MEAN, STD
from lungscan.training.bundle import deploy, write_network
from lungscan.training.calibrate import DIRECTIONS

sys.path.insert(0, str(Path(__file__).parents[1]))  # of a script, its own folder alone is searched

from tests.models import CARD, write_novelty

CLASSES = ("adeno", "benign", "squamous")
SEED = 0
SETTLING = 4  # passes that give batch normalisation its statistics
FIELDS = 8  # for the comparison


def draw_tiles(count: int, side: int, seed: int) -> np.ndarray:
    """``(count, side, side, 3)`` uint8 tiles cut from drawn tissue."""
    rng = np.random.default_rng(seed)
    tissue = drawing.draw_tissue(4 * side, rng)
    corners = rng.integers(0, 3 * side, (count, 2))
    return np.stack([tissue[y : y + side, x : x + side] for y, x in corners])


def make_network(kind: Kind) -> torch.nn.Module:
    """The network with one output more than classes, as LungScan trains it."""
    torch.manual_seed(SEED)
    network = timm.create_model(kind.architecture, pretrained=False, num_classes=len(CLASSES) + 1)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None  # the plain mean of all passes
    network.train()
    mean, std = (255 * torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    with torch.no_grad():
        for turn in range(SETTLING):
            tiles = torch.from_numpy(draw_tiles(16, kind.size_px, turn)).permute(0, 3, 1, 2).float()
            network((tiles - mean) / std)
    return network.eval()


def write_peers(network: torch.nn.Module, kind: Kind, fields: np.ndarray, folder: Path) -> None:
    """Store the network for the peers, without the output that only LungScan knows."""
    numbers = {name: value.numpy() for name, value in network.state_dict().items()}
    for name in ("classifier.weight", "classifier.bias"):
        numbers[name] = numbers[name][: len(CLASSES)]
    facts = {
        "architecture": kind.architecture,
        "class_names": CLASSES,
        "patch_size_pixels": kind.size_px,
        "spacing_um_px": kind.spacing_um,
        "mean": MEAN,
        "std": STD,
    }
    mean, std = (255 * torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    with torch.inference_mode():
        pixels = (torch.from_numpy(fields).permute(0, 3, 1, 2).float() - mean) / std
        probs = torch.softmax(network(pixels)[:, : len(CLASSES)], 1).numpy()
    save_file(
        {k: np.ascontiguousarray(v) for k, v in numbers.items()}, folder / "network.safetensors"
    )
    save_file({"fields": fields, "probs": probs}, folder / "answers.safetensors")
    (folder / "network.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def write_model(network: torch.nn.Module, kind: Kind, fields: np.ndarray, folder: Path) -> None:
    """Store the network as a LungScan model folder that refuses nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    features = network.get_classifier().in_features
    probe = torch.from_numpy(fields)
    deployed = deploy(network, len(CLASSES), 1.0, probe)
    write_network(deployed, kind.size_px, folder)
    with torch.inference_mode():
        np.savez_compressed(folder / "golden.npz", fields=fields, probs=deployed(probe)[0].numpy())
    write_novelty(folder / "novelty.safetensors", features, len(CLASSES), DIRECTIONS)
    (folder / "README.md").write_text(
        "# Random weights\n\nFor measuring speed.\n", encoding="utf-8"
    )
    write_card(card(kind), folder)


def card(kind: Kind) -> ModelCard:
    """What the model folder says of itself."""
    return replace(
        CARD,
        name=f"random-{kind.architecture}",
        summary="Random weights, for measuring speed.",
        architecture=kind.architecture,
        class_names=CLASSES,
        display_names=("Class 1", "Class 2", "Class 3"),
        patch_size_pixels=kind.size_px,
        spacing_um_px=kind.spacing_um,
        confidence_threshold=0.01,
        command="python benchmarks/peer_network.py",
        seed=SEED,
        intended_use="Measuring speed.",
        limits=("Knows nothing: its weights are random.",),
    )


def main() -> None:
    """Write all forms; kept when they are there."""
    parser = argparse.ArgumentParser(description="One network for all programs.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("architecture", help="as timm calls it")
    parser.add_argument("size_px", type=int)
    parser.add_argument("spacing_um", type=float)
    given = parser.parse_args()
    folder: Path = given.folder
    kind = Kind(given.architecture, given.size_px, given.spacing_um)
    model = folder / "lungscan"
    if not all((model / name).exists() for name in (*FILES, "card.json")):
        folder.mkdir(parents=True, exist_ok=True)
        fields = draw_tiles(FIELDS, kind.size_px, SEED + 1)
        network = make_network(kind)
        write_peers(network, kind, fields, folder)
        write_model(network, kind, fields, model)
    print(folder)


if __name__ == "__main__":
    main()
