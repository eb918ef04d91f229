"""Which pictures a training run saw, by their content: a table in its folder ``training``."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable
from pathlib import Path

from lungscan.inputs.csv_input import read_table
from lungscan.results.atomic_files import write_atomic

WORK_FOLDER = "training"  # of a model folder
PICTURES_FILE = "pictures.csv"  # in it, beside the checkpoints
COLUMNS = ("file", "part", "sha256")


def write_pictures(work: Path, pictures: Iterable[tuple[str, str, str]]) -> None:
    """Keep of each picture its name, its part (``train``, ...) and the SHA-256 of its file."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows((COLUMNS, *pictures))
    write_atomic(work / PICTURES_FILE, text.getvalue().encode())


def digests_of_parts(work: Path, parts: Collection[str]) -> frozenset[str] | None:
    """The SHA-256 of the pictures in some parts of a run; None: it kept no such table.

    Raises:
        UsageProblem: the table is damaged.
    """
    if not (work / PICTURES_FILE).is_file():
        return None
    rows = read_table(work / PICTURES_FILE, COLUMNS)
    return frozenset(row["sha256"] for row in rows if row["part"] in parts)
