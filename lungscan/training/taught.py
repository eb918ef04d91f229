"""Teachers of other runs: which files a student learnt from, and what these networks have seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lungscan.dataset.learnt import digests_of_parts
from lungscan.dataset.splits import read_split
from lungscan.errors import ModelError, UsageProblem
from lungscan.inputs import show
from lungscan.results.checksums import digest_of
from lungscan.training.data import Material
from lungscan.training.dealing import SPLIT_FILE
from lungscan.training.options import TrainOptions

# Of the student's pictures a table that tells names by must name so many, or it is of other data or
# of a renamed folder.
LEAST_NAMED = 0.5


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

    What a teacher learnt say the tables beside its checkpoints, by the content of the files, in
    those of earlier versions by their names. Teachers of which they do not say it are noted as
    ``strangers``.

    Raises:
        UsageProblem: a teacher learnt such groups, and leakage is not allowed.
    """
    if "student" not in options.stages or not options.teachers:
        return material
    found = {path: learnt_by(Path(path).parent.parent, material) for path in options.teachers}
    strangers = tuple(_place(path) for path, learnt in found.items() if not learnt.told)
    seen = {group for learnt in found.values() for group in judging(material, learnt)}
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


@dataclass(frozen=True)
class Learnt:
    """What a network of another run learnt of these pictures."""

    rows: tuple[bool, ...] = ()  # whether it learnt each
    told: bool = False  # its tables say it of these pictures


def learnt_by(work: Path, material: Material) -> Learnt:
    """Which pictures the networks of a run learnt, by the tables in its folder ``training``."""
    digests = digests_of_parts(work, ("train",))
    if digests is not None:
        return Learnt(tuple(digest in digests for digest in material.digests), told=True)
    if not (work / SPLIT_FILE).is_file():
        return Learnt()
    parts = {(row.file, row.label): row.part for row in read_split(work / SPLIT_FILE)}
    theirs = [parts.get((row.file, row.label)) for row in material.rows]
    told = sum(part is not None for part in theirs) >= LEAST_NAMED * len(theirs)
    return Learnt(tuple(part == "train" for part in theirs), told)


def judging(material: Material, learnt: Learnt) -> set[str]:
    """The groups in validation or test that hold a picture which was learnt."""
    known = zip(material.rows, learnt.rows, strict=False)  # of a stranger none is known
    groups = {row.group for row, seen in known if seen}
    return groups & {row.group for row in material.rows if row.part != "train"}
