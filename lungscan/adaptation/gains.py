"""The own and the original fields as a model answers them, by the judge of every evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lungscan.adaptation.own_fields import spread
from lungscan.adaptation.records import Shares
from lungscan.dataset.resampling import GroupBootstrap
from lungscan.evaluation.judging import load_judge
from lungscan.evaluation.labelled import load_material, require_known_classes
from lungscan.evaluation.options import DataOptions, JudgeOptions
from lungscan.evaluation.records import FieldAnswer, LabelledField
from lungscan.evaluation.seen_groups import held_out_groups, none_held_out
from lungscan.model.card import Metric, ModelCard

ORIGINAL_FIELDS = 300  # judged of the original data


def answers_of(
    card: ModelCard, fields: Sequence[LabelledField], mpp: float | None, threads: int
) -> tuple[FieldAnswer, ...]:
    """What a model says of fields; those that cannot be read are left out."""
    judge = load_judge(card, JudgeOptions(mpp=mpp, device="cpu", threads=threads))
    return tuple(answer for answer in judge.answers(fields) if answer.judged)


def shares_of(answers: Sequence[FieldAnswer], *, labels: bool, note: str = "") -> Shares:
    """Answered, and with labels right and right among the answered."""
    groups = [answer.group for answer in answers]
    answered = np.array([answer.answer is not None for answer in answers], np.bool_)
    count, many = len(answers), len(set(groups))
    share = float(answered.mean()) if count else 0.0
    if not labels or not count:
        return Shares(count, many, share)
    right = np.array([answer.forced == answer.label for answer in answers], np.bool_)
    commonest = max(Counter(answer.label for answer in answers).values()) / count
    bootstrap = GroupBootstrap(groups)
    among = None
    if answered.any():
        among = bootstrap.ratio("right among answered", right & answered, answered, note)
    return Shares(count, many, share, bootstrap.mean("right", right, note), among, commonest)


def original_fields(data: Path, card: ModelCard) -> tuple[tuple[LabelledField, ...], str]:
    """Labelled fields of the original data: those that the model held out, where there are any.

    With them comes what is to be said where there are none: "" else.

    Raises:
        UsageProblem, NothingToDo: they cannot be read, or have classes that the model lacks.
    """
    material = load_material(DataOptions(data))
    require_known_classes(material.fields, card)
    groups = {field.group for field in material.fields}
    tested = held_out_groups(card, lambda: material.identity, groups)
    held = [field for field in material.fields if field.group in tested] or material.fields
    fields = tuple(held[row] for row in spread(len(held), ORIGINAL_FIELDS))
    return fields, "" if tested else none_held_out(card)


def changed(before: Metric | None, after: Metric | None) -> float:
    """Points that a share gained; 0 where either is unknown."""
    return 0.0 if before is None or after is None else 100 * (after.value - before.value)
