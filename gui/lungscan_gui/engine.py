"""All that the window takes from inside the engine; no other module here imports from there.

Words, numbers and looks come from where the reports take them, so that screen and paper agree.
Beside this module only ``lungscan.errors``, ``events``, ``options`` and ``types`` are imported.
"""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterable
from dataclasses import replace
from hashlib import sha256
from io import StringIO
from pathlib import Path
from threading import Event

from lungscan import __version__, processes
from lungscan.door.jobs import ReviewsOptions
from lungscan.events import ScanEvent
from lungscan.inputs import discover, show
from lungscan.inputs.files import sha256_of
from lungscan.layout import case_folder
from lungscan.modalities.modality import Modality, Words
from lungscan.modalities.table import modality_of
from lungscan.model import shares
from lungscan.model.card import ModelCard
from lungscan.model.checked import find_model, list_models, shipped_names
from lungscan.opening.launch import Launched, beforehand
from lungscan.opening.messages import receive, send
from lungscan.opening.viewing import VIEW_PX, ViewedImage, input_file
from lungscan.options import ScanOptions
from lungscan.report.legend import (
    UNCERTAIN_BELOW,
    Rgb,
    ScaleBar,
    class_letters,
    class_rgb,
    on_color,
    scale_bar,
    used_counts,
)
from lungscan.report.quantities import (
    area,
    duration,
    moment,
    percent,
    pixel_size,
    place_of,
    probability,
    slices_of,
    window_of,
)
from lungscan.report.review_wording import CHOICES as VERDICTS
from lungscan.report.review_wording import (
    NONE_OF_THESE,
    agreement_text,
    as_second,
    left_out_text,
    opinion_line,
    side_by_side,
)
from lungscan.report.wording import (
    RESEARCH_USE,
    STATE_NAMES,
    answer_line,
    display_name,
    explanation,
    failure,
    further_flags,
    headline,
    others_title,
    unspoken,
)
from lungscan.results.provenance import utc_now
from lungscan.results.review_json import (
    Beside,
    Opinion,
    Region,
    Review,
    SecondAnswer,
    Verdict,
    answer_digest,
)
from lungscan.results.review_json import review_beside as _review_beside
from lungscan.tiles.connected_components import find_pieces
from lungscan.types import CaseInput, CaseResult, FoundFile, InputFile, TileState
from lungscan_gui.exporting.engine import Export, exports, report_of
from lungscan_gui.words import at_the_window

__all__ = [
    "NONE_OF_THESE",
    "RESEARCH_USE",
    "STATE_NAMES",
    "UNCERTAIN_BELOW",
    "VERDICTS",
    "VIEW_PX",
    "Beside",
    "CaseInput",
    "Export",
    "FoundFile",
    "InputFile",
    "Launched",
    "Modality",
    "ModelCard",
    "Opinion",
    "Region",
    "Review",
    "Rgb",
    "ScaleBar",
    "SecondAnswer",
    "Verdict",
    "ViewedImage",
    "Words",
    "__version__",
    "answer_again",
    "answer_digest",
    "answer_line",
    "area",
    "as_second",
    "beforehand",
    "card_of",
    "class_letters",
    "class_rgb",
    "display_name",
    "duration",
    "explanation",
    "exports",
    "failure",
    "find_cases",
    "find_model",
    "find_pieces",
    "flags_of",
    "found_below",
    "has_ended",
    "headline",
    "holds_results",
    "input_file",
    "left_out_text",
    "list_models",
    "make_demo_slide",
    "manifest_of",
    "modality_of",
    "moment",
    "on_color",
    "opinion_line",
    "percent",
    "picture_heads",
    "pixel_size",
    "place_of",
    "probability",
    "processes",
    "read_run",
    "receive",
    "replace",
    "report_of",
    "results_folder",
    "review_of",
    "save_review",
    "scale_bar",
    "scan",
    "second_answer",
    "send",
    "series_lines",
    "sha256_of",
    "shares",
    "shipped_names",
    "show",
    "side_by_side",
    "state_name",
    "unspoken",
    "used_counts",
    "utc_now",
    "write_reviews",
]


ScanEvents = Generator[ScanEvent, None, None]


def scan(options: ScanOptions, launched: Launched | None, stop: Event) -> ScanEvents:
    """``lungscan.scanning.scan.scan``; imported late, because it loads the network's libraries."""
    from lungscan.scanning.scan import scan as run

    return run(options, launched, stop)


def find_cases(
    paths: Iterable[Path], joined: Path | None = None, found: tuple[FoundFile, ...] = ()
) -> tuple[CaseInput, ...]:
    """The images below ``paths``, in the order in which a run would take them.

    ``joined`` is a table of files that share a case, see ``manifest_of``; ``found`` are files that
    keep the names of an earlier search.

    Raises:
        UsageProblem: none of the paths exists.
    """
    return discover(tuple(paths), joined, found).cases


def found_below(root: Path, case: CaseInput) -> tuple[FoundFile, ...]:
    """How a run calls the files of a case that was found in a folder: as the search of it did."""
    named = []
    for file in case.files:
        above = file.relative_path.removesuffix(show(_below(file.path, root)))
        for path in file.parts if file.kind == "series" else (file.path,):
            relative = above + show(_below(path, root))
            named.append(FoundFile(path, relative, case.case_id))
    return tuple(named)


