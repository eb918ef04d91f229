"""CSV as LungScan writes it: UTF-8, comma, decimal point, whatever the machine's locale.

No byte order mark: pandas, R, awk and QuPath would take it as part of the first column's name, and
today's Excel asks for the encoding on import. Text that a spreadsheet would run as a formula is
made harmless with a leading apostrophe (OWASP); numbers are left alone, so -0.5 stays a number.
The same holds after a semicolon, which separates cells where the comma is the decimal mark.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from lungscan.results.atomic_files import atomic_writer

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Wide forms count as well: spreadsheets of East Asia read them as the plain ones. An apostrophe
# that is there already gets another, so that no two names become the same cell.
_FORMULA = re.compile(r"(^|;)(?= *'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write finished cells, one row per line, streaming. The header may hold names of classes."""
    with atomic_writer(path) as file:
        # backslashreplace: a name with bytes that are not UTF-8 must not end the batch.
        stream = io.TextIOWrapper(file, "utf-8", errors="backslashreplace", newline="")
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(map(text_cell, header))
        writer.writerows(rows)
        stream.flush()
        stream.detach()


def text_cell(text: str) -> str:
    r"""A text cell on one line that no spreadsheet takes for a formula.

    Control characters are escaped (a line break as ``\n``); the name itself is in case.json.
    """
    harmless = _FORMULA.sub(r"\1'", text)
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), harmless)


def number_cell(value: float | None, decimals: int) -> str:
    """A number with fixed decimals; empty when there is none."""
    if value is None or not math.isfinite(value):
        return ""
    return f"{value + 0.0:.{decimals}f}"
