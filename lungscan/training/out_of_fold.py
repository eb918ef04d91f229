"""Out-of-fold answers: what a fold's network says of the pictures that it never saw.

One table per fold: ``file,label,group,fold``, then ``prob_CLASS`` of each class at temperature
1 and summing to 1, then ``counter_example``, the probability of the output that takes pictures that
are none of the classes, and ``distance`` to the training features of that fold's network. Of
several sources there is also ``source``, and a fold may be a source left out. Joined over all folds
every picture stands there once, so temperature, limits and figures can be taken from answers about
unseen tissue.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungscan.dataset.folds import Fold, read_fold
from lungscan.dataset.samples import IndexArray
from lungscan.dataset.splits import SplitRow
from lungscan.errors import UsageProblem
from lungscan.inputs import show
from lungscan.inputs.csv_input import read_table
from lungscan.results.atomic_files import write_atomic
from lungscan.training.calibrate import softmax
from lungscan.types import FloatArray

ANSWERS_FILE = "out-of-fold.csv"  # in the folder of checkpoints
TEACHER_FILE, ALONE_FILE = "out-of-fold-teacher.csv", "out-of-fold-alone.csv"
OTHERS_FILE = "out-of-fold-others.csv"  # counter-examples; the label is their folder
COLUMNS = ("file", "label", "group", "fold")
LAST = "counter_example"
DISTANCE = "distance"  # a table of a network without a fitted distance has no such column
CLASS = "prob_"
DIGITS = 9  # significant: as many as a float of 32 bits has
_LEAST = 1e-30  # probabilities below it count as it: their logarithm must be a number


@dataclass(frozen=True)
class Answers:
    """Pictures with their out-of-fold answers, in the order of their names."""

    files: tuple[str, ...]
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    folds: tuple[Fold, ...]
    class_names: tuple[str, ...]
    probs: FloatArray  # (n, classes), at temperature 1
    counter_example: FloatArray  # (n,)
    distances: FloatArray  # (n,); NaN where a table has none

    @property
    def truth(self) -> IndexArray:
        """The class of each picture ``(n,)``; -1 where its label is no class."""
        index = {name: row for row, name in enumerate(self.class_names)}
        return np.array([index.get(label, -1) for label in self.labels], np.int64)

    @property
    def logits(self) -> FloatArray:
        """Logarithms of the probabilities ``(n, classes)``: what a temperature divides."""
        result: FloatArray = np.log(np.maximum(self.probs, _LEAST))
        return result

    @property
    def numbers(self) -> IndexArray:
        """The fold of each picture ``(n,)``, from 1."""
        return np.array([fold.number for fold in self.folds], np.int64)

    @property
    def measures(self) -> NDArray[np.float64]:
        """What the limits of novelty are limits of: ``(n, 2)``."""
        return np.stack([self.counter_example, self.distances], 1).astype(np.float64)


def write_answers(
    path: Path,
    rows: Sequence[SplitRow],
    fold: Fold,
    class_names: Sequence[str],
    logits: FloatArray,
    counts: IndexArray,
    distances: NDArray[np.float64] | None = None,
    sources: Sequence[str] = (),
) -> None:
    """Write the answers of one fold.

    Args:
        path: the table to be.
        rows: the n pictures of the fold.
        fold: which one it is.
        class_names: in the order of the outputs.
        logits: ``(t, classes + 1)`` of their squares, uncalibrated.
        counts: ``(n,)`` squares of each picture; its answer is the mean over them.
        distances: ``(t,)`` of the squares to the training features; None: not fitted.
        sources: of several sources each picture's own, for one more column ``source``.

    Raises:
        MachineError: it cannot be written.
    """
    outputs = np.hstack([softmax(logits[:, :-1], 1.0), softmax(logits, 1.0)[:, -1:]])
    if distances is not None:
        outputs = np.hstack([outputs, distances[:, None]])
    means = np.add.reduceat(outputs, np.cumsum(counts) - counts) / counts[:, None]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    last: tuple[str, ...] = (LAST,) if distances is None else (LAST, DISTANCE)
    last += ("source",) if sources else ()
    writer.writerow((*COLUMNS, *(CLASS + name for name in class_names), *last))
    for index, (row, values) in enumerate(zip(rows, means, strict=True)):
        texts = (f"{value:.{DIGITS}g}" for value in values)
        own = sources[index : index + 1]
        writer.writerow((row.file, row.label, row.group, str(fold), *texts, *own))
    write_atomic(path, text.getvalue().encode())


def read_answers(paths: Sequence[Path], *, every: bool = True) -> Answers:
    """Join the tables of all folds, or, without ``every``, of those that are there.

    Raises:
        UsageProblem: a table is wrong, a fold is missing or there twice, or two tables answer for
            the same picture or know other classes.
    """
    tables = [_read(path) for path in paths]
    if not tables:
        raise UsageProblem(f"There is no table {ANSWERS_FILE} to join.")
    names = tables[0][0]
    rows: dict[str, dict[str, str]] = {}
    for path, (found, cells) in zip(paths, tables, strict=True):
        if found != names:
            raise UsageProblem(
                f"{_shown(path)} answers with other classes than {_shown(paths[0])}."
            )
        for row in cells:
            if row["file"] in rows:
                raise UsageProblem(
                    f"{_shown(path)}: {show(row['file'])} was judged by two folds; they are not of "
                    "one deal."
                )
            rows[row["file"]] = row
    ordered = [rows[file] for file in sorted(rows)]
    folds = tuple(read_fold(row["fold"]) for row in ordered)
    _require_all(folds, every=every)
    columns = (*(CLASS + name for name in names), LAST)
    values = np.array([[_number(row[name]) for name in columns] for row in ordered], np.float32)
    far = np.array([_number(row.get(DISTANCE) or "nan") for row in ordered], np.float32)
    files, labels, groups = (tuple(row[name] for row in ordered) for name in COLUMNS[:3])
    _require_whole(groups, folds)
    return Answers(files, labels, groups, folds, names, values[:, :-1], values[:, -1], far)


def has_distances(path: Path) -> bool:
    """Whether a fold's table is there and holds distances; those of earlier versions do not."""
    if not path.is_file():
        return False
    row = next(iter(read_table(path, (*COLUMNS, LAST), (DISTANCE,))), None)
    return row is not None and DISTANCE in row.cells


