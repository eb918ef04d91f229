"""What exports take from inside the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from lungscan.errors import UsageProblem
from lungscan.modalities.table import modality_of
from lungscan.results.review_json import Beside, answer_digest
from lungscan.types import CaseResult, Explanation
from lungscan_gui.explaining.engine import write_explanation


@dataclass(frozen=True, slots=True)
class Export:
    """A file that can be made from a result."""

    title: str
    suffix: str
    write: Callable[[Path], Path]  # where it lies in the end; raises MachineError


def report_of(result: CaseResult, beside: Beside | None = None) -> Export:
    """The report of a result, with the review that lies beside it or is about to.

    Raises:
        UsageProblem: the review is of another answer.
    """
    review = beside.review if beside else None
    if review is not None and review.answer_sha256 != answer_digest(result):
        words = "The review is of another answer than this report, so nothing was written."
        raise UsageProblem(f"{words} Choose the case again, then export its report.")
    return Export("Report (PDF)", ".pdf", partial(_write_pdf, result, beside))


def exports(
    result: CaseResult, file: int = 0, asked: tuple[Explanation, ...] = ()
) -> tuple[Export, ...]:
    """What can be made of a result, with the same bytes as the files of its run; first the report.

    ``file`` is the image whose map and GeoJSON are wanted, ``asked`` are explanations that were
    asked for beside the run's. The writers are imported when one of them is asked for: they load
    slowly.
    """
    modality = modality_of(result.model.modality)
    tiles = modality.words.tiles.capitalize()
    found = [report_of(result)]
    if result.scores:
        found.append(Export(f"{tiles} (CSV)", ".csv", partial(_write_csv, result)))
    if modality.maps and any(part.file_index == file for part in result.scores):
        title = f"{tiles} for QuPath (GeoJSON)"
        found.append(Export(title, ".geojson", partial(_write_geojson, result, file)))
        if result.files[file].thumbnail_jpeg:
            found.append(Export("Class map (PNG)", ".png", partial(_write_map, result, file)))
    if explained := (*(result.explained or ()), *asked):
        shown = replace(result, explained=explained)
        found.append(Export("Explanation (PNG)", ".png", partial(write_explanation, shown)))
    return tuple(found)


def _write_pdf(result: CaseResult, beside: Beside | None, path: Path) -> Path:
    from lungscan.report.pdf.case import write_case_pdf
    from lungscan.results.atomic_files import put

    return put(path, lambda draft: write_case_pdf(draft, result, beside))


def _write_csv(result: CaseResult, path: Path) -> Path:
    from lungscan.report.tiles_csv import write_tiles_csv
    from lungscan.results.atomic_files import put

    return put(path, lambda draft: write_tiles_csv(draft, result))


def _write_geojson(result: CaseResult, file: int, path: Path) -> Path:
    """The tiles of one file."""
    from lungscan.report.geojson import write_tiles_geojson
    from lungscan.results.atomic_files import write_atomic

    part = replace(result, scores=tuple(s for s in result.scores if s.file_index == file))
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        (made,) = write_tiles_geojson(Path(folder), part)
        data = made.read_bytes()
    write_atomic(path, data, durable=False)
    return path


def _write_map(result: CaseResult, file: int, path: Path) -> Path:
    from lungscan.report.heatmap import render_heatmap
    from lungscan.results.atomic_files import write_atomic

    write_atomic(path, render_heatmap(result, file), durable=False)
    return path
