"""The tiles of a file that are explained: of a field the one it is, of others the surest few."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from lungscan.classification.aggregate import gather
from lungscan.classification.case_record import EXPLAINED_TILES
from lungscan.classification.decide import decide
from lungscan.classification.scoring import Scorer
from lungscan.explaining.base import Explainer
from lungscan.model.card import ModelCard
from lungscan.opening.plan import Plan, to_jpeg
from lungscan.options import AnswerOptions
from lungscan.reading import TilePixels
from lungscan.types import Explanation, RgbArray, TileScores, TileState

_QUALITY = 88  # of the JPEG that is kept


def explain_file(
    planned: Plan,
    scores: TileScores,
    scorer: Scorer,
    options: AnswerOptions,
    pixels: TilePixels | None = None,
) -> tuple[Explanation, ...] | None:
    """Explain the tiles that speak most surely for a file's own answer; () if it has none.

    None where nobody asked. ``pixels`` are those of all tiles, where they were read already.
    """
    if scorer.explainer is None:
        return None
    answer = _answer(planned, scores, scorer.card, options)
    if answer is None:
        return ()
    rows = _surest(scores, answer)
    if pixels is None:
        pixels = planned.source.read_tiles(scores.boxes[rows], planned.grid.size_px)
    else:
        pixels = TilePixels(pixels.rgb[rows], pixels.valid[rows], pixels.failed[rows])
    found = [
        explanation(scorer.explainer, rgb, answer, box_of(scores, row), scores.file_index)
        for row, rgb in zip(rows, pixels.rgb, strict=True)
    ]
    # The probability is the run's, which may compute in another precision than the maps.
    return tuple(
        replace(part, probability=float(scores.probs[row, answer]))
        for row, part, failed in zip(rows, found, pixels.failed, strict=True)
        if not failed
    )


def _answer(
    planned: Plan, scores: TileScores, card: ModelCard, options: AnswerOptions
) -> int | None:
    """The class that this file alone would get; None where it would get none."""
    names = card.class_names
    evidence = gather([scores], [planned.result.tissue_mm2], len(names))
    prediction, _ = decide(evidence, card, options.rule, options.abstain)
    return None if prediction.label is None else names.index(prediction.label)


def explanation(
    explainer: Explainer,
    rgb: RgbArray,
    class_index: int,
    box: tuple[int, int, int, int],
    file_index: int = 0,
) -> Explanation:
    """The record of one tile ``(s, s, 3)`` at the network's size."""
    cells = explainer.explain(rgb, class_index)
    return Explanation(
        method=explainer.method,
        file_index=file_index,
        box=box,
        class_index=class_index,
        probability=cells.probability,
        cells=cells.values,
        score=cells.score,
        rest=cells.rest,
        lowest=cells.lowest,
        jpeg=to_jpeg(Image.fromarray(rgb), _QUALITY),
    )


def box_of(scores: TileScores, row: int) -> tuple[int, int, int, int]:
    """Where a tile lies, in level-0 pixels."""
    x, y, width, height = (int(value) for value in scores.boxes[row])
    return x, y, width, height


def _surest(scores: TileScores, answer: int) -> list[int]:
    """Rows of the tiles with the highest probability of a class, those used before all others."""
    known = np.flatnonzero(np.isfinite(scores.probs[:, answer])).tolist()
    used = [row for row in known if scores.state[row] is TileState.USED]
    ranked = sorted(used or known, key=lambda row: (-float(scores.probs[row, answer]), row))
    return ranked[:EXPLAINED_TILES]
