"""Adapting a model: read, match, judge, write; nothing is written that is no gain."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np

from lungscan.adaptation.adapted_folder import require_room, write_rest
from lungscan.adaptation.gains import answers_of, original_fields, shares_of
from lungscan.adaptation.last_layer import Squares, deal, of_names
from lungscan.adaptation.own_fields import gather
from lungscan.adaptation.records import (
    Adapted,
    AdaptEvent,
    AdaptOptions,
    AdaptResult,
    Found,
    Own,
    Shares,
    Step,
)
from lungscan.adaptation.refitting import Draft, Source, draft, resemblance, source_of
from lungscan.adaptation.requirements import (
    require_gain,
    require_lung,
    require_no_organ,
    require_own,
    require_source,
)
from lungscan.adaptation.wording import GROUPS_UNKNOWN, UNSCALED, counted
from lungscan.dataset.pixels import load_squares
from lungscan.errors import ModelError, UsageProblem
from lungscan.evaluation.records import FieldAnswer, LabelledField
from lungscan.inputs import show
from lungscan.model.card import ModelCard
from lungscan.model.shares import percent
from lungscan.results.atomic_files import machine_error
from lungscan.results.scratch import folder_into_place, scratch_beside
from lungscan.runtimes.layers import Moments, Network
from lungscan.runtimes.statistics import load_statistics, some
from lungscan.workers import available_threads


def adapting(
    card: ModelCard, options: AdaptOptions, out: Path
) -> Generator[AdaptEvent, None, None]:
    """Write the model of ``card``, adapted to the pictures of ``options``, to the folder ``out``.

    Without labels: the statistics of the early layers, and the limits of novelty. With labels also
    the last layer, the temperature and the least confidence, judged by cross-validation over
    groups. An earlier adapted model in ``out`` is replaced in one step, or stays as it was.

    Raises:
        UsageProblem: too few pictures, one class, other tissue, a loss, or ``out`` is taken.
        NothingToDo: no picture was found.
        ModelError: a model that cannot be adapted, or one that keeps no statistics.
        MachineError: the disk is full, or the folder cannot be written.
        OutputLocked: another adaptation to ``out`` is at work.
    """
    require_room(out)
    require_source(card)
    threads = options.threads or available_threads()
    yield Step("Reading your fields")
    own = gather(options, card)
    yield from findings(own, card.class_names)
    require_own(own, card)
    yield Step("Looking at what the model was trained on")
    source = source_of(card, moments_of(card, options.original), threads)
    try:
        with scratch_beside(out) as scratch:
            result = yield from _adapted(own, source, options, scratch, out)
    except OSError as error:
        raise machine_error(error, out) from error
    yield Adapted(result)


def _adapted(
    own: Own, source: Source, options: AdaptOptions, scratch: Path, out: Path
) -> Generator[AdaptEvent, None, AdaptResult]:
    yield Step("Asking the model what tissue it is")
    require_no_organ(resemblance(own, source), own)
    yield Step("Matching stain and scanner")
    made = draft(own, source, scratch / "model", labels=bool(own.labelled))
    require_lung(made, own)
    yield Found(f"{percent(made.novel)} of the squares look foreign even with the stain matched")
    yield Step("Judging your fields before and after")
    before, after = yield from _shares(own, made, source, options, scratch)
    require_gain(before, after, own)
    original = None
    if options.original is not None:
        yield Step("Judging the original data before and after")
        original = yield from _original(options.original, source, made)
    shares, name = (before, after), options.name or out.name
    card = write_rest(made, source.card, own, shares, original, options, name)
    folder_into_place(card.folder, out, scratch)
    card = dataclasses.replace(card, folder=out)
    return AdaptResult(card, before, after, *(original or (None, None)))


def findings(own: Own, classes: Sequence[str]) -> Generator[AdaptEvent, None, None]:
    """What a person should know of the files before they are used."""
    for file, why in own.skipped:
        yield Found(f"skipped: {show(file)}: {why}")
    if own.empty:
        yield Found(f"{len(own.empty)} pictures show no stained tissue and are left out")
    labels = [file.label for file in own.labelled]
    given = ", ".join(f"{name} {labels.count(name)}" for name in sorted(set(labels)))
    yield Found(
        f"{counted(own) or 'no pictures'}, {len(own.tiles):,} squares of tissue; "
        + (f"labelled: {given}" if labels else "no labels")
    )
    if own.unscaled:
        yield Found(UNSCALED.format(count=own.unscaled, of=len(own.files)))
    for note in own.notes:
        yield Found(f"review: {show(note)}")
    if own.reviewed:
        yield Found(f"{len(own.reviewed)} of the labels are a reviewer's")
    if own.labelled_fields and not own.grouped:
        yield Found(GROUPS_UNKNOWN)
    if own.strange:
        yield Found(
            f"taken as unlabelled: the folders {', '.join(map(show, own.strange))}. Fields are "
            f"labelled by folders named as the model's classes: {', '.join(classes)}"
        )


def moments_of(card: ModelCard, original: Path | None) -> Moments:
    """The source's moments: out of its folder, else measured on the original data.

    Raises:
        ModelError: the folder keeps none, and no data are given.
        UsageProblem: none of them can be read.
    """
    kept = load_statistics(card.folder)
    if kept is not None:
        return kept
    if original is None:
        raise ModelError(
            f"{card.name} keeps no statistics of the tissue that it was trained on, so it cannot "
            "be adapted by itself. Give its training data (--original), or train it again with "
            "this LungScan."
        )
    side = card.patch_size_pixels
    fields, _ = original_fields(original, card)
    scales = [field.um_px for field in fields]
    squares, _ = load_squares([field.path for field in fields], card, side, scales)
    if not len(squares.pixels):
        raise UsageProblem(f"{show(original.name)} holds no field that can be read.")
    return Network(card.folder, side).moments(some(squares.pixels))


def _shares(
    own: Own, made: Draft, source: Source, options: AdaptOptions, scratch: Path
) -> Generator[AdaptEvent, None, tuple[Shares, Shares]]:
    """Before and after: of the labelled fields, cross-validated; of all where none has a label."""
    threads, mpp = source.threads, options.mpp
    known = own.labelled_fields
    if not known:
        before, after = (
            shares_of(answers_of(card, own.fields, mpp, threads), labels=False)
            for card in (source.card, made.card)
        )
        return before, after
    note = f"cross-validated, {options.folds} folds"
    if not own.grouped:
        note += "; patients unknown, near-duplicates kept together"
    first = shares_of(answers_of(source.card, known, mpp, threads), labels=True)
    numbers = np.arange(len(known))
    labels = of_names([file.label for file in known])
    groups = of_names([file.group for file in known])
    nothing = np.zeros((len(known), 0), np.float32)
    folds = deal(Squares(nothing, labels, numbers, groups), options.folds, source.card.seed)
    answers: list[FieldAnswer] = []
    for fold in np.unique(folds):
        held = [known[i] for i in np.flatnonzero(folds == fold)]
        yield Step(f"Cross-validating, fold {fold + 1} of {options.folds}")
        part = draft(_without(own, held), source, scratch / f"fold-{fold}", labels=True)
        answers += answers_of(part.card, held, mpp, threads)
    return first, shares_of(answers, labels=True, note=note)


def _without(own: Own, held: list[LabelledField]) -> Own:
    """The files without those held out, and without any other file of their groups."""
    groups = {file.group for file in held}
    keep = np.array([file.group not in groups for file in own.files], np.bool_)
    rows = keep[own.owner]
    place = np.cumsum(keep) - 1
    return dataclasses.replace(
        own,
        files=tuple(file for file, kept in zip(own.files, keep, strict=True) if kept),
        tiles=own.tiles[rows],
        owner=place[own.owner[rows]],
    )


def _original(
    data: Path, source: Source, made: Draft
) -> Generator[AdaptEvent, None, tuple[Shares, Shares]]:
    fields, note = original_fields(data, source.card)
    if note:
        yield Found(note)
    before, after = (
        shares_of(answers_of(card, fields, None, source.threads), labels=True, note=note)
        for card in (source.card, made.card)
    )
    return before, after
