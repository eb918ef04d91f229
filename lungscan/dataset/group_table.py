"""``groups.csv``: which pictures may share a patient or tissue."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lungscan.errors import UsageProblem
from lungscan.inputs import show


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
    for number, cells in enumerate(read_table(table, ("file", "group")), 2):
        file, group = cells["file"], cells["group"]
        label = cells.get("label") or file.split("/")[0]
        if not (file and group and label):
            raise UsageProblem(f"{show(table.name)}, line {number}: a value is missing.")
        require_inside(file, table, number)
        if file in rows:
            raise UsageProblem(f"{show(table.name)}, line {number}: {show(file)} stands twice.")
        rows[file] = GroupRow(file, label, group)
    if not rows:
        raise UsageProblem(f"{show(table.name)} names no picture.")
    return rows


def read_table(table: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    """Read a CSV file with a header; missing cells are empty.

    Raises:
        UsageProblem: it cannot be read as UTF-8 text or lacks one of the ``needed`` columns.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle, restval="")
            missing = [name for name in needed if name not in (reader.fieldnames or ())]
            if missing:
                raise UsageProblem(f"{show(table.name)} has no column {', '.join(missing)}.")
            return list(reader)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UsageProblem(f"{show(table.name)} cannot be read: {why}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageProblem(
            f"{show(table.name)} is no table; save it as CSV in UTF-8 with a header."
        ) from error


def require_inside(file: str, table: Path, line: int) -> None:
    """Raise UsageProblem when ``file`` could lead out of the data folder."""
    parts = PurePosixPath(file).parts
    if file.startswith("/") or "\\" in file or ".." in parts or ":" in parts[0] or "\0" in file:
        raise UsageProblem(
            f"{show(table.name)}, line {line}: {show(file)} is no path below the data folder "
            "with forward slashes."
        )
