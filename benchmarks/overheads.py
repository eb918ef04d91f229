"""What runs beside the network: CPU milliseconds of each step, per slide and per tile.

    python benchmarks/overheads.py SLIDE [--model NAME] [--repeats N] [--json FILE]

The network is left out: drawn answers stand in for its own, so that every step after it has work
to do. CPU time of all threads, the least of ``--repeats`` turns: a busy machine disturbs it little.
Reading the overview and the tiles is given beside the steps, to show what they cost against it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from lungscan.classification.aggregate import count, gather
from lungscan.classification.case_record import RunContext, finished_case, scored_file
from lungscan.classification.pictures import pick_pictures
from lungscan.classification.scoring import Scorer, TileBatch, join
from lungscan.inputs import discover
from lungscan.modalities.histology.quality import measure_quality
from lungscan.model.card import ModelCard
from lungscan.model.checked import find_model
from lungscan.model.novelty import Novelty, load_novelty
from lungscan.opening import plan as prepare
from lungscan.opening.plan import Plan, plan_file
from lungscan.options import ScanOptions
from lungscan.reading import ImageSource, TilePixels, open_source
from lungscan.report.geojson import write_tiles_geojson
from lungscan.report.heatmap import render_heatmap
from lungscan.report.pdf.case import write_case_pdf
from lungscan.report.tiles_csv import write_tiles_csv
from lungscan.results.case_json import from_json, to_json
from lungscan.results.provenance import settings_of, utc_now
from lungscan.tiles.grid import plan_grid, tissue_area_mm2
from lungscan.types import CaseInput, CaseResult, FloatArray, RgbBatch

BATCH = 16  # as lungscan.runtimes chooses on a CPU
T = TypeVar("T")


@dataclass
class DrawnAnswers:
    """A runtime that answers at once, with features like those of training."""

    card: ModelCard
    novelty: Novelty
    device: str = "none"
    batch_size: int = BATCH

    def predict(self, batch: RgbBatch) -> tuple[FloatArray, FloatArray]:
        """Random answers, as sure as a trained network's."""
        rng = np.random.default_rng(int(batch[0, :8, :8].sum()))
        classes, (features, _) = len(self.card.class_names), self.novelty.basis.shape
        probs = rng.dirichlet(np.full(classes, 0.2), len(batch)).astype(np.float32)
        noise = rng.normal(0, 0.01, (len(batch), features)).astype(np.float32)
        return probs, self.novelty.centre + noise


class Stopwatch:
    """Collects the least CPU milliseconds of each step, in the order of their first turn."""

    def __init__(self, repeats: int) -> None:
        self.milliseconds: dict[str, float] = {}
        self._repeats = repeats

    def time(self, step: str, work: Callable[[], T]) -> T:
        """Run ``work`` several times and note its best; return what it gave."""
        best = float("inf")
        for _ in range(self._repeats):
            begun = time.process_time()
            result = work()
            best = min(best, time.process_time() - begun)
        self.milliseconds[step] = best * 1e3
        return result


def measure(slide: Path, card: ModelCard, repeats: int) -> tuple[dict[str, float], int]:
    """CPU milliseconds of each step for the whole slide, and its number of tiles."""
    watch = Stopwatch(repeats)
    case = discover((slide,)).cases[0]
    options = ScanOptions(paths=(slide,), out=Path())
    novelty = load_novelty(card.folder / "novelty.safetensors")
    scorer = Scorer(card, DrawnAnswers(card, novelty), novelty)
    planned = plan_file(case.files[0], options, card, picture=True)
    source = open_source(case.files[0], options.mpp)
    try:
        _before(watch, source, card)
        pixels = watch.time("(reading all tiles)", lambda: list(_pixels(planned)))
        batches = _network(watch, planned, pixels, scorer)
        result = _after(watch, planned, batches, case, options, card)
    finally:
        planned.source.close()
        source.close()
    with tempfile.TemporaryDirectory() as folder:
        _files(watch, result, Path(folder))
    return watch.milliseconds, len(planned.grid.boxes)


