"""What share of a training step goes into cutting and augmenting pictures (see ``gpu.py``)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import timm
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from lungscan.training import fit as fitting
from lungscan.training.augment import augment
from lungscan.training.distributed import Ranks
from lungscan.training.fit import Job, Pictures, fit
from lungscan.training.options import Augment, Fit, Phase

CLASSES = ("one", "two", "three")
NETWORKS = ("ghostnet_100", "edgenext_small")
EPOCHS = 4  # one to warm up, then one each: as it is, with a clock in it, with one batch for all


def training(device: str, folder: Path, *, small: bool) -> dict[str, Any]:
    """For each network: pictures per second, and the share of loading, measured twice.

    Once as the seconds that augmentation takes when the device has nothing else to do, once as the
    seconds that are saved when every step sees the batch of the first.
    """
    changes = Augment(stain_sigma=0.2, blur_share=0.2, jpeg_share=0.3)
    where, found = torch.device(device), {}
    for name in NETWORKS[: 1 if small else None]:
        network = timm.create_model(name, pretrained=False, num_classes=len(CLASSES) + 1)
        clock, job = _Clock(where), _job(folder / f"{name}.pt", changes, small=small)
        epochs = fit(job, network, None, _loss, Ranks(where))
        seconds = []
        for way in (augment, augment, clock.timed, clock.kept):
            with patch.object(fitting, "augment", way):
                seconds.append(next(epochs).seconds)
        pictures = len(job.train.labels) + job.drawn_examples
        found[name] = {
            "pictures per second": round(pictures / seconds[1]),
            "share by the clock": round(clock.seconds / seconds[2], 4),
            "share by what is saved": round(1 - seconds[3] / seconds[1], 4),
            "epochs in seconds": [round(value, 3) for value in seconds],
        }
    return found


class _Clock:
    """Augmentation with the time that it takes, or without any."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._batch: Tensor | None = None
        self.seconds = 0.0

    def timed(self, *given: Any) -> Tensor:
        self._wait()
        begun = time.perf_counter()
        self._batch = augment(*given)
        self._wait()
        self.seconds += time.perf_counter() - begun
        return self._batch

    def kept(self, *_: Any) -> Tensor:
        assert self._batch is not None  # noqa: S101 - the epoch before this one made it
        return self._batch

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize()


def _loss(logits: Tensor, targets: Tensor, _: Tensor | None) -> Tensor:
    return cross_entropy(logits, targets)


def _job(path: Path, changes: Augment, *, small: bool) -> Job:
    rng, count = np.random.default_rng(0), 64 if small else 4096
    pixels = rng.integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)
    labels = rng.integers(0, len(CLASSES), count)
    none = Pictures.of(pixels[:0], labels[:0], np.zeros(0, np.int64))
    how = Fit((Phase(EPOCHS, 160, (130, 224)),), 16 if small else 128, 1e-3, bf16=not small)
    shown = Pictures.of(pixels, labels, np.ones(count, np.int64))
    drawn = 0 if small else 64
    return Job("student", how, CLASSES, shown, none, drawn, changes, 0, path, "benchmark")
