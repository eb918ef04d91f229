"""A last layer by logistic regression, on a network that stays as it is.

A few hundred groups of pictures teach a network's many layers mostly themselves; the features of a
million photographs with one convex layer on top know less of them and more of the next patient.
Every square is shown as it is and in some views, changed as in training; the penalty is the one of
several that does best on training groups left out in turn.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lungscan.dataset.mixed_groups import to_folds, turns
from lungscan.errors import UsageProblem
from lungscan.training import checkpoint
from lungscan.training.augment import augment
from lungscan.training.data import Material, joined
from lungscan.training.distributed import Ranks
from lungscan.training.drawn import draw_counter_examples
from lungscan.training.events import EpochFinished
from lungscan.training.fit import Pictures
from lungscan.training.logistic import Examples, Layer, fit_logistic, try_penalty
from lungscan.training.networks import normalise
from lungscan.training.options import Augment, Head
from lungscan.training.teacher import Teacher

BATCH = 32
ALWAYS = -1  # the inner fold of what is learnt from in every fit


@dataclass(frozen=True)
class HeadJob:
    """One last layer: for which classes, on what, how, and where its checkpoint lies."""

    head: Head
    class_names: tuple[str, ...]  # one more output takes the counter-examples
    seen: Pictures  # as the network sees them when it classifies
    cached: Pictures  # the same pictures, that views are cut from
    folds: NDArray[np.int64]  # the inner fold of each square, or ALWAYS
    crop_px: int  # side of the network's input
    drawn_examples: int
    augment: Augment
    seed: int
    path: Path
    fingerprint: str
    architecture: str

    @property
    def classes(self) -> int:
        """Number of classes proper."""
        return len(self.class_names)


def inner_folds(material: Material, count: int, seed: int) -> NDArray[np.int64]:
    """The fold of each training square, dealt by group; ALWAYS for counter-examples.

    No more folds than a class has groups.

    Raises:
        UsageProblem: a class has one group alone.
    """
    rows = material.split.train
    samples, rng = material.samples.take(rows), np.random.default_rng(seed)
    every = list(turns(samples, rng, 2))
    count = min(count, *(len(turn.groups) for turn in every))
    if count < 2:
        raise UsageProblem(
            "A class has a single group to train on, so no group can be left out to choose a "
            "penalty by. Add pictures of other patients, or leave head_fit out of the recipe."
        )
    home: dict[str, int] = {}
    for turn in every:
        home |= to_folds(turn, home, count)
    folds = np.array([1 + home[group] for group in samples.groups], np.int64)
    more = sum(int(f.squares.counts[f.split.train].sum()) for f in material.foreign)
    return np.concatenate(
        [np.repeat(folds, material.squares.counts[rows]), np.full(more, ALWAYS, np.int64)]
    )


def fit_head(
    job: HeadJob, network: nn.Module, ranks: Ranks
) -> Generator[EpochFinished, None, nn.Module]:
    """Give ``network`` its last layer; returns it in evaluation mode, on the CPU.

    An event tells of each penalty that was tried. Features are kept beside the checkpoint until the
    layer stands, so a run that was stopped goes on with the next penalty.
    """
    network = network.eval().to(ranks.device)
    saved = checkpoint.load(job.path, job.fingerprint)
    history: list[dict[str, float]] = [] if saved is None else saved["history"]
    temperatures: list[float] = [] if saved is None else saved["temperatures"]
    examples, folds, plain = _examples(job, network, ranks)
    outputs, penalties = job.classes + 1, job.head.penalties
    for number, penalty in enumerate(penalties[len(history) :], start=len(history) + 1):
        started = time.perf_counter()
        tried = try_penalty(penalty, examples, folds, plain, outputs, job.classes)
        seconds = time.perf_counter() - started
        history.append({"epoch": number, "loss": tried.loss, "validation": tried.accuracy})
        temperatures.append(tried.temperature)
        if ranks.first:  # one epoch less: the stage ends with the layer, not with the last penalty
            _save(job, {"epoch": number - 1, "history": history, "temperatures": temperatures})
        yield EpochFinished(
            "head",
            number,
            len(penalties),
            tried.loss,
            tried.accuracy,
            len(folds) / seconds,
            seconds,
        )
    best = min(range(len(penalties)), key=lambda row: history[row]["loss"])
    layer = fit_logistic(examples, outputs, penalties[best])
    set_layer(network, layer.at(temperatures[best]))
    network = network.to("cpu")
    if ranks.first:
        values = network.state_dict()
        state = {"network": values, "average": values, "penalty": penalties[best]}
        facts = {"epoch": len(penalties), "history": history, "temperatures": temperatures}
        _save(job, {**facts, **state})
        _features_path(job).unlink(missing_ok=True)
    ranks.wait()
    return network


@torch.no_grad()
def set_layer(network: nn.Module, layer: Layer) -> None:
    """Put a layer in the place of the network's last one."""
    own: Any = network.get_classifier()  # type: ignore[operator]  # every timm network has it
    own.weight.copy_(layer.weight)
    own.bias.copy_(layer.bias)


