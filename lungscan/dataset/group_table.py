"""``groups.csv``: which pictures may share a patient or tissue."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from lungscan.errors import UsageProblem
from lungscan.inputs import show
from lungscan.inputs.csv_input import read_table
from lungscan.inputs.names import same_name
from lungscan.options import MAX_MPP_UM, MIN_MPP_UM


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One picture of the table."""

    file: str  # relative to the data folder, with forward slashes
    label: str
    group: str
    um_px: float | None = None  # its scale, where the table says it


def read_groups(table: Path) -> dict[str, GroupRow]:
    """Read a table with the columns ``file,group`` and ``label`` (else the first folder's name).

    A column ``um_px`` may say the scale of each picture, or of some.

    Raises:
        UsageProblem: the table cannot be read, lacks a column or a value, names a file twice, or
            one outside the data folder, or a scale that no microscope has.
    """
    rows: dict[str, GroupRow] = {}
    for row in read_table(table, ("file", "group"), ("label", "um_px")):
        file = inside(row["file"], table, row.line)
        label = row.cells.get("label") or file.split("/")[0]
        if not (file and row["group"] and label):
            raise UsageProblem(f"{show(table.name)}, line {row.line}: a value is missing.")
        if file in rows:
            raise UsageProblem(f"{show(table.name)}, line {row.line}: {show(file)} stands twice.")
        scale = scale_of(row.cells.get("um_px", ""), table, row.line)
        rows[file] = GroupRow(file, label, row["group"], scale)
    if not rows:
        raise UsageProblem(f"{show(table.name)} names no picture.")
    return rows


def spelt_as_found(
    rows: Mapping[str, GroupRow], found: Collection[str], folder: Path
) -> dict[str, GroupRow]:
    """The rows by the names that the files have in ``folder``. Raises as ``names_as_found``."""
    names = names_as_found(rows, found, folder)
    return {name: replace(rows[file], file=name) for file, name in names.items()}


def names_on_disk(files: Collection[str], folder: Path) -> dict[str, str]:
    """As ``names_as_found``, of whatever lies below ``folder``; looked for only where one lacks."""
    if all((folder / file).is_file() for file in files):
        return {file: file for file in files}
    found = {
        (Path(place) / name).relative_to(folder).as_posix()
        for place, _, names in os.walk(folder)
        for name in names
    }
    return names_as_found(files, found, folder)


def names_as_found(files: Collection[str], found: Collection[str], folder: Path) -> dict[str, str]:
    """By the name that a table gives a file the one that it has in ``folder``, if it is ``found``.

    A copy through macOS spells a letter with an accent as two characters, and Windows and macOS
    open a file under other capitals, too: its picture would count as one without a row besides.

    Raises:
        UsageProblem: two names are of one file.
    """
    alike = {same_name(name): name for name in found}
    capitals = {name.casefold(): name for name in alike}

    def spelt(file: str) -> str:
        plain = same_name(file)
        if file in found or plain in alike:
            return file if file in found else alike[plain]
        other = alike.get(capitals.get(plain.casefold(), ""), "")
        return other if other and _is_one_file(folder / file, folder / other) else file

    names = {file: spelt(file) for file in files}
    taken: set[str] = set()
    for name in names.values():
        if name in taken:
            raise UsageProblem(
                f"Two lines of the table are of one picture, {show(name)}, which they write in two "
                "ways. Keep one of them."
            )
        taken.add(name)
    return names


def _is_one_file(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:
        return False


def scale_of(text: str, table: Path, line: int) -> float | None:
    """µm per pixel by a table's cell; None when it is empty. Spreadsheets may write a comma.

    Raises:
        UsageProblem: it is no number, or none that a microscope has.
    """
    if not text:
        return None
    try:
        um_px = float(text.replace(",", "."))
    except ValueError:
        um_px = 0.0
    if not MIN_MPP_UM <= um_px <= MAX_MPP_UM:
        raise UsageProblem(
            f"{show(table.name)}, line {line}: um_px is {show(text)!r:.40}; it wants µm per pixel, "
            f"{MIN_MPP_UM} to {MAX_MPP_UM:g} (usual: 0.25 at 40x, 0.5 at 20x)."
        )
    return um_px


def inside(file: str, table: Path, line: int) -> str:
    """The path of a table's cell with forward slashes, without ``.``; tables travel from Windows.

    Raises:
        UsageProblem: it could lead out of the data folder.
    """
    path = file.replace("\\", "/")
    parts = PurePosixPath(path).parts
    if path.startswith("/") or ".." in parts or any(":" in p for p in parts[:1]) or "\0" in path:
        raise UsageProblem(
            f"{show(table.name)}, line {line}: {show(file)} is no path below the data folder "
            "with forward slashes."
        )
    return "/".join(parts)
