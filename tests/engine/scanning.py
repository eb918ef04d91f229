"""Helpers to run a scan in a test and to look at what it left."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from lungscan.events import CaseFinished, ScanEvent
from lungscan.options import ScanOptions
from lungscan.results.case_json import from_json
from lungscan.scanning.scan import scan
from lungscan.types import CaseResult
from tests.drawing import draw_he, draw_slide, write_svs

SLIDE_TISSUE = ((0.1, 0.1, 0.9, 0.9),)


def options(model: Path, out: Path, *paths: Path, **changes: object) -> ScanOptions:
    """Options of a quick scan: two threads, no pictures."""
    quick = ScanOptions(
        paths=paths,
        out=out,
        model=str(model),
        threads=2,
        pdf="none",
        heatmap=False,
        geojson=False,
        isolate=False,
    )
    return replace(quick, **changes)  # type: ignore[arg-type]


def run(chosen: ScanOptions) -> list[ScanEvent]:
    """Every event of a scan."""
    return list(scan(chosen))


def results(events: Sequence[ScanEvent]) -> dict[str, CaseResult]:
    """The finished cases by id."""
    return {e.result.case_id: e.result for e in events if isinstance(e, CaseFinished)}


def stored(out: Path) -> dict[str, CaseResult]:
    """The records on the disk by id."""
    found = [from_json(path.read_bytes()) for path in out.glob("cases/*/case.json")]
    return {result.case_id: result for result in found}


def rows(out: Path) -> list[dict[str, str]]:
    """``cases.csv``."""
    with (out / "cases.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def files_below(folder: Path) -> set[str]:
    """Every file, relative."""
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def make_slide(path: Path, width: int = 1024, height: int = 768, **changes: object) -> Path:
    """A small slide full of tissue: 48 tiles at most."""
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = draw_slide(width, height, tissue=SLIDE_TISSUE)
    return write_svs(path, drawn, **changes)  # type: ignore[arg-type]


def make_field(path: Path, side: int = 200, seed: int = 0) -> Path:
    """A small field image without a scale."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(draw_he(side, side, seed))).save(path)
    return path
