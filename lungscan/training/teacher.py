"""A teacher's answers, as fast as the device gives them.

A teacher only looks, so on the CPU it runs in OpenVINO: several times faster there than in torch,
which leaves the time to the student. On other devices torch runs it.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """Several fitted networks as one: the mean of their outputs, each as logarithms of shares.

    What the mean says is the normalised geometric mean of their answers.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, fields: Tensor) -> Tensor:
        """Outputs ``(b, classes + 1)`` for normalised fields ``(b, 3, h, w)``."""
        answers = [network(fields).log_softmax(1) for network in self.networks]
        return torch.stack(answers).mean(0)


class Teacher:
    """A fitted network that answers batches of normalised fields.

    In half precision inside, where the device has one; ``exact``: in fp32.
    """

    def __init__(self, network: nn.Module, device: torch.device, *, exact: bool = False) -> None:
        self._network = network.eval().to(device)
        self._exact = exact
        self._compiled: dict[tuple[int, ...], Any] = {}  # by the shape of a batch

    @torch.no_grad()
    def __call__(self, fields: Tensor) -> Tensor:
        """Outputs ``(b, classes + 1)`` fp32 for ``(b, 3, h, w)``."""
        if fields.device.type == "cpu":
            return self._by_openvino(fields)
        with torch.autocast(fields.device.type, torch.bfloat16, enabled=not self._exact):
            answers: Tensor = self._network(fields)
        return answers.float()

    def _by_openvino(self, fields: Tensor) -> Tensor:
        shape = tuple(fields.shape)
        if shape not in self._compiled:
            self._compiled[shape] = self._compile(fields)
        (answers,) = self._compiled[shape](np.ascontiguousarray(fields.numpy())).values()
        return torch.from_numpy(answers.copy())

    def _compile(self, fields: Tensor) -> Any:
        import openvino as ov

        with warnings.catch_warnings():
            # OpenVINO still reads torch's networks through TorchScript, which announces its end.
            warnings.filterwarnings("ignore", r"`torch\.jit\.", FutureWarning)
            model = ov.convert_model(
                self._network, example_input=fields, input=[tuple(fields.shape)]
            )
        how: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        how["INFERENCE_NUM_THREADS"] = torch.get_num_threads()
        if self._exact:
            how["INFERENCE_PRECISION_HINT"] = "f32"
        return ov.Core().compile_model(model, "CPU", how)