def _before(watch: Stopwatch, source: ImageSource, card: ModelCard) -> None:
    info = source.info
    overview = watch.time("(reading the overview)", source.overview)
    mask = watch.time("tissue mask", lambda: prepare.tissue_of(source, overview))
    side, spacing = card.patch_size_pixels, card.spacing_um_px
    watch.time(
        "grid",
        lambda: plan_grid(mask, info.width, info.height, info.scale, side, spacing),
    )
    watch.time("tissue area", lambda: tissue_area_mm2(mask, info.scale))
    watch.time("thumbnail", lambda: prepare._thumbnail(overview))


def _pixels(planned: Plan) -> Iterator[TilePixels]:
    boxes = planned.grid.boxes
    for at in range(0, len(boxes), BATCH):
        yield planned.source.read_tiles(boxes[at : at + BATCH], planned.grid.size_px)


def _network(
    watch: Stopwatch, planned: Plan, pixels: list[TilePixels], scorer: Scorer
) -> list[TileBatch]:
    watch.time("quality", lambda: [measure_quality(p.rgb, p.valid) for p in pixels])
    answers = watch.time("(drawn answers)", lambda: [scorer.runtime.predict(p.rgb) for p in pixels])
    watch.time("novelty", lambda: [scorer.novelty.score(features) for _, features in answers])
    parts = np.split(planned.fraction, range(BATCH, len(planned.fraction), BATCH))
    return watch.time(
        "(scoring in all)",
        lambda: [scorer.score(p, part) for p, part in zip(pixels, parts, strict=True)],
    )


def _after(
    watch: Stopwatch,
    planned: Plan,
    batches: list[TileBatch],
    case: CaseInput,
    options: ScanOptions,
    card: ModelCard,
) -> CaseResult:
    classes = len(card.class_names)
    scores = watch.time("join", lambda: join(batches, planned.grid.boxes, 0, classes))
    watch.time("pictures", lambda: pick_pictures(planned, scores, card))
    area = planned.result.tissue_mm2
    watch.time("evidence", lambda: count(gather([scores], [area], classes)))
    run = RunContext(options, card, "none", *settings_of(options, card))
    file = scored_file(planned, batches, card, picture=True)
    result = watch.time(
        "decision and record", lambda: finished_case(case, run, [file], [], utc_now(), 1.0)
    )
    return replace(result, finished_utc=result.started_utc)


def _files(watch: Stopwatch, result: CaseResult, folder: Path) -> None:
    record = watch.time("case.json", lambda: to_json(result))
    watch.time("(reading case.json)", lambda: from_json(record))
    watch.time("tiles.csv", lambda: write_tiles_csv(folder / "tiles.csv", result))
    watch.time("tiles.geojson", lambda: write_tiles_geojson(folder, result))
    watch.time("heatmap.png", lambda: render_heatmap(result))
    watch.time("report.pdf", lambda: write_case_pdf(folder / "report.pdf", result))


def table(milliseconds: dict[str, float], tiles: int) -> str:
    """The steps as a table; those in brackets are no overhead, or counted elsewhere."""
    lines = [f"{'step':<24}{'ms a slide':>12}{'ms a tile':>12}"]
    own = {step: value for step, value in milliseconds.items() if not step.startswith("(")}
    for step, value in (milliseconds | {"sum without brackets": sum(own.values())}).items():
        lines.append(f"{step:<24}{value:>12.1f}{value / max(tiles, 1):>12.4f}")
    return "\n".join(lines)


def main() -> None:
    """Measure one slide."""
    parser = argparse.ArgumentParser(description="CPU time of what runs beside the network.")
    parser.add_argument("slide", type=Path)
    parser.add_argument("--model", default="lung-histology")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    milliseconds, tiles = measure(given.slide, find_model(given.model), given.repeats)
    print(f"{given.slide.name}: {tiles:,} tiles\n")
    print(table(milliseconds, tiles))
    if given.json:
        given.json.write_text(json.dumps({"tiles": tiles, "milliseconds": milliseconds}))


if __name__ == "__main__":
    main()
