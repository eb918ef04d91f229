"""One step of learning, as fast as the device can repeat it.

On CUDA these small networks wait for their launches, not for the arithmetic: after a few steps the
whole step is recorded once as a CUDA graph and then replayed.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lungscan.studies.options import StudyOptions

WARM = 4  # steps before a step is recorded
_CLIP = 5.0


class Stepper:
    """Takes steps with one network: forward, backward, optimiser."""

    def __init__(
        self,
        network: nn.Module,
        teacher: nn.Module | None,
        options: StudyOptions,
        learning_rate: float,
        *,
        graphs: bool,
    ) -> None:
        self.network, self.teacher = network, teacher
        self._options, self._taken = options, 0
        self.device = next(network.parameters()).device
        self._bf16 = options.bf16 and bf16_pays(network, self.device)
        self._graphs = graphs and self.device.type == "cuda"
        self._graph: Any = None
        self._buffers: tuple[Tensor, ...] = ()
        self._loss = torch.zeros((), device=self.device)
        cuda = self.device.type == "cuda"
        self._rate = torch.tensor(learning_rate, device=self.device) if cuda else learning_rate
        fitted = [p for p in network.parameters() if p.requires_grad]
        decayed, plain = [p for p in fitted if p.ndim > 1], [p for p in fitted if p.ndim <= 1]
        groups: list[dict[str, Any]] = [
            {"params": decayed, "weight_decay": options.weight_decay},
            {"params": plain},
        ]
        self.optimiser = torch.optim.AdamW(
            groups,
            lr=self._rate,
            weight_decay=0.0,
            fused=True,
            capturable=cuda,
        )

    def rate(self, value: float) -> None:
        """Set the learning rate of the next steps."""
        if isinstance(self._rate, Tensor):
            self._rate.fill_(value)
        else:
            for group in self.optimiser.param_groups:
                group["lr"] = value

    def __call__(self, fields: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Take one step.

        Args:
            fields: ``(b, 3, s, s)`` normalised; b stays the same over all steps.
            targets: ``(b, outputs)``.
            weights: ``(b,)`` of each picture.

        Returns:
            The loss ``()``; valid until the next step.
        """
        self._taken += 1
        if self._graph is None and self._graphs and self._taken > WARM:
            self._record(fields, targets, weights)
        if self._graph is None:
            self._loss = self._step(fields, targets, weights)
            return self._loss
        for kept, now in zip(self._buffers, (fields, targets, weights), strict=True):
            kept.copy_(now)
        self._graph.replay()
        return self._loss

    def _record(self, *given: Tensor) -> None:
        self._buffers = tuple(value.clone() for value in given)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=torch.cuda.current_stream(self.device)):
                self._loss = self._step(*self._buffers)
            self._graph = graph
        except RuntimeError as error:  # go on step by step, which is slower and no worse
            warnings.warn(f"A step cannot be recorded: {error}", RuntimeWarning, stacklevel=2)
            torch.cuda.synchronize(self.device)
            self._graphs = False

    def _step(self, fields: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        options = self._options
        with torch.autocast(
            self.device.type, torch.bfloat16, enabled=self._bf16, cache_enabled=False
        ):
            logits = self.network(fields).float()
            soft = None
            if self.teacher is not None:
                with torch.no_grad():
                    soft = self.teacher(fields).float()
        loss = loss_of(logits, targets, soft, weights, options)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
        self.optimiser.step()
        return loss.detach()


def bf16_pays(network: nn.Module, device: torch.device) -> bool:
    """Whether steps in bf16 are faster than in fp32.

    On CPUs they are where the matrix unit (AMX) takes all convolutions: depthwise and other grouped
    ones it does not, and there MobileNetV2 and GhostNet take 1.4 and 2 times as long in bf16.
    """
    if device.type != "cpu":
        return True
    grouped = any(m.groups > 1 for m in network.modules() if isinstance(m, nn.Conv2d))
    return not grouped and "amx_bf16" in _skills()


def _skills() -> set[str]:
    """What the processor can do, by torch's names; nothing where this torch does not know."""
    asked = getattr(torch.cpu, "get_capabilities", dict)
    return {name for name, found in asked().items() if found}


def loss_of(
    logits: Tensor, targets: Tensor, soft: Tensor | None, weights: Tensor, options: StudyOptions
) -> Tensor:
    """Cross-entropy with the targets, shared with the teacher's answers; each picture weighed.

    The likeness to the teacher is the divergence of softened outputs times T² (Hinton et al. 2015).
    """
    losses = F.cross_entropy(logits, targets, reduction="none")
    if soft is not None:
        heat = options.temperature
        predicted, taught = F.log_softmax(logits / heat, 1), F.log_softmax(soft / heat, 1)
        likeness = F.kl_div(predicted, taught, log_target=True, reduction="none").sum(1) * heat**2
        losses = (1 - options.soft_share) * losses + options.soft_share * likeness
    return (losses * weights).sum() / weights.sum()


class Average:
    """A moving average of a network's weights and statistics, in few launches."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        state = network.state_dict(keep_vars=True)
        self._live = [v.data for v in state.values() if v.is_floating_point()]
        self._names = [k for k, v in state.items() if v.is_floating_point()]
        self._kept = [value.clone() for value in self._live]
        self._decay, self._steps = decay, 0

    @torch.no_grad()
    def follow(self) -> None:
        """Take in the weights after one more step; it warms up, so the start is soon forgotten."""
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        torch._foreach_lerp_(self._kept, self._live, 1 - decay)
        self._steps += 1

    def values(self) -> dict[str, Tensor]:
        """The averaged weights by name, without what is not averaged."""
        return dict(zip(self._names, self._kept, strict=True))
