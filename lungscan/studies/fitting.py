"""Fit one network of a study: a generator of steps, so that several can take turns."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lungscan.runtimes.deploy import MEAN, STD
from lungscan.studies.arrays import TRAIN, Material
from lungscan.studies.changes import changed
from lungscan.studies.options import StudyOptions
from lungscan.studies.stepping import Average, Stepper
from lungscan.studies.students import create
from lungscan.studies.tasks import Task
from lungscan.training.losses import class_weights


@dataclass(frozen=True)
class OnDevice:
    """A study's pictures in the memory of the device that trains."""

    pixels: Tensor  # (n, s, s, 3) uint8
    others: Tensor  # (m, s, s, 3) uint8
    labels: Tensor  # (n,)
    mean: Tensor  # (1, 3, 1, 1) of what the networks expect, 0 to 255
    std: Tensor

    @classmethod
    def of(cls, material: Material, device: torch.device) -> OnDevice:
        """Copy the pictures there."""
        pixels, others = torch.from_numpy(material.pixels), torch.from_numpy(material.others)
        labels = torch.from_numpy(material.labels)
        mean, std = ((torch.tensor(v) * 255).view(1, 3, 1, 1).to(device) for v in (MEAN, STD))
        return cls(pixels.to(device), others.to(device), labels.to(device), mean, std)

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.pixels.device

    def normal(self, fields: Tensor) -> Tensor:
        """``(b, 3, s, s)``, 0 to 255, as the networks take it; nothing is copied to the device."""
        normal = (fields - self.mean) / self.std
        return normal.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Fitted:
    """A network with its averaged weights, in evaluation mode, and what it says of all pictures."""

    network: nn.Module
    logits: NDArray[np.float32]  # (n, classes + 1)
    losses: tuple[float, ...]  # the mean of each epoch


def fit(
    task: Task,
    options: StudyOptions,
    material: Material,
    pictures: OnDevice,
    teacher: nn.Module | None,
    *,
    graphs: bool = True,
) -> Generator[int, None, Fitted]:
    """Fit the network of a task; yields the number of finished epochs after each step."""
    device, seed = pictures.device, _seed(task)
    torch.manual_seed(seed)
    classes = len(material.class_names)
    network = create(task.network, classes + 1, pretrained=options.pretrained)
    network = network.to(device).to(memory_format=torch.channels_last).train()
    stepper = Stepper(network, teacher, options, task.learning_rate, graphs=graphs)
    average = Average(network, options.ema_decay)
    rows = material.rows(task.unit.name, TRAIN)
    weights = class_weights(material.labels[rows], classes, options.balance).to(device)
    draws = _Draws(options, task.epochs, rows, len(material.others), seed, device)
    steps = draws.steps
    losses = []
    smoothed = _smooth(classes + 1, options.label_smoothing).to(device)
    generator = torch.Generator(device).manual_seed(seed)
    for epoch in range(task.epochs):
        total = torch.zeros((), device=device)
        for step, (own, foreign, share) in enumerate(draws.epoch(epoch)):
            pixels = torch.cat([pictures.pixels[own], pictures.others[foreign]])
            labels = torch.cat([pictures.labels[own], torch.full_like(foreign, classes)])
            fields = pictures.normal(changed(pixels, options.changes, generator))
            targets = smoothed[labels]
            weighed = weights[labels]
            if share < 1:
                other = torch.randperm(len(labels), device=device, generator=generator)
                fields = fields * share + fields[other] * (1 - share)
                targets = targets * share + targets[other] * (1 - share)
                weighed = weighed * share + weighed[other] * (1 - share)
            stepper.rate(rate_at(options, task, epoch + step / steps))
            total += stepper(fields, targets, weighed)
            average.follow()
            yield epoch
        losses.append(total / steps)
    network.load_state_dict(average.values(), strict=False)
    network.eval()
    logits = predict(network, pictures)
    return Fitted(network, logits, tuple(float(each) for each in losses))


def rate_at(options: StudyOptions, task: Task, progress: float) -> float:
    """Learning rate after ``progress`` epochs: a linear start, then a cosine down to 1 %."""
    warm = min(options.warmup_epochs, task.epochs / 2)
    if progress < warm:
        return task.learning_rate * (progress + 0.1) / (warm + 0.1)
    done = (progress - warm) / max(task.epochs - warm, 1e-9)
    return task.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * min(done, 1.0))) / 2)


@torch.inference_mode()
def predict(network: nn.Module, pictures: OnDevice) -> NDArray[np.float32]:
    """Outputs ``(n, classes + 1)`` in fp32 for all pictures, unchanged."""
    parts = [
        network(pictures.normal(rows.permute(0, 3, 1, 2).float())).float()
        for rows in torch.split(pictures.pixels, 64)
    ]
    found: NDArray[np.float32] = torch.cat(parts).cpu().numpy()
    return found


class _Draws:
    """Which pictures each step shows, and how they are mixed; drawn ahead and copied once."""

    def __init__(
        self,
        options: StudyOptions,
        epochs: int,
        rows: NDArray[np.int64],
        others: int,
        seed: int,
        device: torch.device,
    ) -> None:
        rng = np.random.default_rng(seed)
        foreign = round(options.counter_share * options.batch_size) if others else 0
        size = min(options.batch_size - foreign, len(rows))
        self.steps = len(rows) // size
        shown = [rng.permutation(rows)[: self.steps * size] for _ in range(epochs)]
        self._own = torch.from_numpy(np.stack(shown).reshape(epochs, self.steps, size)).to(device)
        drawn = rng.integers(0, max(others, 1), (epochs, self.steps, foreign))
        self._foreign = torch.from_numpy(drawn).to(device)
        self._shares = np.ones((epochs, self.steps))
        if options.mixup > 0:  # every second step, by chance (Zhang et al. 2018)
            shares = rng.beta(options.mixup, options.mixup, self._shares.shape)
            self._shares = np.where(rng.random(shares.shape) < 0.5, shares, 1.0)

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor, float]]:
        """Rows of the pictures, rows of the counter-examples, share of the mix (1: none)."""
        for step in range(self.steps):
            share = float(self._shares[number, step])
            yield self._own[number, step], self._foreign[number, step], share


def _smooth(outputs: int, smoothing: float) -> Tensor:
    """The targets of each label ``(outputs, outputs)``: a little is kept for every output."""
    return torch.eye(outputs) * (1 - smoothing) + smoothing / outputs


def _seed(task: Task) -> int:
    """One of its own for each seed and fold; alone and distilled begin from the same weights."""
    return task.unit.seed * 1009 + task.unit.fold * 101
