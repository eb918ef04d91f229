"""One options record per job. Flag, TOML key and widget bear the field's name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Abstain = Literal["strict", "flag", "never"]
PdfChoice = Literal["auto", "cases", "summary", "none"]


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """All that ``lungscan classify`` can be told."""

    paths: tuple[Path, ...]
    out: Path
    model: str = "lung-histology"  # a shipped model's name, or a model folder
    device: str = "auto"  # auto, cpu, openvino, torch-cpu, cuda, cuda:N, mps
    mpp: float | None = None  # µm per level-0 pixel, for images that do not say
    overlap: float = 0.0  # share of a tile's side, 0 to 0.75
    batch_size: int | None = None  # None: chosen for the device
    threads: int | None = None  # None: every core this process may use
    cases: Path | None = None  # CSV with the columns file,case
    pdf: PdfChoice = "auto"  # auto: per-case files for slides and for at most 12 fields
    heatmap: bool = True
    geojson: bool = True
    rule: str = "tumour-aware"  # see lungscan.aggregate
    abstain: Abstain = "strict"
    fresh: bool = False  # True: forget what an earlier run left in ``out``
    timeout: float = 60.0  # seconds that reading may stand still before the file is given up
    isolate: bool = True  # read images in child processes; False: in this one, for debugging
    deidentify: bool = False  # show pseudonyms instead of the names of files, folders and cases
    names: Path | None = None  # where to write whose pseudonyms these are; outside of ``out``
