"""The files of a study's networks: answers, and weights in half precision.

Each network is finished or not there at all, so that a study that was stopped goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

from lungscan.errors import ModelError
from lungscan.results.atomic_files import into_place
from lungscan.studies.arrays import DAMAGED, archive
from lungscan.studies.students import create
from lungscan.studies.tasks import Task

FOLDER = "networks"


@dataclass(frozen=True)
class Answers:
    """What a fitted network said."""

    logits: NDArray[np.float32]  # (n, classes + 1) of all pictures
    losses: NDArray[np.float32]  # of each epoch
    seconds: float  # that the fit took, beside what else ran then
    device: str


def answers_path(folder: Path, task: Task) -> Path:
    """Where the answers of a network lie."""
    return folder / FOLDER / f"{task.name}.npz"


def weights_path(folder: Path, task: Task) -> Path:
    """Where its weights lie."""
    return folder / FOLDER / f"{task.name}.safetensors"


def keep(folder: Path, task: Task, network: nn.Module, answers: Answers, belongs: str) -> None:
    """Write weights and answers; the answers last, since they say that the network is finished."""
    path = weights_path(folder, task)
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        name: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for name, value in network.state_dict().items()
    }
    part = path.with_suffix(".part")
    save_file(state, part)
    into_place(part, path)
    path = answers_path(folder, task)
    part = path.with_suffix(".part")
    with part.open("wb") as handle:
        np.savez_compressed(
            handle,
            logits=answers.logits,
            losses=answers.losses,
            seconds=np.array(answers.seconds),
            device=np.array(answers.device),
            belongs=np.array(fingerprint(task, belongs)),
        )
    into_place(part, path)


def kept(folder: Path, task: Task, belongs: str) -> Answers | None:
    """The answers of a finished network; None when it is not finished.

    Raises:
        ModelError: the file is damaged, or belongs to other options or pictures.
    """
    path = answers_path(folder, task)
    if not path.exists():
        return None
    try:
        with archive(path) as found:
            theirs = str(found["belongs"])
            answers = Answers(
                found["logits"], found["losses"], float(found["seconds"]), str(found["device"])
            )
    except DAMAGED as error:
        raise ModelError(
            f"{path.name} of the study cannot be read ({error}). Remove it and run the same "
            "command again."
        ) from error
    if theirs != fingerprint(task, belongs):
        raise ModelError(
            f"{path.name} was made with other options or pictures. Use another output folder, or "
            "remove this one to start over."
        )
    return answers


def load_network(folder: Path, task: Task, outputs: int) -> nn.Module:
    """A finished network with its weights, in evaluation mode, on the CPU.

    Raises:
        ModelError: the weights are not there, or are not this network's.
    """
    path = weights_path(folder, task)
    if not path.exists():
        raise ModelError(f"The study has no weights {path.name}; they were not kept.")
    network = create(task.network, outputs)
    try:
        state = {name: _full(value) for name, value in load_file(path).items()}
        network.load_state_dict(state)
    except Exception as error:  # safetensors and torch raise kinds of their own
        raise ModelError(f"{path.name} does not hold a {task.network} ({error}).") from error
    return network.eval()


def fingerprint(task: Task, belongs: str) -> str:
    """What the answers of a task belong to; ``belongs`` is the material's fingerprint."""
    settings = (task.name, task.teacher, task.learning_rate, task.epochs, belongs)
    return sha256(repr(settings).encode()).hexdigest()


def _full(value: torch.Tensor) -> torch.Tensor:
    return value.float() if value.is_floating_point() else value
