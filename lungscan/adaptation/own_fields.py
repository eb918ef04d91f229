"""A laboratory's own fields and slides: found, labelled where folders say so, cut into squares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungscan.adaptation.records import AdaptOptions, Own
from lungscan.adaptation.reviewed import Reviews, labelled_by, reviews_of, shown_in
from lungscan.dataset.group_table import GroupRow, read_groups, spelt_as_found
from lungscan.dataset.listing import groups_table, hash_of_contents
from lungscan.dataset.similar import find_similar
from lungscan.errors import case_error
from lungscan.evaluation.records import LabelledField
from lungscan.inputs import show
from lungscan.modalities.histology.quality import judge, measure_quality
from lungscan.model.card import ModelCard
from lungscan.opening.plan import plan_file
from lungscan.options import ScanOptions
from lungscan.review.labels import ReviewedFile
from lungscan.scanning.planning import find_inputs
from lungscan.types import InputFile, RgbBatch, TileState
from lungscan.workers import Workers, available_threads

FIELD_SQUARES, SLIDE_SQUARES = 8, 160  # looked at of each; more of one file teach little
GREY_LEVELS = 6  # by which red, green and blue differ at least in a stained square, on average


@dataclass(frozen=True)
class _Seen:
    """One file's squares of tissue, or why there are none."""

    slide: bool
    pixels: RgbBatch
    why: str = ""
    digest: str = ""  # SHA-256 of a field that could be read
    unscaled: bool = False  # neither it nor anybody says how large its pixels are


def gather(options: AdaptOptions, card: ModelCard) -> Own:
    """Read what ``options.fields`` points at, as classification would.

    A file's class is the folder that it lies in, or the label that ``groups.csv`` gives it, where
    the model knows a class of that name; any other file is used without a label. Where it was
    reviewed in ``options.reviews``, the reviewer's word counts instead.

    Raises:
        UsageProblem: there is no such folder, or the table is wrong.
        NothingToDo: it holds no picture.
    """
    root = options.fields
    scan = ScanOptions((root,), Path(), mpp=options.mpp)
    found_files = [case.files[0] for case in find_inputs(scan).cases]
    table = groups_table(root)
    names = [_name(file, root) for file in found_files]
    rows = spelt_as_found(read_groups(table), set(names), root) if table else {}
    labelled = [
        _labelled(file, name, rows, card) for file, name in zip(found_files, names, strict=True)
    ]
    inputs = [
        replace(file, um_px=field.um_px) for file, field in zip(found_files, labelled, strict=True)
    ]
    strange = _strange(labelled, rows)
    threads = options.threads or available_threads()
    reviews: Reviews = (None,) * len(inputs)
    notes: tuple[str, ...] = ()
    if options.reviews is not None:
        reviews, notes = reviews_of(inputs, options.reviews, card, threads)
        labelled = [labelled_by(*pair) for pair in zip(reviews, labelled, strict=True)]
    with (
        Workers(threads) as workers,
        workers.in_order(
            lambda pair: _look(*pair, scan, card), list(zip(inputs, reviews, strict=True))
        ) as found,
    ):
        seen = list(found)
    pairs = list(zip(labelled, seen, strict=True))
    kept = [(file, part) for file, part in pairs if len(part.pixels)]
    slides = frozenset(file.file for file, part in kept if part.slide)
    files = _grouped([file for file, _ in kept], slides, rows)
    size = card.patch_size_pixels
    none = np.empty((0, size, size, 3), np.uint8)
    digests = [part.digest for part in seen if part.digest]
    return Own(
        folder=show(root.resolve().name),
        files=files,
        slides=slides,
        tiles=np.concatenate([none, *(part.pixels for _, part in kept)]),
        owner=np.repeat(np.arange(len(kept)), [len(part.pixels) for _, part in kept]),
        skipped=tuple((file.file, part.why) for file, part in pairs if part.why),
        empty=tuple(file.file for file, part in pairs if not part.why and not len(part.pixels)),
        strange=strange,
        reviewed=frozenset(
            field.file
            for (field, part), review in zip(pairs, reviews, strict=True)
            if len(part.pixels) and review is not None and review.label
        ),
        notes=notes,
        contents_sha256=hash_of_contents(digests) if digests else "",
        grouped=all(file.file in rows for file in files if file.label),
        unscaled=sum(part.unscaled for _, part in kept),
    )


