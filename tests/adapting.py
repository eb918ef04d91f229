"""A drawn laboratory's model, and fields of another one's stain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from lungscan.model.card import ModelCard
from lungscan.model.checked import read_card
from tests.training_data import SIDE


def train_lab(lab: Path, out: Path) -> ModelCard:
    """Train a model on the data in ``lab`` that can be adapted. Needs torch and timm."""
    from lungscan.training.options import Fit, Phase, TrainOptions
    from lungscan.training.train import train

    fit = Fit((Phase(8, 48, (48, 64)),), 8, 5e-3, ema_decay=0.8, mixup=0.0, warmup_epochs=1.0)
    options = TrainOptions(
        name="lab",
        teacher="",
        student="test_efficientnet",
        drawn_examples=8,
        field_px=SIDE,
        spacing_um_px=2.0,
        device="cpu",
        threads=1,
        student_fit=fit,
    )
    for _ in train(options, lab, out):
        pass
    return read_card(out)


def restain(source: Path, out: Path, *, keep_labels: bool, count: int = 12) -> Path:
    """Other fields in another stain: darker, bluer, from 1 of the class on."""
    for folder in sorted(path for path in source.iterdir() if path.is_dir()):
        for number, path in enumerate(sorted(folder.iterdir())[:count]):
            rgb = np.asarray(Image.open(path)).astype(float)
            rgb = np.clip(rgb * [0.55, 0.75, 0.9] + [0, 0, 20], 0, 255).astype(np.uint8)
            home = out / (folder.name if keep_labels else "fields")
            home.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rgb).save(home / f"{folder.name}-{number:02}.png")
    return out
