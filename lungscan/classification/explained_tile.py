"""One field or one tile explained on the spot, for whoever looks at it; nothing is written."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np

from lungscan.classification.explained_case import explanation
from lungscan.errors import CaseError, UnreadableFile, UsageProblem
from lungscan.explaining import load_explainer
from lungscan.inputs import discover, show
from lungscan.model.card import ModelCard
from lungscan.model.checked import find_model
from lungscan.opening.choice import open_readers
from lungscan.opening.viewing import ViewedImage
from lungscan.options import Explain, ScanOptions
from lungscan.reading import TilePixels
from lungscan.runtimes import load_runtime
from lungscan.types import BoxArray, Explanation, RgbBatch

Box = tuple[int, int, int, int]


def explain_tile(
    path: Path,
    box: Box | None = None,
    *,
    model: str,
    method: Explain,
    label: str | None,
    mpp: float | None,
    device: str,
) -> Explanation:
    """See ``lungscan.explain``."""
    card = find_model(model)
    if label is not None and label not in card.class_names:
        raise UsageProblem(
            f"{card.name} knows no class {label!r}, but {', '.join(card.class_names)}."
        )
    runtime = load_runtime(card, device)
    explainer = load_explainer(method, card, runtime)
    if explainer is None:
        raise UsageProblem(f"Explanations are made by occlusion or cam, not by {method!r}.")
    boxes, tiles = _tiles(path, box, card, mpp)
    probs, _ = runtime.predict(tiles)
    answer = int(probs.max(0).argmax()) if label is None else card.class_names.index(label)
    row = int(probs[:, answer].argmax())
    x, y, width, height = (int(value) for value in boxes[row])
    return explanation(explainer, tiles[row], answer, (x, y, width, height))


def _tiles(
    path: Path, box: Box | None, card: ModelCard, mpp: float | None
) -> tuple[BoxArray, RgbBatch]:
    """Boxes and pixels ``(n, s, s, 3)`` that the question is about, at the network's size."""
    if box is not None:
        boxes = np.array([box], np.int32)
        if boxes[0, 2:].min() < 1:
            raise UsageProblem("A box is x, y, width, height, at least one pixel each way.")
        with ViewedImage(path, mpp, threads=1, tile_px=card.patch_size_pixels) as image:
            pixels = image.read(boxes)
    else:
        boxes, pixels = _planned(path, card, mpp)
    if pixels.failed.all():
        raise UnreadableFile(f"The tile of {show(path.name)} cannot be read.")
    return boxes[~pixels.failed], pixels.rgb[~pixels.failed]


def _planned(path: Path, card: ModelCard, mpp: float | None) -> tuple[BoxArray, TilePixels]:
    """The squares or tiles that a run would take of a field."""
    files = [file for case in discover((path,)).cases for file in case.files]
    if len(files) != 1 or files[0].kind == "slide":
        raise UsageProblem(
            f"{show(path.name)} is not a single field; name one, or say which tile with its box."
        )
    options = ScanOptions((path,), path, mpp=mpp)
    with open_readers(options, card, 1) as readers:
        (opened,) = readers.fields(files, picture=True)  # with a picture it stays open
        if isinstance(opened, CaseError):
            raise opened
        with closing(opened.plan.source) as source:
            if source.kind == "slide":
                raise UsageProblem(f"{show(path.name)} is a slide; say which tile with its box.")
            grid = opened.plan.grid
            return grid.boxes, opened.pixels or source.read_tiles(grid.boxes, grid.size_px)
