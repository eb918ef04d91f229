"""CSV as LungScan writes it: UTF-8, comma, decimal point, whatever the machine's locale.

No byte order mark: pandas, R, awk and QuPath would take it as part of the first column's name, and
today's Excel asks for the encoding on import. Text that a spreadsheet would run as a formula is
made harmless with a leading apostrophe (OWASP); numbers are left alone, so -0.5 stays a number.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from lungscan.report.files import atomic_writer

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write finished cells, one row per line, streaming."""
    with atomic_writer(path) as file:
        # backslashreplace: a name with bytes that are not UTF-8 must not end the batch.
        stream = io.TextIOWrapper(file, "utf-8", errors="backslashreplace", newline="")
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        stream.flush()
        stream.detach()


def text_cell(text: str) -> str:
    r"""A text cell on one line that no spreadsheet takes for a formula.

    Control characters are escaped (a line break as ``\n``); the name itself is in case.json.
    """
    plain = _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
    return f"'{plain}" if text.startswith(_FORMULA_STARTS) else plain


def number_cell(value: float | None, decimals: int) -> str:
    """A number with fixed decimals; empty when there is none."""
    if value is None or not math.isfinite(value):
        return ""
    return f"{value + 0.0:.{decimals}f}"
