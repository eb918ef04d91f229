"""One field or one tile explained on the spot, for whoever looks at it; nothing is written."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np

from lungscan.errors import CaseError, UnreadableFile, UsageProblem
from lungscan.explaining.base import Explainer
from lungscan.explaining.tiles import explanation
from lungscan.inputs import discover, show
from lungscan.model.card import ModelCard, find_model
from lungscan.opening.choice import open_readers
from lungscan.opening.viewing import ViewedImage
from lungscan.options import Explain, ScanOptions
from lungscan.reading import TilePixels
from lungscan.runtimes import Runtime, load_runtime
from lungscan.types import BoxArray, Explanation, RgbBatch

Box = tuple[int, int, int, int]


def load_explainer(method: Explain, card: ModelCard, runtime: Runtime) -> Explainer:
    """What explains single tiles by ``method``.

    Raises:
        UsageProblem: there is no such method, or it is not exact for this model.
    """
    if method == "occlusion":
        from lungscan.explaining.occlusion import Occlusion

        return Occlusion(runtime)
    if method == "cam":
        from lungscan.explaining.cam import ClassMaps

        return ClassMaps(card)
    raise UsageProblem(f"Explanations are made by occlusion or cam, not by {method!r}.")


def explain(
    path: Path,
    box: Box | None = None,
    *,
    model: str = "lung-histology",
    method: Explain = "occlusion",
    label: str | None = None,
    mpp: float | None = None,
    device: str = "auto",
) -> Explanation:
    """Explain a field, or one tile of a slide or field; a child process reads the image.

    Args:
        box: x, y, width, height in level-0 pixels, as in ``tiles.csv``; of a field None takes the
            square it is, or the surest of its tiles.
        label: one of the model's class names; None takes the class with the highest probability.
        mpp: µm per level-0 pixel, for a field that does not say.

    Returns:
        The cells in natural logarithms of odds; ``lungscan.report.explained`` draws them.

    Raises:
        UsageProblem: a slide without ``box``, no such class or method.
        UnreadableFile, NoScale: the image cannot be read.
        ModelError, MachineError: there is no such model or device.
    """
    card = find_model(model)
    if label is not None and label not in card.class_names:
        raise UsageProblem(
            f"{card.name} knows no class {label!r}, but {', '.join(card.class_names)}."
        )
    runtime = load_runtime(card, device)
    explainer = load_explainer(method, card, runtime)
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
