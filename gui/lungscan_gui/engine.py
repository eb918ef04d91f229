"""All that the window takes from inside the engine; no other module here imports from there.

Words, numbers and looks come from where the reports take them, so that screen and paper agree.
Beside this module only ``lungscan.errors``, ``events``, ``options`` and ``types`` are imported.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from lungscan import __version__, processes
from lungscan.events import ScanEvent
from lungscan.inputs import discover, show
from lungscan.model.card import ModelCard, find_model, list_models
from lungscan.opening.launch import Launched, beforehand
from lungscan.opening.messages import receive, send
from lungscan.opening.viewing import VIEW_PX, ViewedImage
from lungscan.options import ScanOptions
from lungscan.report.legend import (
    UNCERTAIN_BELOW,
    ScaleBar,
    class_letters,
    class_rgb,
    on_color,
    scale_bar,
    used_counts,
)
from lungscan.report.wording import (
    RESEARCH_USE,
    STATE_NAMES,
    answer_line,
    area,
    cure,
    duration,
    explanation,
    failure,
    flag_text,
    headline,
    moment,
    percent,
    pixel_size,
    probability,
)
from lungscan.types import CaseInput, CaseResult

__all__ = [
    "RESEARCH_USE",
    "STATE_NAMES",
    "UNCERTAIN_BELOW",
    "VIEW_PX",
    "CaseInput",
    "Export",
    "Launched",
    "ModelCard",
    "ScaleBar",
    "ViewedImage",
    "__version__",
    "answer_line",
    "area",
    "beforehand",
    "class_letters",
    "class_rgb",
    "cure",
    "duration",
    "explanation",
    "exports",
    "failure",
    "find_cases",
    "find_model",
    "flag_text",
    "flags_of",
    "headline",
    "holds_results",
    "list_models",
    "make_demo_slide",
    "moment",
    "on_color",
    "percent",
    "pixel_size",
    "probability",
    "processes",
    "read_run",
    "receive",
    "results_folder",
    "scale_bar",
    "scan",
    "send",
    "show",
    "time_network",
    "used_counts",
]

TIMED_ROUNDS = 4
CM2_UM2 = 1e8


ScanEvents = Generator[ScanEvent, None, None]


def scan(options: ScanOptions, launched: Launched | None, stop: Event) -> ScanEvents:
    """``lungscan.scanning.scan.scan``; imported late, because it loads the network's libraries."""
    from lungscan.scanning.scan import scan as run

    return run(options, launched, stop)


def find_cases(paths: Iterable[Path]) -> tuple[CaseInput, ...]:
    """The images below ``paths``, in the order in which a run would take them.

    Raises:
        UsageProblem: none of the paths exists.
    """
    return discover(tuple(paths)).cases


def flags_of(result: CaseResult) -> list[str]:
    """The flags of a case as sentences, as its report lists them."""
    from lungscan.report.cases_csv import all_flags

    return [flag_text(flag) for flag in all_flags(result)]


def results_folder(root: Path, options: ScanOptions) -> Path:
    """Where below ``root`` the results of these inputs with these options lie.

    The same inputs, model and answer options always give the same folder, so that a run that was
    stopped goes on where it was, and one with other options gets a folder of its own.
    """
    first = options.paths[0]
    name = show(first.stem if len(options.paths) == 1 else first.parent.name) or "cases"
    parts = (options.model, options.mpp, options.overlap, options.rule, options.abstain)
    told = "\n".join([*map(repr, parts), *(str(path.absolute()) for path in options.paths)])
    safe = "".join(c if c.isalnum() or c in " ._-" else "_" for c in name)[:60].strip(" .")
    digest = sha256(told.encode("utf-8", "surrogateescape")).hexdigest()
    return root / f"{safe or 'cases'}-{digest[:8]}"


# Finished runs ----------------------------------------------------------------------------------


def holds_results(folder: Path) -> bool:
    """Whether a folder is that of a run."""
    return any((folder / "cases").glob("*/case.json"))


def read_run(out: Path) -> tuple[tuple[CaseResult, ...], tuple[str, ...]]:
    """``lungscan.report.write.recorded_cases``: results and problems; nothing is computed.

    Raises:
        NothingToDo: the folder holds no results.
    """
    from lungscan.report.write import recorded_cases

    return recorded_cases(out)


# Exports ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Export:
    """A file that can be made from a result."""

    title: str
    suffix: str
    write: Callable[[Path], None]  # raises MachineError


def exports(result: CaseResult) -> tuple[Export, ...]:
    """What can be made of a result, with the same bytes as the files of its run.

    The writers are imported when one of them is asked for: they load slowly.
    """
    found = [Export("Report (PDF)", ".pdf", partial(_write_pdf, result))]
    if result.scores:
        found += [
            Export("Tiles (CSV)", ".csv", partial(_write_csv, result)),
            Export("Tiles for QuPath (GeoJSON)", ".geojson", partial(_write_geojson, result)),
        ]
        if any(file.thumbnail_jpeg for file in result.files[:1]):
            found.append(Export("Class map (PNG)", ".png", partial(_write_map, result)))
    return tuple(found)


def _write_pdf(result: CaseResult, path: Path) -> None:
    from lungscan.report.pdf.case import write_case_pdf
    from lungscan.results.atomic_files import put

    put(path, lambda draft: write_case_pdf(draft, result))


def _write_csv(result: CaseResult, path: Path) -> None:
    from lungscan.report.tiles_csv import write_tiles_csv
    from lungscan.results.atomic_files import put

    put(path, lambda draft: write_tiles_csv(draft, result))


def _write_geojson(result: CaseResult, path: Path) -> None:
    """The tiles of the first file."""
    from lungscan.report.geojson import write_tiles_geojson
    from lungscan.results.atomic_files import write_atomic

    with TemporaryDirectory() as folder:
        first, *_ = write_tiles_geojson(Path(folder), result)
        data = first.read_bytes()
    write_atomic(path, data, durable=False)


def _write_map(result: CaseResult, path: Path) -> None:
    from lungscan.report.heatmap import render_heatmap
    from lungscan.results.atomic_files import write_atomic

    write_atomic(path, render_heatmap(result, 0), durable=False)


def time_network(model: str, device: str, threads: int | None) -> tuple[str, float]:
    """What computes a model here, and its seconds for a square centimetre of tissue.

    Loads the network's libraries: for a process of its own. The network alone is timed, on noise.

    Raises:
        LungScanError: the model or the device is not there.
    """
    import time

    import numpy as np

    from lungscan.runtimes import load_runtime

    card = find_model(model)
    runtime = load_runtime(card, device, threads)
    side = card.patch_size_pixels
    noise = np.random.default_rng(0).integers(0, 255, (8, side, side, 3), np.uint8)
    runtime.predict(noise)  # the first one also prepares
    begun, rounds = time.perf_counter(), 0
    while rounds < TIMED_ROUNDS:
        runtime.predict(noise)
        rounds += 1
    rate = rounds * len(noise) / (time.perf_counter() - begun)
    tiles = CM2_UM2 / (side * card.spacing_um_px) ** 2
    return runtime.device, tiles / rate


def make_demo_slide(folder: Path) -> Path:
    """The slide of ``lungscan demo``, made in ``folder``. Raises OSError."""
    from lungscan.demo import make_demo

    slides = [path for path in make_demo(folder).paths if path.suffix == ".svs"]
    return next(path for path in slides if not path.name.startswith("."))
