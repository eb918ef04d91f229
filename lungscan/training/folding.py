"""The trainings of ``--folds N``: one for each fold, and the model's own on all groups.

They lie below the model folder: fold i in ``folds/i``, exactly as ``--fold i/N --out DIR/folds/i``
leaves it, so a fold may come from another machine.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from lungscan.dataset.folds import Fold
from lungscan.dataset.learnt import WORK_FOLDER
from lungscan.errors import ModelError, UsageProblem
from lungscan.model.card import ModelCard
from lungscan.model.checked import read_card
from lungscan.model.folder import holds_model
from lungscan.results.atomic_files import write_atomic
from lungscan.training.data import Material
from lungscan.training.dealing import RUN_FILE, SPLIT_FILE
from lungscan.training.options import TrainOptions
from lungscan.training.out_of_fold import ALONE_FILE, ANSWERS_FILE, OTHERS_FILE, has_distances
from lungscan.training.same_recipe import SHAPES_NO_ANSWER, differing
from lungscan.training.stages import FOLDS_FOLDER

FINAL_SPLIT = (0.95, 0.05, 0.0)  # of a recipe that sets groups aside for a test


def require_sense(options: TrainOptions) -> None:
    """Refuse folds together with what would make them say nothing, before anything is read.

    Raises:
        UsageProblem: which option, and why.
    """
    if not 2 <= options.folds <= 20:
        raise UsageProblem(f"{options.folds} folds cannot be dealt; say 2 to 20, such as 5.")
    if not 0 <= options.features_of_fold <= options.folds:
        raise UsageProblem(
            f"There is no fold {options.features_of_fold} to take features from (features_of_fold)."
        )
    if options.fold:
        raise UsageProblem(
            "Say either which fold to train (--fold) or how many to train in turn (--folds)."
        )
    if options.split_file or options.protocol != "grouped":
        raise UsageProblem(
            "Folds are dealt by group and by themselves: give them without a split file, and with "
            "the protocol grouped."
        )
    paths = (
        (options.teacher_from,) if isinstance(options.teacher_from, str) else options.teacher_from
    )
    if any(path and "{fold}" not in path for path in paths):
        raise UsageProblem(
            "One teacher from another run (teacher_from) has learnt from tissue that a fold holds "
            "out, and would pass it on. Give a teacher for each fold, with {fold} in its path, or "
            "none: each fold then fits its own."
        )


def fold_options(options: TrainOptions, number: int) -> TrainOptions:
    """The options of one fold's training: the recipe with ``--fold number/N``."""
    fold = str(Fold(number, options.folds))
    return of_one_network(
        dataclasses.replace(
            options, fold=fold, folds=0, figures_from="", robustness=False, int8=False
        )
    )


def final_options(options: TrainOptions) -> TrainOptions:
    """The options of the model's own training: every group, but for a small validation share."""
    split = FINAL_SPLIT if options.split[2] else options.split
    return of_one_network(dataclasses.replace(options, fold="", split=split, alone=False))


def of_one_network(options: TrainOptions) -> TrainOptions:
    """The options without what the recipe says of the other: a fold, or the model on all groups."""
    if options.fold:
        return dataclasses.replace(options, features_of_fold=0, final_fit=None)
    return dataclasses.replace(
        options, student_fit=options.final_fit or options.student_fit, final_fit=None
    )


def fold_folder(out: Path, number: int) -> Path:
    """Where a fold lies."""
    return out / FOLDS_FOLDER / str(number)


def is_done(options: TrainOptions, folder: Path) -> bool:
    """Whether a fold is trained and has answered: its model folder and tables are whole.

    Args:
        options: of the fold.
        folder: where it lies.

    Raises:
        UsageProblem: it is whole, but of another recipe or another fold.
    """
    if not holds_model(folder):
        return False
    try:
        card = read_card(folder)
    except ModelError:  # an interrupted bundle: made again from its checkpoints
        return False
    _require_same(options, card, folder)
    files = [ANSWERS_FILE, *([OTHERS_FILE] if options.counter_examples else [])]
    work = folder / WORK_FOLDER
    answered = all(has_distances(work / name) for name in files)
    compared = "alone" in options.stages and options.model_stage != "alone"
    return answered and ((work / ALONE_FILE).is_file() or not compared)


def _require_same(options: TrainOptions, card: ModelCard, folder: Path) -> None:
    changed = differing(options, card, SHAPES_NO_ANSWER)
    if changed:
        where = "/".join(folder.parts[-2:])
        raise UsageProblem(
            f"The fold in {where} was trained by another recipe: {', '.join(changed)} differ. "
            "Take the recipe that it was trained by, remove the folder to train it anew, or choose "
            "another --out."
        )


def require_same_data(folders: Sequence[Path], material: Material) -> None:
    """Refuse folds of other pictures, labels, groups or counter-examples than the model's own.

    Raises:
        UsageProblem: which fold.
    """
    for folder in folders:
        if not holds_model(folder):
            continue
        data = read_card(folder).data
        if data.get("sha256") != material.data_sha256:
            raise UsageProblem(
                f"Fold {folder.name} was trained on other data than these: pictures, labels or "
                "groups differ. Bring the data back as they were, or remove the fold's folder to "
                "train it anew."
            )
        others = {part.name: part.sha256 for part in material.foreign}
        if data.get("counter_examples", {}) != others:
            raise UsageProblem(
                f"Fold {folder.name} was trained with other counter-examples than these, or before "
                "models told which. Bring them back as they were, or remove the fold's folder to "
                "train it anew."
            )


def share_groups(first: Path, work: Path) -> None:
    """Let a fold begin from the groups that the first one found, where it had to look for them.

    Args:
        first: the first fold's folder of checkpoints.
        work: another's.
    """
    if (work / SPLIT_FILE).exists():
        return
    for name in (RUN_FILE, SPLIT_FILE):  # the record of the run tells of which data they are
        if (first / name).is_file():
            write_atomic(work / name, (first / name).read_bytes())
