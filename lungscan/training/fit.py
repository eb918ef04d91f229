"""Fitting one network, alone or under a teacher: a generator of epochs that resumes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from lungscan.training import checkpoint
from lungscan.training.augment import augment
from lungscan.training.drawn import draw_counter_example
from lungscan.training.events import EpochFinished
from lungscan.training.networks import normalise
from lungscan.training.options import Distil, Fit, Phase

VALIDATE_EVERY = 5  # epochs; and in each of the last five


@dataclass(frozen=True)
class Pictures:
    """Cached fields and labels on the training device. Labels of counter-examples come last."""

    pixels: Tensor  # (n, s, s, 3) uint8
    labels: Tensor  # (n,) int64

    @classmethod
    def of(cls, pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> Pictures:
        """Wrap arrays without copying them."""
        return cls(torch.from_numpy(pixels), torch.from_numpy(labels))


@dataclass(frozen=True)
class Job:
    """One stage of training: which network, on what, how, and where its checkpoint lies."""

    stage: str
    fit: Fit
    classes: int  # lung classes; one more output takes the counter-examples
    train: Pictures
    validation: Pictures
    drawn_examples: int
    stain_sigma: float
    seed: int
    path: Path
    fingerprint: str


@dataclass
class _State:
    """What a checkpoint holds."""

    network: nn.Module
    average: dict[str, Tensor]  # exponential moving average of weights and statistics
    optimiser: torch.optim.Optimizer
    epoch: int
    history: list[dict[str, float]]
    steps: int = 0  # taken before this one; the average forgets its untrained start with them


def fit(
    job: Job, network: nn.Module, teacher: nn.Module | None, distil: Distil
) -> Generator[EpochFinished, None, nn.Module]:
    """Train ``network``; returns it with its averaged weights, in evaluation mode.

    An epoch draws its crops, colours and order from ``(seed, epoch)`` alone, so a run that was
    killed and resumed sees what an undisturbed one would have seen.
    """
    state = _start(job, network)
    called = torch.compile(network) if job.fit.compile else network
    forward = cast(Callable[[Tensor], Tensor], called)
    while state.epoch < job.fit.epochs:
        started = time.perf_counter()
        loss, images = _epoch(job, state, forward, teacher, distil)
        state.epoch += 1
        seconds = time.perf_counter() - started
        accuracy = None
        if state.epoch % VALIDATE_EVERY == 0 or state.epoch > job.fit.epochs - VALIDATE_EVERY:
            accuracy = _validate(job, state)
        measured = -1.0 if accuracy is None else accuracy
        state.history.append({"epoch": state.epoch, "loss": loss, "validation": measured})
        _save(job, state)
        yield EpochFinished(
            job.stage, state.epoch, job.fit.epochs, loss, accuracy, images / seconds, seconds
        )
    network.load_state_dict(state.average)
    return network.eval()


def _start(job: Job, network: nn.Module) -> _State:
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": job.fit.weight_decay},
        {"params": plain},
    ]
    optimiser = torch.optim.AdamW(groups, lr=job.fit.learning_rate, weight_decay=0.0)
    network.to(memory_format=torch.channels_last)
    average = {k: v.detach().clone() for k, v in network.state_dict().items()}
    saved = checkpoint.load(job.path, job.fingerprint)
    if saved is None:
        return _State(network, average, optimiser, 0, [])
    network.load_state_dict(saved["network"])
    optimiser.load_state_dict(saved["optimiser"])
    return _State(network, saved["average"], optimiser, saved["epoch"], saved["history"])


def _save(job: Job, state: _State) -> None:
    values: dict[str, Any] = {
        "fingerprint": job.fingerprint,
        "network": state.network.state_dict(),
        "average": state.average,
        "optimiser": state.optimiser.state_dict(),
        "epoch": state.epoch,
        "history": state.history,
    }
    checkpoint.save(job.path, values)


def _phase(fit: Fit, epoch: int) -> Phase:
    for phase in fit.phases:
        if epoch < phase.epochs:
            return phase
        epoch -= phase.epochs
    return fit.phases[-1]


def _rate(fit: Fit, progress: float) -> float:
    """Learning rate after ``progress`` epochs: a linear start, then a cosine down to 1 %."""
    if progress < fit.warmup_epochs:
        return fit.learning_rate * (progress + 0.1) / (fit.warmup_epochs + 0.1)
    done = (progress - fit.warmup_epochs) / max(fit.epochs - fit.warmup_epochs, 1e-9)
    return fit.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * min(done, 1.0))) / 2)


def _with_drawn(job: Job, rng: np.random.Generator) -> Pictures:
    """The training pictures and this epoch's drawn counter-examples."""
    if job.drawn_examples == 0:
        return job.train
    side = job.train.pixels.shape[1]
    drawn = np.stack([draw_counter_example(rng, side) for _ in range(job.drawn_examples)])
    labels = torch.full((len(drawn),), job.classes)
    pixels = torch.cat([job.train.pixels, torch.from_numpy(drawn)])
    return Pictures(pixels, torch.cat([job.train.labels, labels]))


