"""What a training run tells whoever listens."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunStarted:
    """One of several trainings begins: a fold, or at last the model on all groups."""

    title: str  # "fold 2 of 5"
    number: int  # counts from 1
    count: int


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A stage begins, or goes on where an earlier run stopped."""

    stage: str
    detail: str
    epochs: int = 0


@dataclass(frozen=True, slots=True)
class EpochFinished:
    """An epoch's checkpoint is on the disk. Accuracies are shares, 0 to 1."""

    stage: str
    epoch: int  # counts from 1
    epochs: int
    loss: float
    validation_accuracy: float | None  # None: not measured in this epoch
    images_per_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class StageFinished:
    """A stage has ended; ``detail`` is a sentence with its figures."""

    stage: str
    detail: str


TrainEvent = RunStarted | StageStarted | EpochFinished | StageFinished
