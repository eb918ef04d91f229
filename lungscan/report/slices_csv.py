"""``slices.csv``: one row per slice, in the order in which they lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lungscan.results.csv_table import number_cell, text_cell, write_csv
from lungscan.types import CaseResult, SeriesInfo, TileScores

_PLACE = ("slice", "position_mm")
_MEASURES = ("novelty", "lung_share")


def write_slices_csv(path: Path, result: CaseResult) -> None:
    """Write every slice: its number from 1, its place along the normal, probabilities and state.

    ``position_mm`` is empty where the file does not say it, as of a picture; ``lung_share`` is of
    the body. Cells of slices that could not be read are empty. A case of several files has a last
    column ``file``. Raises MachineError when the file cannot be written.
    """
    probs = tuple(f"prob_{name}" for name in result.model.class_names)
    files = ("file",) if len(result.relative_paths) > 1 else ()
    write_csv(path, _PLACE + probs + _MEASURES + ("state", *files), _rows(result, bool(files)))


def _rows(result: CaseResult, with_file: bool) -> Iterator[Sequence[str]]:
    for scores in result.scores:
        file = result.files[scores.file_index]
        name = [text_cell(file.relative_path)] if with_file else []
        lung = 1 - scores.quality.blank
        numbers = np.column_stack([scores.probs, scores.novelty, lung]).tolist()
        places = _places(scores, file.info.series)
        for place, values, state in zip(places, numbers, scores.state, strict=True):
            yield [*place, *(number_cell(value, 6) for value in values), state.value, *name]


def _places(scores: TileScores, series: SeriesInfo | None) -> Iterator[tuple[str, str]]:
    for row in range(len(scores.state)):
        where = series.positions_mm[row] if series and series.positions_mm else None
        yield str(row + 1), number_cell(where, 3)
