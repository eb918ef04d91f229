"""Teachers of other runs: which files a student learnt from, and what these networks have seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lungscan.dataset.splits import read_split
from lungscan.errors import ModelError, UsageProblem
from lungscan.inputs import show
from lungscan.results.checksums import digest_of
from lungscan.training.data import Material
from lungscan.training.dealing import SPLIT_FILE
from lungscan.training.options import TrainOptions


def teachers_sha256(options: TrainOptions) -> tuple[str, ...]:
    """The SHA-256 of each checkpoint that ``teacher_from`` names; none where one is not here."""
    paths = [Path(path) for path in options.teachers]
    return tuple(digest_of(path) for path in paths) if all(map(Path.is_file, paths)) else ()


def require_same_teachers(state: Mapping[str, Any], options: TrainOptions) -> None:
    """Refuse a student's checkpoint that was taught by others than lie where the recipe says.

    Older checkpoints do not tell, and a student that came from another machine brings no teacher:
    these are taken as they are.

    Raises:
        ModelError: a teacher was made anew since.
    """
    then, now = tuple(state.get("teachers_sha256", ())), teachers_sha256(options)
    if then and now and then != now:
        raise ModelError(
            "The student's checkpoint learnt from another teacher than the one that now lies at "
            "teacher_from. Bring that teacher back, or remove the checkpoint to learn anew."
        )


def apart_from_teachers(options: TrainOptions, material: Material) -> Material:
    """The material, with the groups that judge and that a teacher of another run learnt, as leaks.

    What a teacher learnt says the split beside its checkpoints, by the names of the files; teachers
    without one are noted as ``strangers``.

    Raises:
        UsageProblem: a teacher learnt such groups, and leakage is not allowed.
    """
    if "student" not in options.stages or not options.teachers:
        return material
    tables = {path: Path(path).parent.parent / SPLIT_FILE for path in options.teachers}
    learnt = {path: set(_learnt(table)) for path, table in tables.items() if table.is_file()}
    strangers = tuple(_place(path) for path in tables if path not in learnt)
    seen = {group for files in learnt.values() for group in _judging(material, files)}
    if seen and not options.allow_leakage:
        raise UsageProblem(
            f"A teacher of another run (teacher_from) learnt from {len(seen)} of the groups that "
            "validate or test this student, and would pass on what it remembers. Give a teacher "
            "of the same split and seed ({fold} in its path stands for the fold), or say "
            "--allow-leakage, and every report will name it."
        )
    leaking = tuple(sorted({*material.leaking, *seen}))
    return replace(material, leaking=leaking, strangers=strangers)


def _place(path: str) -> str:
    """Where a checkpoint lies, without this machine's folders."""
    return show("/".join(Path(path).parts[-4:]))


def _learnt(table: Path) -> Iterator[tuple[str, str]]:
    """Files and labels of a split's training part."""
    return ((row.file, row.label) for row in read_split(table) if row.part == "train")


def _judging(material: Material, learnt: set[tuple[str, str]]) -> set[str]:
    """The groups in validation or test that hold a picture which was learnt."""
    groups = {row.group for row in material.rows if (row.file, row.label) in learnt}
    return groups & {row.group for row in material.rows if row.part != "train"}
