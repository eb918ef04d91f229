"""Every name below an output folder, and what each looks like.

::

    out/
      cases.csv summary.pdf run.json   the tables of the run
      lungscan.sha256                  checksums of them and of every case
      cases/KEY/
        case.json                      the record; all other files of a case are made from it
        report.pdf tiles.csv           and, of each file of the case, ``numbered``:
        tiles.geojson heatmap.png
        review.json                    what a person said of the answer; no run removes it
        explanation.png                where it was asked for
        report.dcm classes.dcm         where it was asked for, of a case with a DICOM source

A run, the store, the reports, verification and whoever looks for images take them from here.
"""

from __future__ import annotations

import re
from pathlib import Path

TABLE, SUMMARY, RUN = "cases.csv", "summary.pdf", "run.json"
REVIEWS = "reviews.csv"  # of all reviewed cases below a folder
LIST = "lungscan.sha256"  # of checksums
LOCK = ".lungscan-lock"
CASES = "cases"  # the folder of the cases' folders
RECORD = "case.json"
REVIEW = "review.json"
REPORT, TILES, GEOJSON, HEATMAP = "report.pdf", "tiles.csv", "tiles.geojson", "heatmap.png"
SLICES = "slices.csv"  # in the place of TILES, of cases whose tiles are slices
EXPLANATION = "explanation.png"
DICOM_REPORT, DICOM_MAP = "report.dcm", "classes.dcm"

SHARDS = ".lungscan-shards"  # a folder: how the shards of a run know of each other
WATCH = ".lungscan-watch.json"  # how the files of a watched folder looked when they were read
STAGES = ".lungscan-cluster"  # a folder: what workers have finished and nobody has filed yet

OF_A_RUN = frozenset({CASES, TABLE, LIST, RUN, SUMMARY, LOCK, SHARDS, WATCH, STAGES})

# What may be removed: nothing else in the folder is ours, however alike its name.
PSEUDONYM = re.compile(r"case-[0-9a-f]{10}")  # never a key made from a name: those end in 8 digits
KEY = re.compile(r"[a-z0-9-]+-[0-9a-f]{8}|" + PSEUDONYM.pattern)  # a case's folder
TEMPORARY = re.compile(r"\.lungscan-[0-9a-f]{12}\.tmp")  # left by a killed process
JOURNAL = re.compile(r"\.tiles-\d+\.journal")
DERIVED = re.compile(
    r"report\.pdf|tiles\.csv|slices\.csv|tiles(-\d+)?\.geojson|heatmap(-\d+)?\.png|"
    r"explanation\.png|report\.dcm|classes(-\d+)?\.dcm|lungscan\.sha256|" + TEMPORARY.pattern
)
CASE_FILES = re.compile(r"case\.json|" + JOURNAL.pattern + "|" + DERIVED.pattern)
OF_A_CASE = re.compile(r"review\.json|" + CASE_FILES.pattern)  # whether it may be removed or not
RUN_FILES = re.compile(
    r"cases\.csv|summary\.pdf|run\.json|lungscan\.sha256|\.lungscan-watch\.json|"
    + TEMPORARY.pattern
)
COPIES = re.compile(r"(cases \(\d+\)\.csv|summary \(\d+\)\.pdf)")  # of tables open elsewhere


def case_folder(out: Path, key: str) -> Path:
    """The folder of one case."""
    return out / CASES / key


def record_name(key: str) -> str:
    """The record of a case, as the list of its run names it."""
    return f"{CASES}/{key}/{RECORD}"


def list_name(key: str) -> str:
    """The checksums of a case, as the list of its run names them."""
    return f"{CASES}/{key}/{LIST}"


def journal_name(file_index: int) -> str:
    """Where the scored tiles of a case's file are kept while it runs."""
    return f".tiles-{file_index}.journal"


def numbered(name: str, file_index: int) -> str:
    """``tiles.geojson`` for a case's first file, ``tiles-2.geojson`` for its second."""
    stem, dot, suffix = name.rpartition(".")
    return name if file_index == 0 else f"{stem}-{file_index + 1}{dot}{suffix}"