def _epoch(
    job: Job,
    state: _State,
    forward: Callable[[Tensor], Tensor],
    teacher: nn.Module | None,
    distil: Distil,
) -> tuple[float, int]:
    rng = np.random.default_rng((job.seed, state.epoch))
    generator = torch.Generator().manual_seed(job.seed * 100_003 + state.epoch)
    torch.manual_seed(job.seed * 100_003 + state.epoch)  # stochastic depth, dropout
    pictures = _with_drawn(job, rng)
    order = torch.from_numpy(rng.permutation(len(pictures.labels)))
    size = min(job.fit.batch_size, len(order))
    steps = len(order) // size  # full batches only: a compiled network keeps one shape
    phase = _phase(job.fit, state.epoch)
    state.network.train()
    total = 0.0
    for step in range(steps):
        rows = order[step * size : (step + 1) * size]
        fields = augment(
            pictures.pixels[rows], phase.crop_px, phase.span_px, job.stain_sigma, generator
        )
        targets = _smooth(pictures.labels[rows], job.classes + 1, job.fit.label_smoothing)
        fields, targets = _mix(fields, targets, job.fit.mixup, rng, generator)
        for group in state.optimiser.param_groups:
            group["lr"] = _rate(job.fit, state.epoch + step / steps)
        state.steps = state.epoch * steps + step
        total += _step(job.fit, state, forward, normalise(fields), targets, teacher, distil)
    return total / steps, steps * size


def _smooth(labels: Tensor, outputs: int, smoothing: float) -> Tensor:
    return F.one_hot(labels, outputs).float() * (1 - smoothing) + smoothing / outputs


def _mix(
    fields: Tensor,
    targets: Tensor,
    strength: float,
    rng: np.random.Generator,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Mixup (Zhang et al. 2018) of every second batch; the others stay as they are."""
    if strength <= 0 or rng.random() < 0.5:
        return fields, targets
    share = float(rng.beta(strength, strength))
    other = torch.randperm(len(fields), generator=generator)
    return (
        fields * share + fields[other] * (1 - share),
        targets * share + targets[other] * (1 - share),
    )


def _step(
    fit: Fit,
    state: _State,
    forward: Callable[[Tensor], Tensor],
    fields: Tensor,
    targets: Tensor,
    teacher: nn.Module | None,
    distil: Distil,
) -> float:
    with torch.autocast("cpu", torch.bfloat16, enabled=fit.bf16):
        logits = forward(fields)
    loss = F.cross_entropy(logits.float(), targets)
    if teacher is not None:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            soft = teacher(fields).float()
        loss = (1 - distil.soft_share) * loss + distil.soft_share * soft_loss(
            logits.float(), soft.clone(), distil.temperature
        )
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(state.network.parameters(), 5.0)
    state.optimiser.step()
    state.optimiser.zero_grad(set_to_none=True)
    _average(state, min(fit.ema_decay, (1 + state.steps) / (10 + state.steps)))
    return float(loss.detach())


def soft_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Divergence of softened outputs times T², so that its gradients keep their size (Hinton)."""
    return (
        F.kl_div(
            F.log_softmax(student / temperature, 1),
            F.log_softmax(teacher / temperature, 1),
            log_target=True,
            reduction="batchmean",
        )
        * temperature**2
    )


@torch.no_grad()
def _average(state: _State, decay: float) -> None:
    for key, value in state.network.state_dict().items():
        kept = state.average[key]
        if kept.is_floating_point():
            kept.lerp_(value, 1 - decay)
        else:
            kept.copy_(value)


def _validate(job: Job, state: _State) -> float:
    """Accuracy of the averaged weights over the validation fields, lung classes only."""
    own = {k: v.detach().clone() for k, v in state.network.state_dict().items()}
    state.network.load_state_dict(state.average)
    logits = predict(state.network, job.validation.pixels)
    state.network.load_state_dict(own)
    known = job.validation.labels < job.classes
    best = logits[known, : job.classes].argmax(1)
    return float((best == job.validation.labels[known]).float().mean())


@torch.inference_mode()
def predict(network: nn.Module, pixels: Tensor, *, bf16: bool = True) -> Tensor:
    """Outputs ``(n, classes + 1)`` for whole fields ``(n, s, s, 3)`` uint8, not augmented."""
    network.eval()
    parts = []
    for rows in torch.split(pixels, 32):
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            parts.append(network(normalise(rows.permute(0, 3, 1, 2).float())).float())
    return torch.cat(parts).clone()