def _read(path: Path) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """The classes that a table knows, and its lines."""
    cells = [row.cells for row in read_table(path, (*COLUMNS, LAST), (DISTANCE,))]
    if not cells:
        raise UsageProblem(f"{_shown(path)} answers for no picture.")
    return tuple(name.removeprefix(CLASS) for name in cells[0] if name.startswith(CLASS)), cells


def _require_all(folds: Sequence[Fold], *, every: bool) -> None:
    counts = {fold.count for fold in folds}
    if len(counts) > 1:
        raise UsageProblem("These tables are of different deals: the number of folds differs.")
    missing = sorted(set(range(1, counts.pop() + 1)) - {fold.number for fold in folds})
    if missing and every:
        texts = ", ".join(str(number) for number in missing)
        raise UsageProblem(f"The answers of fold {texts} are missing; train it first.")


def _require_whole(groups: Sequence[str], folds: Sequence[Fold]) -> None:
    home: dict[str, Fold] = {}
    for group, fold in zip(groups, folds, strict=True):
        if home.setdefault(group, fold) != fold:
            raise UsageProblem(
                f"The group {show(group)} was judged by the folds {home[group]} and {fold}; they "
                "are not of one deal."
            )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageProblem(f"{show(text)!r:.40} is no probability.") from error


def _shown(path: Path) -> str:
    return show("/".join(path.parts[-3:]))
