"""``tiles.geojson``: the tiles as QuPath objects, to be dropped on the open slide."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import numpy as np

from lungscan.layout import GEOJSON, numbered
from lungscan.modalities.table import modality_of
from lungscan.report.legend import class_rgb
from lungscan.report.tiles_csv import measures
from lungscan.results.atomic_files import atomic_writer, put
from lungscan.types import CaseResult, TileScores, TileState

_NAMESPACE = UUID("6f0b1a2e-5c1d-5a4e-9b7a-2d7c3a1e8f40")  # LungScan's own, for uuid5
_MEASURE_NAMES = ("Novelty", "Focus", "Pen share", "Blank share", "Valid share", "Tissue share")
_dumps = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def has_geojson(result: CaseResult) -> bool:
    """Whether the tiles lie in a picture that QuPath could show."""
    return bool(result.scores) and modality_of(result.model.modality).maps


def write_tiles_geojson(folder: Path, result: CaseResult) -> list[Path]:
    """Write one FeatureCollection per image: ``tiles.geojson``, ``tiles-2.geojson``, ...

    Coordinates are level-0 pixels from the origin of OpenSlide's bounds, where QuPath's picture of
    the slide begins (its OpenslideImageServer crops to the bounds). Only tiles that counted for the
    answer carry a class. Object ids depend on the image, model and level-0 box alone, so that a
    second run gives the same objects. Returns where the files lie, see ``put``.
    """
    return [
        put(folder / numbered(GEOJSON, scores.file_index), partial(_write, result, scores))
        for scores in result.scores
    ]


def _write(result: CaseResult, scores: TileScores, path: Path) -> None:
    with atomic_writer(path) as file:
        file.write(b'{"type":"FeatureCollection","features":[')
        separator = b"\n"
        for feature in _features(result, scores):
            file.write(separator + _dumps(feature).encode("ascii"))
            separator = b",\n"
        file.write(b"\n]}\n")


def _features(result: CaseResult, scores: TileScores) -> Iterator[dict[str, Any]]:
    classes = _classifications(result)
    names = [f"prob_{name}" for name in result.model.class_names] + list(_MEASURE_NAMES)
    names += [] if scores.appearance is None else ["Appearance"]
    values = np.column_stack([scores.probs, measures(scores)]).astype(float).round(6).tolist()
    file = result.files[scores.file_index]
    image, origin = f"{file.sha256}:{result.model.sha256}", file.info.bounds_origin
    rows = zip(scores.boxes.tolist(), values, scores.state, strict=True)
    for box, row, state in rows:
        properties: dict[str, Any] = {
            "objectType": "tile",
            "isLocked": True,
            "measurements": {n: v for n, v in zip(names, row, strict=True) if math.isfinite(v)},
            "metadata": {"state": state.value},
        }
        probs = row[: len(classes)]
        if state is TileState.USED and all(map(math.isfinite, probs)):
            properties["classification"] = classes[probs.index(max(probs))]
        yield {
            "type": "Feature",
            "id": str(uuid5(_NAMESPACE, f"{image}:{box}")),
            "geometry": {"type": "Polygon", "coordinates": [_ring(box, origin)]},
            "properties": properties,
        }


def _classifications(result: CaseResult) -> list[dict[str, Any]]:
    colors = class_rgb(result.model)
    names = result.model.display_names
    return [{"name": name, "color": list(color)} for name, color in zip(names, colors, strict=True)]


def _ring(box: Sequence[int], origin: tuple[int, int]) -> list[list[int]]:
    """The box as a closed ring; anticlockwise as RFC 7946 counts, with y upwards."""
    x, y = box[0] - origin[0], box[1] - origin[1]
    right, bottom = x + box[2], y + box[3]
    return [[x, y], [right, y], [right, bottom], [x, bottom], [x, y]]
