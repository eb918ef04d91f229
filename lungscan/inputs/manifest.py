"""The cases manifest: a CSV with the columns ``file,case`` that joins files to one case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lungscan.errors import UsageProblem
from lungscan.inputs.csv_input import read_table
from lungscan.inputs.files import Identity, identity_of
from lungscan.inputs.names import show
from lungscan.types import InputFile


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    file: str
    case: str


def read_cases(
    manifest: Path, files: Sequence[InputFile], roots: tuple[Path, ...]
) -> dict[int, str]:
    """Map files (by index) to the case they belong to; files not named are left out.

    A file is looked for below the manifest's folder, below and beside each of ``roots`` (so that
    the relative path of an earlier result works too), and by its absolute path.

    Raises:
        UsageProblem: the manifest cannot be read, lacks a column, contradicts itself or names a
            file that is not among ``files``.
    """
    known = _by_identity(files)
    bases = (manifest.parent, *(base for root in roots for base in (root, root.parent)))
    cases: dict[int, str] = {}
    for row in _rows(manifest):
        index = _locate(row.file, bases, known)
        if index is None:
            raise UsageProblem(
                f"{show(manifest.name)}, line {row.line}: '{show(row.file)}' is not among the "
                "images found. Correct the name, or add its folder to the paths."
            )
        if cases.setdefault(index, row.case) != row.case:
            raise UsageProblem(
                f"{show(manifest.name)}, line {row.line}: '{show(row.file)}' belongs to two cases, "
                f"'{show(cases[index])}' and '{show(row.case)}'. Keep one of them."
            )
    return cases


def _rows(manifest: Path) -> Iterator[_Row]:
    for row in read_table(manifest, ("file", "case")):
        if not row["file"] or not row["case"]:
            raise UsageProblem(
                f"{show(manifest.name)}, line {row.line}: the file or the case is empty."
            )
        yield _Row(row.line, row["file"], row["case"])


def _by_identity(files: Sequence[InputFile]) -> dict[Identity, int]:
    known: dict[Identity, int] = {}
    for index, file in enumerate(files):
        for path in (file.path, *file.parts):
            if identity := _identity(path):
                known[identity] = index
    return known


def _locate(text: str, bases: Sequence[Path], known: dict[Identity, int]) -> int | None:
    for spelling in (text, text.replace("\\", "/")):  # manifests travel from Windows
        for base in bases:
            identity = _identity(base / spelling)
            if identity is not None and identity in known:
                return known[identity]
    return None


def _identity(path: Path) -> Identity | None:
    try:
        return identity_of(path, path.stat())
    except (OSError, ValueError):  # ValueError: a name no disk can hold
        return None