class Pooled(nn.Module):
    """What a network's last layer gets ``(b, d)`` of normalised fields ``(b, 3, h, w)``."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, fields: Tensor) -> Tensor:
        """Features, fp32."""
        maps = self.network.forward_features(fields)  # type: ignore[operator]
        found: Tensor = self.network.forward_head(maps, pre_logits=True)  # type: ignore[operator]
        return found


def _examples(job: HeadJob, network: nn.Module, ranks: Ranks) -> tuple[Examples, Tensor, Tensor]:
    """All views of all squares, the inner fold of each, and which of them judge: plain ones."""
    shown = [_with_drawn(job, view) for view in range(1 + job.head.views)]
    labels = torch.cat([picture.labels for picture in shown])
    more = len(shown[0].labels) - len(job.folds)  # the drawn ones
    own = torch.cat([torch.from_numpy(job.folds), torch.full((more,), ALWAYS)])
    of_class = job.seen.class_weights(job.classes, job.head.balance).double()
    weights = torch.cat([_weights(picture) for picture in shown]) * of_class[labels]
    plain = torch.arange(len(labels)) < len(own)
    features = _features(job, network, shown, ranks).double()
    return Examples(features, labels, weights), own.repeat(len(shown)), plain


def _with_drawn(job: HeadJob, view: int) -> Pictures:
    """The pictures of a view, the first as they are classified, and drawn counter-examples."""
    pictures = job.cached if view else job.seen
    if not job.drawn_examples:
        return pictures
    rng = np.random.default_rng((job.seed, view, 1))
    drawn = draw_counter_examples(rng, job.drawn_examples, pictures.pixels.shape[1])
    return joined(
        pictures,
        Pictures.of(
            drawn, np.full(len(drawn), job.classes, np.int64), np.ones(len(drawn), np.int64)
        ),
    )


def _weights(pictures: Pictures) -> Tensor:
    """Weight of each square ``(n,)``: pictures count alike, and so do sources."""
    return torch.from_numpy(np.repeat(pictures.times / pictures.counts, pictures.counts))


def _features(job: HeadJob, network: nn.Module, shown: list[Pictures], ranks: Ranks) -> Tensor:
    """Features of all views ``(n, d)``: computed once, then kept until the layer stands."""
    path = _features_path(job)
    kept = checkpoint.load(path, job.fingerprint)
    if kept is not None:
        found: Tensor = kept["features"]
        return found
    generator = torch.Generator().manual_seed(job.seed)
    read, parts = Teacher(Pooled(network), ranks.device, exact=True), []
    for view, pictures in enumerate(shown):
        for rows in torch.split(pictures.pixels, BATCH):
            pixels = rows.to(ranks.device)
            fields = (
                augment(pixels, job.crop_px, job.head.span_px, job.augment, generator)
                if view
                else pixels.permute(0, 3, 1, 2).float()
            )
            missing = fields[:1].expand(BATCH - len(fields), -1, -1, -1)  # one shape for all
            found = read(normalise(torch.cat([fields, missing])))
            parts.append(found[: len(fields)].cpu())
    features = torch.cat(parts)
    if ranks.first:
        checkpoint.save(path, {"fingerprint": job.fingerprint, "features": features})
    return features


def _features_path(job: HeadJob) -> Path:
    return job.path.with_name("head-features.pt")


def _save(job: HeadJob, state: dict[str, Any]) -> None:
    facts = {
        "fingerprint": job.fingerprint,
        "class_names": list(job.class_names),
        "architecture": job.architecture,
    }
    checkpoint.save(job.path, {**facts, **state})
