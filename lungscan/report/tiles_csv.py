"""``tiles.csv``: one row per tile, in the columns that WSInfer writes, then LungScan's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lungscan.layout import SLICES, TILES
from lungscan.modalities.table import modality_of
from lungscan.report.slices_csv import write_slices_csv
from lungscan.results.csv_table import number_cell, text_cell, write_csv
from lungscan.types import CaseResult, TileScores

_BOX = ("minx", "miny", "width", "height")
_MEASURES = ("novelty", "focus", "pen", "blank", "valid", "tissue_fraction")
_APPEARANCE = "appearance"  # a last measure, of models that know it


def table_name(result: CaseResult) -> str:
    """What the table of a case's tiles is called."""
    return SLICES if modality_of(result.model.modality).slices else TILES


def write_tiles_csv(path: Path, result: CaseResult) -> None:
    """Write every planned tile: its box in level-0 pixels, probabilities, quality and state.

    Cells of tiles that could not be read are empty. A case of several files has a last column
    ``file``. Slices of CT have a table of their own. Raises MachineError when the file cannot be
    written.
    """
    probs = tuple(f"prob_{name}" for name in result.model.class_names)
    files = ("file",) if len(result.relative_paths) > 1 else ()
    known = (_APPEARANCE,) if any(s.appearance is not None for s in result.scores) else ()
    if modality_of(result.model.modality).slices:
        write_slices_csv(path, result)
        return
    columns = _BOX + probs + _MEASURES + known + ("state",) + files
    write_csv(path, columns, _rows(result, bool(files)))


def _rows(result: CaseResult, with_file: bool) -> Iterator[Sequence[str]]:
    for scores in result.scores:
        name = [text_cell(file_name(result, scores.file_index))] if with_file else []
        numbers = np.column_stack([scores.probs, measures(scores)]).tolist()
        for box, values, state in zip(scores.boxes.tolist(), numbers, scores.state, strict=True):
            cells = [number_cell(value, 6) for value in values]
            yield [*map(str, box), *cells, state.value, *name]


def measures(scores: TileScores) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """What was measured beside the probabilities, (n, 6 or 7), in the order of the columns."""
    quality = scores.quality
    parts = (scores.novelty, quality.focus, quality.pen, quality.blank, quality.valid)
    known = () if scores.appearance is None else (scores.appearance,)
    return np.column_stack([*parts, scores.tissue_fraction, *known]).astype(np.float32, copy=False)


def file_name(result: CaseResult, file_index: int) -> str:
    """The file that ``TileScores.file_index`` means."""
    return result.files[file_index].relative_path
