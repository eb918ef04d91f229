"""``cases.csv`` read back as a table with types, for notebooks and scripts."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lungscan.errors import NothingToDo
from lungscan.layout import TABLE
from lungscan.report.cases_csv import columns
from lungscan.results.case_json import DamagedRecord

if TYPE_CHECKING:
    import pandas as pd

_NUMBERS = ("confidence", "tissue_mm2", "mpp_um", "seconds")
_CLASS_NUMBERS = ("prob_", "area_mm2_")
_COUNTS = ("tiles", "tiles_used", "width", "height", "schema_version")
_MAY_BE_MISSING = ("label", "mpp_source")  # other texts are empty rather than missing


def read_results(out: Path) -> pd.DataFrame:
    """One row per case of a finished run, as ``cases.csv`` has them; docs/using.md has the columns.

    Numbers are float64 with NaN for "none" (``confidence``, ``prob_…``, ``area_mm2_…``,
    ``tissue_mm2``, ``mpp_um``, ``seconds``), counts are Int64 with NA (``tiles``, ``width`` …), all
    else is text: ``label`` and ``mpp_source`` are NA where there is none, others empty. A case
    called ``NA`` keeps its name.

    Args:
        out: the folder given to ``lungscan classify --out``.

    Raises:
        NothingToDo: there is no ``cases.csv``.
        DamagedRecord: it is no table of cases.
    """
    import pandas as pd

    path = out / TABLE
    try:
        header = _header(path)
        return pd.read_csv(
            path,
            encoding="utf-8",
            dtype=_types(header),
            keep_default_na=False,
            na_values={name: [""] for name in header if _missing_when_empty(name)},
        )
    except FileNotFoundError:
        raise NothingToDo(
            f"{out} holds no cases.csv; choose the folder that a finished run wrote."
        ) from None
    except ValueError as error:  # UnicodeDecodeError and all that pandas raises are such
        raise DamagedRecord(
            f"{path} is no table of cases ({error}). Have the tables of its "
            "folder written again (`lungscan report`)."
        ) from error


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file), [])
    if not set(columns(())) <= set(header):
        raise ValueError("columns are missing")
    return header


def _types(header: Sequence[str]) -> dict[str, str]:
    return {
        name: "float64" if _is_number(name) else "Int64" if name in _COUNTS else "string"
        for name in header
    }


def _is_number(name: str) -> bool:
    return name in _NUMBERS or name.startswith(_CLASS_NUMBERS)


def _missing_when_empty(name: str) -> bool:
    return _is_number(name) or name in _COUNTS or name in _MAY_BE_MISSING
