"""The records of a training run that are kept beside its weights."""

from __future__ import annotations

from dataclasses import dataclass

from lungscan.training.options import TrainOptions
from lungscan.training.stage_names import Stage


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """What a model was trained with. ``training/run.json`` is this record."""

    options: TrainOptions
    data_sha256: str  # of the names, bytes, classes and groups of all pictures
    leaking_groups: int  # that stand in more than one part
    skipped: tuple[str, ...]  # files that could not be read
    versions: dict[str, str]  # of LungScan, Python and the libraries that shape weights


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch of a stage. ``training/curves.json`` holds them by the stage's name."""

    epoch: int  # counted from 1
    loss: float  # mean over the training pictures
    validation: float  # accuracy on the validation part; -1: not measured after this epoch


Curves = dict[Stage, tuple[Epoch, ...]]
