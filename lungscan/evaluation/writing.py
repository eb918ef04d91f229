"""The files of an evaluation or a comparison."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lungscan.evaluation.gallery import error_page, error_sheet
from lungscan.evaluation.markdown import comparison_section, section
from lungscan.evaluation.records import Comparison, Evaluation
from lungscan.evaluation.tables import (
    write_changes,
    write_metrics,
    write_predictions,
    write_robustness,
)
from lungscan.results.atomic_files import machine_error, write_atomic
from lungscan.results.codec import encode

NEEDS_MATPLOTLIB = (
    "Figures were not drawn, because matplotlib is not installed: "
    '`python -m pip install "lungscan-histology[train]"` brings it.'
)
FIGURES = ("confusion.png", "roc.png", "reliability.png", "coverage.png", "robustness.png")
_SOMETIMES = (*FIGURES, "robustness.csv")  # an earlier evaluation may have left them


@dataclass(frozen=True)
class Written:
    """What lies in the folder now."""

    files: tuple[str, ...]
    note: str  # why something is missing; "" when nothing is


def write_evaluation(evaluation: Evaluation, out: Path, root: Path) -> Written:
    """Write JSON, tables, Markdown, the errors as pictures and, with matplotlib, the figures.

    Args:
        evaluation: what was measured.
        out: folder for the files; those of an earlier evaluation are replaced.
        root: the data folder, for the pictures of errors.

    Raises:
        MachineError: a file cannot be written.
    """
    _remove_stale(out)
    _write_json(out / "evaluation.json", dataclasses.replace(evaluation, answers=()))
    write_metrics(out / "metrics.csv", evaluation)
    write_predictions(out / "predictions.csv", evaluation)
    files = ["evaluation.json", "metrics.csv", "predictions.csv"]
    if evaluation.robustness:
        write_robustness(out / "robustness.csv", evaluation)
        files.append("robustness.csv")
    figures, note = drawn_figures(evaluation)
    paths = {answer.file: root / answer.file for answer in evaluation.answers}
    figures["errors.png"] = error_sheet(evaluation, paths)
    for name, data in figures.items():
        write_atomic(out / name, data, durable=False)
    _write_text(out / "errors.html", error_page(evaluation, paths))
    _write_text(out / "evaluation.md", section(evaluation, tuple(figures)))
    return Written((*files, *figures, "errors.html", "evaluation.md"), note)


def write_comparison(comparison: Comparison, out: Path) -> Written:
    """Write JSON, the table of changed answers and Markdown. Raises MachineError."""
    _write_json(out / "comparison.json", comparison)
    write_changes(out / "changes.csv", comparison)
    _write_text(out / "comparison.md", comparison_section(comparison))
    return Written(("comparison.json", "changes.csv", "comparison.md"), "")


def as_data(record: Evaluation | Comparison) -> dict[str, Any]:
    """The record as JSON values; what is no number becomes null."""
    return encode(record)


def drawn_figures(evaluation: Evaluation) -> tuple[dict[str, bytes], str]:
    """The figures by name, or none and the reason."""
    try:
        from lungscan.evaluation.plots import draw_figures
    except ImportError as error:
        if (error.name or "").split(".")[0] == "lungscan":
            raise
        return {}, NEEDS_MATPLOTLIB
    return draw_figures(evaluation), ""


def _write_json(path: Path, record: Evaluation | Comparison) -> None:
    text = json.dumps(encode(record), ensure_ascii=False, allow_nan=False, indent=1)
    _write_text(path, text + "\n")


def _write_text(path: Path, text: str) -> None:
    write_atomic(path, text.encode("utf-8", "backslashreplace"), durable=False)


def _remove_stale(out: Path, names: Sequence[str] = _SOMETIMES) -> None:
    for name in names:
        try:
            with suppress(FileNotFoundError, NotADirectoryError):
                (out / name).unlink()
        except OSError as error:
            raise machine_error(error, out / name) from error