def _name(file: InputFile, root: Path) -> str:
    return file.path.relative_to(root).as_posix() if root in file.path.parents else file.path.name


def _labelled(
    file: InputFile, name: str, rows: Mapping[str, GroupRow], card: ModelCard
) -> LabelledField:
    row = rows.get(name)
    written = row.label if row else (name.split("/", maxsplit=1)[0] if "/" in name else "")
    label = written if written in card.class_names else ""
    um_px = row.um_px if row else None
    return LabelledField(name, file.path, label, row.group if row else name, um_px or file.um_px)


def _grouped(
    files: Sequence[LabelledField], slides: frozenset[str], rows: Mapping[str, GroupRow]
) -> tuple[LabelledField, ...]:
    """The files; fields that no table groups get the group of those that show the same tissue.

    Without labels nothing is held out, and groups serve nothing.
    """
    alone = [file for file in files if file.file not in rows and file.file not in slides]
    if not any(file.label for file in alone):
        return tuple(files)
    first: dict[str, str] = {}  # of each group found, the file that it is named by
    found = find_similar([file.path for file in alone]).groups
    groups = {
        file.file: first.setdefault(group, file.file)
        for file, group in zip(alone, found, strict=True)
    }
    return tuple(replace(file, group=groups.get(file.file, file.group)) for file in files)


def _strange(fields: list[LabelledField], rows: Mapping[str, GroupRow]) -> tuple[str, ...]:
    """Folders or labels of files that are used without a label."""
    written = (
        rows[field.file].label if field.file in rows else field.file.rpartition("/")[0]
        for field in fields
        if not field.label
    )
    return tuple(sorted({show(text.split("/")[0]) for text in written if text}))


def _look(
    file: InputFile, review: ReviewedFile | None, scan: ScanOptions, card: ModelCard
) -> _Seen:
    none = np.empty((0, card.patch_size_pixels, card.patch_size_pixels, 3), np.uint8)
    try:
        plan = plan_file(file, scan, card, picture=False, digest="not needed")
    except Exception as error:  # noqa: BLE001  libraries raise many kinds on damaged files
        return _Seen(file.kind == "slide", none, str(case_error(error)))
    try:
        slide = plan.source.kind == "slide"
        digest = "" if slide else plan.result.sha256
        boxes, fraction = plan.grid.boxes, plan.fraction
        shown = shown_in(boxes, review)
        rows = shown[spread(len(shown), SLIDE_SQUARES if slide else FIELD_SQUARES)]
        if not len(rows):
            return _Seen(slide, none, digest=digest)
        read = plan.source.read_tiles(boxes[rows], plan.grid.size_px)
    except Exception as error:  # noqa: BLE001  as above
        return _Seen(file.kind == "slide", none, str(case_error(error)))
    finally:
        plan.source.close()
    quality = measure_quality(read.rgb, read.valid)
    known = np.where(np.isnan(fraction[rows]), 1 - quality.blank, fraction[rows])
    states = judge(quality, known)
    used = np.array([state is TileState.USED for state in states]) & ~read.failed
    unscaled = plan.source.info.scale.mpp_um is None
    return _Seen(slide, read.rgb[used & _coloured(read.rgb)], "", digest, unscaled)


def spread(count: int, most: int) -> NDArray[np.int64]:
    """At most ``most`` of ``count`` rows, evenly over all."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def _coloured(tiles: RgbBatch) -> NDArray[np.bool_]:
    """Which squares are stained at all: those of a CT slice are grey."""
    some = tiles[:, ::8, ::8].astype(np.int16)
    apart = (some.max(3) - some.min(3)).mean((1, 2))
    found: NDArray[np.bool_] = apart >= GREY_LEVELS
    return found
