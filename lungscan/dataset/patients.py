"""The table of patients in a public archive, turned into our ``groups.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from lungscan.dataset.public_sets import PatientTable
from lungscan.errors import UsageProblem
from lungscan.inputs import show

COLUMNS = ("file", "label", "group", "um_px")


def groups_of(data: bytes, table: PatientTable, targets: Iterable[str], archive: Path) -> str:
    """``groups.csv`` of a data folder: the patient of each picture, and its scale.

    Args:
        data: the archive's table.
        table: how to read it.
        targets: paths of the laid out pictures, ``FOLDER/CLASS/FILE``; those that the table does
            not name get no line, so they are no part of the data.
        archive: named in errors.

    Raises:
        UsageProblem: the table is none, lacks a column, or names no picture.
    """
    where = f"{show(archive.name)}: its table {table.file}"
    try:
        lines = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageProblem(f"{where} is no table ({error}); download it again.") from error
    needed = (*table.parts, table.group, table.scale_by)
    missing = [name for name in needed if not lines or name not in lines[0]]
    if missing:
        raise UsageProblem(
            f"{where} has no column '{missing[0]}', so it does not say which patient a picture is "
            "of: the set was changed since this version of LungScan. Write groups.csv by hand."
        )
    by_stem = {_stem(line, table.parts): line for line in lines}
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    written = 0
    for target in sorted(targets):
        path = PurePosixPath(target)
        line = by_stem.get(path.stem)
        if line is not None and (line[table.group] or "").strip():
            scale = table.um_px.get((line[table.scale_by] or "").strip().lower(), "")
            group = f"{table.prefix}{line[table.group].strip()}"
            writer.writerow((f"{path.parent.name}/{path.name}", path.parent.name, group, scale))
            written += 1
    if not written:
        raise UsageProblem(f"{where} names none of the pictures; it is of another set.")
    return text.getvalue()


def _stem(line: Mapping[str, str | None], parts: Sequence[str]) -> str:
    """The picture's name without its ending: the cells that are not empty, joined."""
    cells = ((line[part] or "").strip() for part in parts)
    return "_".join(cell for cell in cells if cell)
