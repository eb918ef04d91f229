"""The one reader of the tables that people hand over: cases, groups, splits.

They come from spreadsheets, so they are CSV with commas, semicolons (where the comma is the decimal
mark) or tabs, with a byte order mark or without, with column names in any case.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

from lungscan.errors import UsageProblem
from lungscan.inputs.names import show

_DELIMITERS = (",", ";", "\t")  # the first that the header holds


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line that is not empty."""

    line: int  # of the file, counted from 1
    cells: dict[str, str]  # by column; missing cells are empty

    def __getitem__(self, column: str) -> str:
        """The cell of a column that is there."""
        return self.cells[column]


def read_table(
    table: Path, needed: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Iterator[TableRow]:
    """The lines of a CSV file below its header, cells and column names without outer blanks.

    Columns that are ``needed`` or ``optional`` may be written in capitals, others keep their names.

    Raises:
        UsageProblem: it cannot be read, is no UTF-8 text or no CSV, or lacks a ``needed`` column.
    """
    name = show(table.name)
    cure = f"Its first line must be '{','.join(needed)}', then one line per file."
    text = _text(table)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        known = {*needed, *optional}
        columns = [_column(name.strip(), known) for name in next(lines, [])]
        missing = [column for column in needed if column not in columns]
        if missing:
            raise UsageProblem(f"{name} has no column '{missing[0]}'. {cure}")
        for cells in lines:
            if any(cell.strip() for cell in cells):
                filled = [*cells, *[""] * len(columns)]
                values = dict(zip(columns, map(str.strip, filled), strict=False))
                yield TableRow(lines.line_num, values)
    except csv.Error as error:
        raise UsageProblem(f"{name}, line {lines.line_num} is not CSV ({error}). {cure}") from error


def _column(name: str, known: Container[str]) -> str:
    return name.lower() if name.lower() in known else name


def _text(table: Path) -> str:
    name = show(table.name)
    try:
        return table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{name} is not UTF-8 text. Save it as 'CSV UTF-8'.") from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageProblem(f"The table {name} cannot be read ({reason}).") from error


def _delimiter(text: str) -> str:
    header = text.partition("\n")[0]
    return next((mark for mark in _DELIMITERS if mark in header), ",")
