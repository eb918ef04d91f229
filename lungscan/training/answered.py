"""What the networks of a fold say of the tissue that they never saw, as tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lungscan.dataset.folds import Fold, read_fold
from lungscan.dataset.splits import SplitRow
from lungscan.model.novelty import Novelty
from lungscan.training.counter_examples import Foreign
from lungscan.training.data import Material
from lungscan.training.dealing import source_number
from lungscan.training.network_answers import logits_of, outputs_of
from lungscan.training.options import TrainOptions
from lungscan.training.out_of_fold import (
    ALONE_FILE,
    ANSWERS_FILE,
    OTHERS_FILE,
    TEACHER_FILE,
    write_answers,
)
from lungscan.training.stages import finished, has_teacher, load_network, load_teacher
from lungscan.types import FloatArray


def keep_answers(
    student: nn.Module,
    novelty: Novelty,
    options: TrainOptions,
    material: Material,
    root: Path,
    work: Path,
) -> None:
    """Write the fold's out-of-fold tables into ``work``, for whoever joins all folds.

    Args:
        student: the fold's model.
        novelty: fitted on its training features.
        options: of the fold.
        material: every square at the size of the network's input.
        root: folder that holds the data folders.
        work: the fold's folder of checkpoints.

    Raises:
        MachineError: a table cannot be written.
    """
    rows = material.split.test
    squares = material.squares.taken(rows)
    outputs = outputs_of(student, squares.pixels)
    _keep(
        work / ANSWERS_FILE, options, material, outputs.logits, novelty.distance(outputs.features)
    )
    _keep_others(student, novelty, options, material, root, work / OTHERS_FILE)
    if has_teacher(options, material, work):
        teacher = load_teacher(options, material, work)
        _keep(work / TEACHER_FILE, options, material, logits_of(teacher, squares.pixels))
    if options.model_stage != "alone" and finished("alone", options, material, work):
        alone = load_network("alone", options, material, work)
        _keep(work / ALONE_FILE, options, material, logits_of(alone, squares.pixels))


def _keep(
    path: Path,
    options: TrainOptions,
    material: Material,
    logits: FloatArray,
    distances: NDArray[np.float64] | None = None,
) -> None:
    rows, of = material.split.test, material.samples.sources
    write_answers(
        path,
        [material.rows[row] for row in rows],
        _held_out(options),
        material.samples.class_names,
        logits,
        material.squares.counts[rows],
        distances,
        () if of is None else [options.sources[i].name for i in of[rows]],
    )


def _held_out(options: TrainOptions) -> Fold:
    """The fold that judges; of several sources it may be one of them."""
    if options.leave_out:
        return Fold(source_number(options), len(options.sources))
    return read_fold(options.fold)


def _keep_others(
    student: nn.Module,
    novelty: Novelty,
    options: TrainOptions,
    material: Material,
    root: Path,
    path: Path,
) -> None:
    parts = [part for part in material.foreign if len(part.split.test)]
    if not parts:
        return
    squares = [part.squares.taken(part.split.test) for part in parts]
    outputs = outputs_of(student, np.concatenate([part.pixels for part in squares]))
    write_answers(
        path,
        [row for part in parts for row in foreign_rows(part, root)],
        _held_out(options),
        material.samples.class_names,
        outputs.logits,
        np.concatenate([part.counts for part in squares]),
        novelty.distance(outputs.features),
    )


def foreign_rows(foreign: Foreign, root: Path) -> list[SplitRow]:
    """The fold's counter-examples of a folder, each file relative to ``root``.

    Each folder is dealt by itself, so groups bear its name: two folders may number theirs alike.
    """
    samples = foreign.samples.take(foreign.split.test)
    return [
        SplitRow(path.relative_to(root).as_posix(), foreign.name, f"{foreign.name}/{group}", "test")
        for path, group in zip(samples.paths, samples.groups, strict=True)
    ]
