"""The files that make up one slide when it has several: MIRAX, Hamamatsu VMS and VMU, DICOM."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from lungscan.inputs.dicom import series_uid
from lungscan.inputs.kinds import FIELD_SUFFIXES, SLIDE_SUFFIXES, why_not
from lungscan.inputs.names import natural
from lungscan.types import CaseInput

_INDEX_BYTES = 1 << 20
_MOST_NAMED = 3  # cases, where one sentence tells of many
NAMED_BY_INDEX = frozenset({".mrxs", ".vms", ".vmu"})  # slides whose index file bears their name


class PartFinder:
    """Tells which files belong to a slide; reads the headers of a DICOM folder only once."""

    def __init__(self) -> None:
        self._series: dict[Path, dict[str, list[Path]]] = {}

    def parts_of(self, path: Path) -> tuple[Path, ...]:
        """All files of the slide that ``path`` belongs to, in a stable order; () when alone.

        A slide whose parts cannot be listed counts as one file: opening it says what is wrong.
        """
        try:
            match path.suffix.lower():
                case ".mrxs":
                    return _mirax(path)
                case ".vms" | ".vmu":
                    return _hamamatsu(path)
                case suffix if _may_be_dicom(suffix):
                    return self._dicom(path)
        except OSError:
            pass
        return ()

    def _dicom(self, path: Path) -> tuple[Path, ...]:
        folder = path.parent
        uid = series_uid(path)
        if uid is None:
            return ()
        if folder not in self._series:
            self._series[folder] = _series_in(folder)
        return tuple(self._series[folder].get(uid, ()))


def scattered(cases: Sequence[CaseInput]) -> tuple[str, ...]:
    """A sentence about CT series that are several cases, because each folder is one."""
    found: dict[str, list[str]] = defaultdict(list)  # names of cases
    for case in cases:
        series = (file.path for file in case.files if file.kind == "series")
        for uid in {uid for path in series if (uid := series_uid(path))}:
            found[uid].append(case.case_id)
    several = [names for names in found.values() if len(names) > 1]
    if not several:
        return ()
    which = "one series lie" if len(several) == 1 else f"{len(several):,} series lie"
    named = ", ".join(several[0][:_MOST_NAMED]) + ", ..." * (len(several[0]) > _MOST_NAMED)
    such = ": " if len(several) == 1 else ", such as "
    return (
        f"Slices of {which} in several folders{such}{named}. Each folder is a case, and its answer "
        "stands for its slices alone; put the slices of a series into one folder.",
    )


def _mirax(path: Path) -> tuple[Path, ...]:
    folder = path.with_suffix("")
    return (path, *(part for part in _listing(folder) if part.is_file()))


def _hamamatsu(path: Path) -> tuple[Path, ...]:
    """Find the files beside an index that it names.

    Only plain names count: a path inside a data file is never followed out of its folder.
    """
    with path.open("rb") as stream:
        lines = stream.read(_INDEX_BYTES).splitlines()
    named = {value.strip() for _, _, value in (line.partition(b"=") for line in lines)}
    siblings = (part for part in _listing(path.parent) if os.fsencode(part.name) in named)
    return (path, *(part for part in siblings if part.is_file()))


def _series_in(folder: Path) -> dict[str, list[Path]]:
    series: dict[str, list[Path]] = defaultdict(list)
    for path in _listing(folder):
        if not _may_be_dicom(path.suffix.lower()) or not path.is_file() or why_not(path):
            continue
        if uid := series_uid(path):
            series[uid].append(path)
    return series


def _may_be_dicom(suffix: str) -> bool:
    """Whether a name leaves it open: files of DICOM are often called IM000001, or by numbers."""
    return suffix == ".dcm" or suffix not in SLIDE_SUFFIXES | FIELD_SUFFIXES


def _listing(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return [folder / name for name in sorted((e.name for e in entries), key=natural)]
