"""The page of figures: a section for each processor, so that none is lost by a new measuring."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

from peer_kind import Kind

TITLE = "# LungScan beside its peers"
INTRO = """\
Random weights: the figures are of speed alone. Each section is of one processor. A new measuring
(`--write`) replaces the section of its own and keeps the others."""
SECTION = "## On "
MEANING = "## What the figures mean"
NOTES = """\
- **s** is the whole process, from its start to its end: imports, finding the tissue, reading,
  scoring, writing. Median of the runs; **tiles** as each program counts them itself (each finds the
  tissue in its own way); **tiles/s** is their ratio.
- **While inferring** is what more tiles cost: the difference of tiles by the difference of seconds
  between two sizes of the same drawing. Start-up falls out, and nothing inside a program is
  touched; what grows with the slide (hashing, reports) counts.
- **Network alone**: ready batches from memory, same network, threads and precision; the better of
  OpenVINO's own queue and LungScan's runtime.
- **Decoding alone**: the JPEG tiles of the slide, or the fields, decoded from memory by the same
  libraries, fields brought to the network's size; counted in squares of one tile. The slide's glass
  is among them and costs less than tissue. With the network on the same cores, that is the most
  that could be done here: a larger share of the network alone is out of reach.
- **Peak** is the proportional memory of all processes together, looked at while they run, or the
  largest single process if that was more. **Read** is what read calls returned, the page cache
  included. GB are 10⁹ bytes.
- All programs of a section get the same network with random weights, which its line "Model" names;
  the newest is {architecture}, {size_px} px at
  {spacing_um:.3g} µm/px (the slides have 0.5). As many workers as cores: WSInfer
  `--num-workers` with its default batch of 32, TIAToolbox `num_workers` with the same batch,
  LungScan `--threads`. torch uses its default threads besides.
- LungScan hashes the slide, judges every tile and writes PDF, heat map, tables and GeoJSON;
  WSInfer writes CSV and GeoJSON, TIAToolbox zarr."""


def page(section: str, earlier: str, kind: Kind) -> str:
    """The whole page: an ``earlier`` one's sections with this one new, or in its own's place."""
    parts = {_heading(part): part for part in _sections(earlier)}
    parts[_heading(section)] = section.strip()
    return (
        "\n\n".join([TITLE, INTRO, *parts.values(), MEANING, NOTES.format(**asdict(kind))]) + "\n"
    )


def write_page(path: Path, section: str, kind: Kind) -> None:
    """Put a section into the page at ``path``, which need not be there yet."""
    earlier = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(page(section, earlier, kind), encoding="utf-8")


def _sections(text: str) -> list[str]:
    """The processors' sections of a page, each up to the next heading of its rank."""
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    return [part.strip() for part in parts if part.startswith(SECTION)]


def _heading(section: str) -> str:
    return section.strip().splitlines()[0]
