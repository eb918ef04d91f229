"""One step of learning: targets, mixing, losses, and the running average of the weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from lungscan.training.options import Distil

UNLABELLED = -1  # the label of a picture without one

# Outputs (b, outputs) fp32, targets (b, classes + 1), and what a teacher says of the same views.
Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def smooth(labels: Tensor, outputs: int, smoothing: float) -> Tensor:
    """Labels ``(b,)`` as targets ``(b, outputs)`` that keep a little for every output.

    The targets of an unlabelled picture are all zero, so that cross-entropy asks nothing of it.
    """
    hard = F.one_hot(labels.clamp_min(0), outputs).float()
    return (hard * (1 - smoothing) + smoothing / outputs) * (labels != UNLABELLED)[:, None]


def mix(
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
    other = torch.randperm(len(fields), generator=generator).to(fields.device)
    return (
        fields * share + fields[other] * (1 - share),
        targets * share + targets[other] * (1 - share),
    )


def class_weights(
    labels: NDArray[np.int64],
    classes: int,
    balance: float,
    times: NDArray[np.float64] | None = None,
) -> Tensor:
    """Weight of a picture by its class ``(classes + 1,)``, 1 on average; counter-examples weigh 1.

    A class of n pictures weighs n ** -balance: at 1 all classes count alike, at 0 all pictures do.

    Args:
        labels: of each picture.
        classes: how many there are.
        balance: the exponent.
        times: how often an epoch shows each picture; None: all alike.
    """
    counts = np.bincount(labels, times, classes).clip(min=1)
    raw = counts.astype(np.float64) ** -balance
    mean = (raw * counts).sum() / counts.sum()
    return torch.tensor([*(raw / mean), 1.0], dtype=torch.float32)


def loss_of(
    logits: Tensor,
    targets: Tensor,
    soft: Tensor | None,
    distil: Distil,
    weights: Tensor | None = None,
) -> Tensor:
    """Cross-entropy with the targets, shared with the teacher's answers where there are any.

    Args:
        logits: the learner's outputs ``(b, outputs)``.
        soft: the teacher's outputs for the same augmented views, or None.
        weights: of each class ``(outputs,)``; None: all weigh the same.
    """
    hard = F.cross_entropy(logits, targets, None if weights is None else weights.to(logits.device))
    if soft is None:
        return hard
    likeness = soft_loss(logits, soft, distil.temperature)
    return (1 - distil.soft_share) * hard + distil.soft_share * likeness


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


class Average:
    """An exponential moving average of a network's weights and statistics.

    It warms up, so that the untrained start is soon forgotten; what does not change is not touched.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.values = {k: v.detach().clone() for k, v in network.state_dict().items()}
        self._decay = decay

    @torch.no_grad()
    def follow(self, network: nn.Module, steps: int) -> None:
        """Take in the weights after one more step; ``steps`` were taken before it."""
        decay = min(self._decay, (1 + steps) / (10 + steps))
        kept, fresh = [], []
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                kept.append(self.values[key])
                fresh.append(value)
            else:
                self.values[key].copy_(value)
        # All at once: one by one, a GPU spends more time on being asked than on computing.
        torch._foreach_lerp_(kept, fresh, 1 - decay)  # as torch.optim.swa_utils does