def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def manifest_of(cases: Iterable[tuple[str, Iterable[Path]]]) -> str:
    """A table that joins files to cases, as ``lungscan classify --cases`` reads it."""
    text = StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("file", "case"))
    for name, paths in cases:
        table.writerows((str(path.absolute()), name) for path in paths)
    return text.getvalue()


def flags_of(result: CaseResult) -> list[str]:
    """The flags of a case as sentences, as its report lists them."""
    return [at_the_window(text) for text in further_flags(result)]


def state_name(state: TileState, words: Words) -> str:
    """What became of a tile or slice, in the words of its modality's reports."""
    own = {
        TileState.NOVEL: words.foreign,
        TileState.BLANK: words.blank,
        TileState.OTHER_STAIN: f"of {words.elsewhere}",
    }
    return own.get(state, STATE_NAMES[state])


def picture_heads(result: CaseResult) -> dict[str, str]:
    """What the report calls the pictures that it shows first, and the others, by their role."""
    words = modality_of(result.model.modality).words
    answered = result.prediction is not None and result.prediction.label is not None
    return {"top": words.deciding if answered else words.clear, "uncertain": others_title(result)}


def results_folder(root: Path, options: ScanOptions) -> Path:
    """Where below ``root`` the results of these inputs with these options lie.

    The same inputs, model and answer options always give the same folder, so that a run that was
    stopped goes on where it was, and one with other options gets a folder of its own.
    """
    first = options.paths[0]
    name = show(first.stem if len(options.paths) == 1 else first.parent.name) or "cases"
    parts: list[object] = [options.model, options.mpp, options.overlap, options.rule]
    parts.append(options.abstain)
    if options.explain != "off":  # else the folder stays the one of before there was a choice
        parts.append(options.explain)
    parts += [(file.relative_path, file.case_id) for file in options.found]  # so named, other cases
    if options.cases is not None:  # the same files as cases of their own are another question
        parts.append(options.cases.read_bytes())
    facts = "\n".join([*map(repr, parts), *(str(path.absolute()) for path in options.paths)])
    safe = "".join(c if c.isalnum() or c in " ._-" else "_" for c in name)[:60].strip(" .")
    digest = sha256(facts.encode("utf-8", "surrogateescape")).hexdigest()
    return root / f"{safe or 'cases'}-{digest[:8]}"


def series_lines(result: CaseResult) -> list[str]:
    """What a report says of a CT series: its slices, and the window they were shown in."""
    found = [file.info.series for file in result.files if file.info.series is not None]
    return [f"Series: {slices_of(series)}; {window_of(series)}" for series in found]


# Finished runs ----------------------------------------------------------------------------------


def holds_results(folder: Path) -> bool:
    """Whether a folder is that of a run."""
    return any((folder / "cases").glob("*/case.json"))


def has_ended(folder: Path) -> bool:
    """Whether a run wrote its tables, which one that was stopped does not."""
    return (folder / "run.json").is_file()


def read_run(out: Path) -> tuple[tuple[CaseResult, ...], tuple[str, ...]]:
    """``lungscan.report.write.recorded_cases``: results and problems; nothing is computed.

    Raises:
        NothingToDo: the folder holds no results.
    """
    from lungscan.report.write import recorded_cases

    return recorded_cases(out)


# Reviews ----------------------------------------------------------------------------------------


def review_of(out: Path, result: CaseResult) -> Beside:
    """The review that lies beside a result in the folder of its run."""
    return _review_beside(case_folder(out, result.key), result)


def save_review(out: Path, result: CaseResult, review: Review) -> str:
    """``lungscan.review.storing.save_review``; what is to be told. Raises LungScanError."""
    from lungscan.review.storing import save_review as save

    return at_the_window(" ".join(save(out, result, review)))


def card_of(result: CaseResult, places: tuple[str, ...]) -> ModelCard:
    """The card of the model that answered; ``places`` are folders of models. Raises ModelError."""
    from lungscan.review.again import card_of as found

    return found(result, places)


def answer_again(
    result: CaseResult, regions: tuple[Region, ...], places: tuple[str, ...]
) -> CaseResult:
    """The answer without the tiles in these regions; ``places`` are folders of models.

    Raises:
        LungScanError: the model that answered is not here, or there was no answer.
    """
    from lungscan.review.again import answer_again as again

    return again(result, card_of(result, places), regions)


def second_answer(result: CaseResult, again: CaseResult) -> SecondAnswer:
    """What a review keeps of ``answer_again``."""
    from lungscan.review.again import second_answer as kept

    return kept(result, again)


def write_reviews(root: Path, path: Path) -> str:
    """All reviews below a folder as one table; returns what to tell. Raises LungScanError."""
    from lungscan import reviews

    (done,) = reviews(ReviewsOptions(root, out=path))
    found = done.reviews
    sentences = [f"{len(found.cases):,} reviews are in {done.table}."]
    sentences += [agreement_text(one.model, one.share) for one in found.agreements if one.share]
    return " ".join([*sentences, *found.outdated, *found.damaged])


def make_demo_slide(folder: Path) -> Path:
    """The slide of ``lungscan demo``, made in ``folder``. Raises OSError."""
    from lungscan.demo import make_demo

    slides = [path for path in make_demo(folder).paths if path.suffix == ".svs"]
    return next(path for path in slides if not path.name.startswith("."))
