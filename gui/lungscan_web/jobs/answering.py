"""The answer of a case as the page shows it: words and numbers as JSON, pictures beside it.

Words come from where the reports take them, so that screen and paper agree. Written by the job's
process, so that the page itself never holds a result.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lungscan.modalities.table import modality_of
from lungscan.report.legend import UNCERTAIN_BELOW, class_letters, class_rgb
from lungscan.report.overlay import class_map, scores_of
from lungscan.report.quantities import area, duration, moment, percent, pixel_size, probability
from lungscan.report.wording import (
    RESEARCH_USE,
    answer_line,
    display_name,
    explanation,
    further_flags,
    headline,
    others_title,
    unspoken,
)
from lungscan.results.atomic_files import write_atomic
from lungscan.types import (
    CaseResult,
    FileResult,
    ModelStamp,
    TilePicture,
    TileScores,
)
from lungscan_web.jobs.plain import for_page
from lungscan_web.jobs.records import ANSWER

_STRIPE_PX = 9


def file_answer(folder: Path, result: CaseResult) -> None:
    """Write ``answer.json`` and its pictures into ``folder``. Raises MachineError."""
    answer = answer_of(result)
    for number, file in enumerate(result.files):
        if file.thumbnail_jpeg:
            write_atomic(folder / f"thumbnail-{number}.jpg", file.thumbnail_jpeg, durable=False)
            answer["files"][number]["thumbnail"] = f"thumbnail-{number}.jpg"
        if (overlay := overlay_png(result, number)) is not None:
            write_atomic(folder / f"overlay-{number}.png", overlay, durable=False)
            answer["files"][number]["overlay"] = f"overlay-{number}.png"
    for number, picture in enumerate(result.pictures):
        write_atomic(folder / f"tile-{number}.jpg", picture.jpeg, durable=False)
    data = json.dumps(answer, ensure_ascii=True, allow_nan=False).encode()
    write_atomic(folder / ANSWER, data, durable=False)


def answer_of(result: CaseResult) -> dict[str, Any]:
    """The answer, with the names of its pictures."""
    prediction, model = result.prediction, result.model
    return {
        "name": result.case_id,
        "file": ", ".join(result.relative_paths),
        "kind": kind_of(result),
        "status": result.status.value,
        "headline": headline(result),
        "answer_line": answer_line(result),
        "label": prediction.label if prediction else None,
        "confidence": prediction.confidence if prediction and prediction.label else None,
        "confidence_text": confidence_text(result),
        "why": for_page(explanation(result)),
        "unspoken": unspoken(result),
        "classes": list(_classes(result)),
        "flags": [for_page(text) for text in further_flags(result)],
        "counts": _counts(result),
        "files": [_file(file) for file in result.files],
        "evidence": list(_evidence(result)),
        "words": _words(result),
        "explanation": None,
        "model": {
            "name": model.name,
            "version": model.version,
            "official": model.official,
            "facts": [list(fact) for fact in model.facts],
            "limits": list(map(for_page, model.limits)),
            "trained_on": model.trained_on,
        },
        "details": _details(result),
        "research_use": RESEARCH_USE,
    }


def kind_of(result: CaseResult) -> str:
    """What was given: slide, series, field, or "" of what could not be read."""
    kinds = {file.kind for file in result.files}
    return next((kind for kind in ("slide", "series", "field") if kind in kinds), "")


def confidence_text(result: CaseResult) -> str:
    """The calibrated probability of the label; "" where there is none."""
    prediction = result.prediction
    return probability(prediction.confidence) if prediction and prediction.label else ""


def color_of(result: CaseResult) -> str:
    """The colour of the answered class; "" where there is none."""
    label = result.prediction.label if result.prediction else None
    if label not in result.model.class_names:
        return ""
    return _hex(class_rgb(result.model)[result.model.class_names.index(label)])


def _hex(rgb: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def class_looks(model: ModelStamp) -> Iterator[dict[str, Any]]:
    """How each class looks on the page."""
    looks = zip(
        model.class_names, model.display_names, model.tumour, class_rgb(model),
        class_letters(model), strict=True,
    )  # fmt: skip
    for name, display, tumour, rgb, letter in looks:
        yield {
            "name": name,
            "display": display,
            "color": _hex(rgb),
            "letter": letter,
            "tumour": tumour,
        }


def _classes(result: CaseResult) -> Iterator[dict[str, Any]]:
    prediction = result.prediction
    for index, looks in enumerate(class_looks(result.model)):
        probs = prediction.probs if prediction else ()
        areas = prediction.area_mm2 if prediction else None
        shares = prediction.tile_share if prediction else ()
        yield looks | {
            "probability": probs[index] if probs else None,
            "text": probability(probs[index]) if probs else "–",
            "area_text": f"{area(areas[index])} mm²" if areas else "–",
            "share_text": percent(shares[index]) if shares else "–",
        }


def _counts(result: CaseResult) -> list[list[str]]:
    counts, words = result.counts, modality_of(result.model.modality).words
    tiles = words.tiles.capitalize()
    rows = [
        (f"{tiles} used", counts.used),
        ("Out of focus", counts.blurred),
        ("Pen", counts.pen),
        (words.blank.capitalize(), counts.blank),
        ("Not scanned", counts.unscanned),
        (words.foreign[:1].upper() + words.foreign[1:], counts.novel),
        (words.elsewhere.capitalize(), counts.other_stain or 0),
        ("Not readable", counts.failed),
    ]
    left = [[name, f"{number:,}"] for name, number in rows if number]
    return [[tiles, f"{counts.total:,}"], *left]


def _words(result: CaseResult) -> dict[str, str]:
    """What this kind of picture is called, and the titles of its evidence."""
    words = modality_of(result.model.modality).words
    top = words.deciding if result.prediction and result.prediction.label else words.clear
    return {
        "tile": words.tile,
        "tiles": words.tiles,
        "top": top,
        "uncertain": others_title(result),
        "share": words.share,
    }


def _file(file: FileResult) -> dict[str, Any]:
    return {
        "name": file.relative_path,
        "kind": file.kind,
        "width": file.info.width,
        "height": file.info.height,
        "mpp_um": file.info.scale.mpp_um,
        "pixel_size": pixel_size(file),
        "thumbnail": None,
        "overlay": None,
        "series": None,
    }


def _evidence(result: CaseResult) -> Iterator[dict[str, Any]]:
    names = result.model.class_names
    for number, picture in enumerate(result.pictures):
        best = picture.likeliest
        yield {
            "role": picture.role,
            "file": picture.file_index,
            "box": list(picture.box),
            "slice": _slice(result.files[picture.file_index], picture),
            "caption": f"{display_name(result.model, names[best])} "
            f"{probability(picture.probs[best])}",
            "picture": f"tile-{number}.jpg",
        }


def _slice(file: FileResult, picture: TilePicture) -> int | None:
    """Which slice, from 0, it is of a series."""
    series = file.info.series
    return series.index_at(picture.box[0], picture.box[1]) if series else None


def _details(result: CaseResult) -> list[list[str]]:
    model = result.model
    rows = [["Model", f"{model.name} {model.version}"]]
    rows += [["Scale", pixel_size(file)] for file in result.files[:1]]
    if result.tissue_mm2 is not None:
        rows.append(["Tissue", f"{area(result.tissue_mm2)} mm²"])
    rows += [[name.replace("_", " ").capitalize(), text] for name, text in result.settings]
    rows += [["Device", result.device], ["Time", duration(result.seconds)]]
    rows += [["Finished", moment(result.finished_utc)], ["LungScan", result.lungscan_version]]
    return rows


# The map ----------------------------------------------------------------------------------------


def overlay_png(result: CaseResult, file_index: int) -> bytes | None:
    """The class map of a file alone, see-through, to be laid over its whole picture.

    None where there are no tiles, or only one that is the whole picture.
    """
    file, scores = result.files[file_index], scores_of(result, file_index)
    if scores is None or file.mode == "whole" or not len(scores.state):
        return None
    if file.thumbnail_downsample is None:
        return None
    width, height = file.info.width, file.info.height
    size = (
        max(1, round(width / file.thumbnail_downsample)),
        max(1, round(height / file.thumbnail_downsample)),
    )
    pixels = _painted(result, scores, size, file.thumbnail_downsample)
    buffer = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(buffer, "PNG", compress_level=2)
    return buffer.getvalue()


def _painted(
    result: CaseResult, scores: TileScores, size: tuple[int, int], downsample: float
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(height, width, 4): the class's colour, stronger with its confidence, striped below 0.6."""
    mapped = class_map(scores, size, downsample)
    colors = np.array(class_rgb(result.model), np.uint8)
    best = mapped.probs.max(axis=2)
    alpha = np.where(mapped.used, 70 + 110 * best, 0).astype(np.uint8)
    pixels = np.zeros((size[1], size[0], 4), np.uint8)
    pixels[..., :3] = mapped.at_pixels(colors[mapped.probs.argmax(axis=2)])
    pixels[..., 3] = mapped.at_pixels(alpha)
    rows, columns = np.ogrid[: size[1], : size[0]]
    uncertain = mapped.at_pixels(mapped.used & (best < UNCERTAIN_BELOW))
    pixels[uncertain & ((rows + columns) % _STRIPE_PX > _STRIPE_PX // 3), 3] = 40
    unused = mapped.at_pixels(mapped.excluded | mapped.failed)
    pixels[unused & ((rows - columns) % _STRIPE_PX < 2)] = (95, 95, 95, 190)
    return pixels
