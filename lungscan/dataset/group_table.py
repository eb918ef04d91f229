"""``groups.csv``: which pictures may share a patient or tissue."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lungscan.errors import UsageProblem
from lungscan.inputs import show
from lungscan.inputs.tables import read_table


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One picture of the table."""

    file: str  # relative to the data folder, with forward slashes
    label: str
    group: str


def read_groups(table: Path) -> dict[str, GroupRow]:
    """Read a table with the columns ``file,group`` and ``label`` (else the first folder's name).

    Raises:
        UsageProblem: the table cannot be read, lacks a column or a value, names a file twice, or
            one outside the data folder.
    """
    rows: dict[str, GroupRow] = {}
    for row in read_table(table, ("file", "group"), ("label",)):
        file = inside(row["file"], table, row.line)
        label = row.cells.get("label") or file.split("/")[0]
        if not (file and row["group"] and label):
            raise UsageProblem(f"{show(table.name)}, line {row.line}: a value is missing.")
        if file in rows:
            raise UsageProblem(f"{show(table.name)}, line {row.line}: {show(file)} stands twice.")
        rows[file] = GroupRow(file, label, row["group"])
    if not rows:
        raise UsageProblem(f"{show(table.name)} names no picture.")
    return rows


def inside(file: str, table: Path, line: int) -> str:
    """The path of a table's cell with forward slashes; tables travel from Windows.

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
    return path
