"""Fitting one network, alone or under a teacher: a generator of epochs that resumes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lungscan.training import checkpoint
from lungscan.training.augment import augment
from lungscan.training.distributed import Ranks
from lungscan.training.drawn import draw_counter_examples
from lungscan.training.events import EpochFinished
from lungscan.training.losses import UNLABELLED, Average, Loss, class_weights, mix, smooth
from lungscan.training.networks import freeze, normalise
from lungscan.training.options import Augment, Fit, Phase
from lungscan.training.teacher import Teacher

VALIDATE_EVERY = 5  # epochs; and in each of the last five


@dataclass(frozen=True)
class Pictures:
    """Cached squares and labels on the training device. The last label is the counter-examples'."""

    pixels: Tensor  # (n, s, s, 3) uint8
    labels: Tensor  # (n,) int64; UNLABELLED where nobody said
    counts: NDArray[np.int64]  # squares of each picture, one picture after another
    # Which of several sources the first pictures are of; those after them are of none. None: one.
    sources: NDArray[np.int64] | None = None

    @classmethod
    def of(
        cls, pixels: NDArray[np.uint8], labels: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> Pictures:
        """Wrap arrays without copying them."""
        return cls(torch.from_numpy(pixels), torch.from_numpy(labels), counts)

    def of_sources(self, sources: NDArray[np.int64]) -> Pictures:
        """The same, with the source of each of the first pictures: an epoch shows all alike."""
        return replace(self, sources=sources)

    @property
    def times(self) -> NDArray[np.float64]:
        """How often an epoch shows each picture beside the others: all sources alike."""
        each = np.ones(len(self.counts))
        if self.sources is not None:
            sizes = np.bincount(self.sources)
            each[: len(self.sources)] = (sizes.max() / sizes)[self.sources]
        return each

    def class_weights(self, classes: int, balance: float) -> Tensor:
        """How much a picture of each class weighs, however many squares pictures have."""
        labels = self.labels.cpu().numpy()[np.cumsum(self.counts) - self.counts]
        known = (labels != UNLABELLED) & (labels < classes)
        return class_weights(labels[known], classes, balance, self.times[known])

    def labelled(self) -> Pictures:
        """Those with a label."""
        known = self.labels != UNLABELLED
        starts = np.cumsum(self.counts) - self.counts
        kept = known.cpu().numpy()[starts] if len(starts) else np.zeros(0, np.bool_)
        return Pictures(self.pixels[known], self.labels[known], self.counts[kept])

    def on(self, device: torch.device) -> Pictures:
        """The same pictures in the memory of ``device``: uint8, so that tens of thousands fit."""
        return replace(self, pixels=self.pixels.to(device), labels=self.labels.to(device))


@dataclass(frozen=True)
class Job:
    """One stage of training: which network, on what, how, and where its checkpoint lies."""

    stage: str
    fit: Fit
    class_names: tuple[str, ...]  # lung classes; one more output takes the counter-examples
    train: Pictures
    validation: Pictures
    drawn_examples: int
    augment: Augment
    seed: int
    path: Path
    fingerprint: str
    architecture: str = ""  # timm's name of the network, for whoever takes it as a teacher
    teachers_sha256: tuple[str, ...] = ()  # of the checkpoints of other runs that it learns from

    @property
    def classes(self) -> int:
        """Number of lung classes."""
        return len(self.class_names)


@dataclass
class _State:
    """What a checkpoint holds, and the network as a step calls it."""

    network: nn.Module
    frozen: tuple[nn.Module, ...]  # keep their weights and their statistics
    average: Average
    optimiser: torch.optim.Optimizer
    epoch: int
    history: list[dict[str, float]]


def fit(
    job: Job, network: nn.Module, teacher: Teacher | None, loss_of: Loss, ranks: Ranks
) -> Generator[EpochFinished, None, nn.Module]:
    """Train ``network``; returns it with its averaged weights, in evaluation mode.

    An epoch draws its crops, colours and order from ``(seed, epoch)`` alone, so a run that was
    killed and resumed sees what an undisturbed one would have seen.
    """
    state = _start(job, network.to(ranks.device))
    wrapped = ranks.wrap(network) if state.epoch < job.fit.epochs else network
    called = torch.compile(wrapped) if job.fit.compile else wrapped
    forward = cast(Callable[[Tensor], Tensor], called)
    pictures, validation = job.train.on(ranks.device), job.validation.on(ranks.device)
    while state.epoch < job.fit.epochs:
        started = time.perf_counter()
        seen = _with_drawn(job, pictures, state.epoch)
        loss, images = _epoch(job, seen, state, forward, teacher, loss_of, ranks)
        state.epoch += 1
        seconds = time.perf_counter() - started
        accuracy = None
        due = state.epoch % VALIDATE_EVERY == 0 or state.epoch > job.fit.epochs - VALIDATE_EVERY
        if due and len(validation.labels):
            accuracy = _validate(job, state, validation)
        measured = -1.0 if accuracy is None else accuracy
        state.history.append({"epoch": state.epoch, "loss": loss, "validation": measured})
        if ranks.first:
            _save(job, state)
        ranks.wait()
        yield EpochFinished(
            job.stage, state.epoch, job.fit.epochs, loss, accuracy, images / seconds, seconds
        )
    network.load_state_dict(state.average.values)
    return network.eval()


def _start(job: Job, network: nn.Module) -> _State:
    frozen = freeze(network, job.fit.frozen_stages)
    fitted = [p for p in network.parameters() if p.requires_grad]
    decayed = [p for p in fitted if p.ndim > 1]
    plain = [p for p in fitted if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": job.fit.weight_decay},
        {"params": plain},
    ]
    optimiser = torch.optim.AdamW(groups, lr=job.fit.learning_rate, weight_decay=0.0)
    network.to(memory_format=torch.channels_last)
    average = Average(network, job.fit.ema_decay)
    saved = checkpoint.load(job.path, job.fingerprint)
    if saved is None:
        return _State(network, frozen, average, optimiser, 0, [])
    network.load_state_dict(saved["network"])
    optimiser.load_state_dict(saved["optimiser"])
    for name, value in average.values.items():
        value.copy_(saved["average"][name])
    return _State(network, frozen, average, optimiser, saved["epoch"], saved["history"])


def _save(job: Job, state: _State) -> None:
    values: dict[str, Any] = {
        "fingerprint": job.fingerprint,
        "class_names": list(job.class_names),
        "architecture": job.architecture,
        "teachers_sha256": list(job.teachers_sha256),
        "network": state.network.state_dict(),
        "average": state.average.values,
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


def _with_drawn(job: Job, pictures: Pictures, epoch: int) -> Pictures:
    """The training pictures and this epoch's drawn counter-examples."""
    if job.drawn_examples == 0:
        return pictures
    rng = np.random.default_rng((job.seed, epoch, 1))
    side, device = pictures.pixels.shape[1], pictures.pixels.device
    drawn = draw_counter_examples(rng, job.drawn_examples, side)
    labels = torch.full((len(drawn),), job.classes, device=device)
    pixels = torch.cat([pictures.pixels, torch.from_numpy(drawn).to(device)])
    return replace(pictures, pixels=pixels, labels=torch.cat([pictures.labels, labels]))


def squares_of_epoch(
    counts: NDArray[np.int64],
    rng: np.random.Generator,
    sources: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Which squares an epoch shows, so that each picture counts once, however large it is.

    Every picture is shown the same number of times: the mean number of squares, rounded up. One
    with more squares shows others in each epoch, one with fewer shows some again (turned and
    coloured otherwise). Where all have the same number, each square is shown once.

    Of several sources each is shown as often as the largest: a picture of a smaller one counts
    several times, and which of them once more than the others is drawn anew for each epoch.

    Args:
        counts: squares of each picture, one picture after another.
        rng: draws the squares; not used where all pictures have the same number.
        sources: which source each of the first pictures is of; None: there is one.
    """
    alike = len(counts) == 0 or counts.min() == counts.max()
    if alike and sources is None:
        return np.arange(counts.sum())
    shown = _shown(len(counts), rng, sources) * math.ceil(counts.mean())
    ends = np.cumsum(counts)
    chosen = [
        np.resize(rng.permutation(np.arange(end - count, end)), times)
        for count, end, times in zip(counts, ends, shown, strict=True)
    ]
    return np.concatenate(chosen)


def _shown(
    pictures: int, rng: np.random.Generator, sources: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """How often an epoch shows each picture, so that all sources are shown alike."""
    times = np.ones(pictures, np.int64)
    if sources is None:
        return times
    most = np.bincount(sources).max()
    for source in np.unique(sources):
        rows = np.flatnonzero(sources == source)
        times[rows] = most // len(rows)
        times[rng.permutation(rows)[: most % len(rows)]] += 1
    return times


def _epoch(
    job: Job,
    pictures: Pictures,
    state: _State,
    forward: Callable[[Tensor], Tensor],
    teacher: Teacher | None,
    loss_of: Loss,
    ranks: Ranks,
) -> tuple[float, int]:
    """One pass over the pictures; returns the mean loss and the number of pictures seen."""
    rng = np.random.default_rng((job.seed, state.epoch))
    own_seed = (job.seed * 100_003 + state.epoch) * 1_009 + ranks.rank
    generator = torch.Generator().manual_seed(own_seed)
    torch.manual_seed(own_seed)  # stochastic depth, dropout
    choosing = np.random.default_rng((job.seed, state.epoch, 2))
    shown = squares_of_epoch(pictures.counts, choosing, pictures.sources)
    drawn = np.arange(pictures.counts.sum(), len(pictures.labels))
    order = torch.from_numpy(rng.permutation(np.concatenate([shown, drawn])))
    size = min(job.fit.batch_size, len(order))
    steps = len(order) // size  # full batches only: a compiled network keeps one shape
    phase, device = _phase(job.fit, state.epoch), ranks.device
    state.network.train()
    for module in state.frozen:
        module.eval()
    total = torch.zeros((), device=device)
    for step in range(steps):
        rows = ranks.share(order[step * size : (step + 1) * size]).to(device)
        fields = augment(
            pictures.pixels[rows], phase.crop_px, phase.span_px, job.augment, generator
        )
        targets = smooth(pictures.labels[rows], job.classes + 1, job.fit.label_smoothing)
        fields, targets = mix(fields, targets, job.fit.mixup, rng, generator)
        for group in state.optimiser.param_groups:
            group["lr"] = _rate(job.fit, state.epoch + step / steps)
        total += _step(job.fit, state, forward, normalise(fields), targets, teacher, loss_of)
        state.average.follow(state.network, state.epoch * steps + step)
    return ranks.mean(float(total) / steps), steps * size


def _step(
    fit: Fit,
    state: _State,
    forward: Callable[[Tensor], Tensor],
    fields: Tensor,
    targets: Tensor,
    teacher: Teacher | None,
    loss_of: Loss,
) -> Tensor:
    soft = None if teacher is None else teacher(fields)
    with torch.autocast(fields.device.type, torch.bfloat16, enabled=fit.bf16):
        logits = forward(fields)
    loss = loss_of(logits.float(), targets, soft)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(state.network.parameters(), 5.0)
    state.optimiser.step()
    state.optimiser.zero_grad(set_to_none=True)
    return loss.detach()


def _validate(job: Job, state: _State, validation: Pictures) -> float:
    """Accuracy of the averaged weights over the validation pictures, lung classes only.

    Of a picture with several squares the share of right ones counts.
    """
    own = {k: v.detach().clone() for k, v in state.network.state_dict().items()}
    state.network.load_state_dict(state.average.values)
    logits = predict(state.network, validation.pixels)
    state.network.load_state_dict(own)
    right = logits[:, : job.classes].argmax(1) == validation.labels
    weight = np.repeat(1 / validation.counts, validation.counts) / len(validation.counts)
    return float(right.cpu().numpy() @ weight)


@torch.inference_mode()
def predict(network: nn.Module, pixels: Tensor, *, bf16: bool = True) -> Tensor:
    """Outputs ``(n, classes + 1)`` for whole fields ``(n, s, s, 3)`` uint8, not augmented."""
    network.eval()
    parts = []
    for rows in torch.split(pixels, 32):
        with torch.autocast(rows.device.type, torch.bfloat16, enabled=bf16):
            parts.append(network(normalise(rows.permute(0, 3, 1, 2).float())).float())
    return torch.cat(parts).clone()
