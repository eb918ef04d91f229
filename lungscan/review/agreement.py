"""How often reviewers agree with a model, and how sure that is.

Cases of one group (a patient's) and all answers to one image stand and fall together, so together
they are worth fewer cases than they are. The interval is Wilson's (1927) for that many: reviews are
few and mostly agree, where drawing groups at random (as evaluations do) gives intervals that end at
1, or have no width at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from lungscan.dataset.group_table import GroupRow, read_groups
from lungscan.dataset.union_find import Unions
from lungscan.inputs.names import same_name
from lungscan.model.card import Metric
from lungscan.results.review_json import Verdict
from lungscan.review.gathering import Reviewed

_Z = 1.959964  # 97.5 % quantile of the normal distribution


@dataclass(frozen=True, slots=True)
class ClassAgreement:
    """The answers of one class."""

    name: str
    display_name: str
    agree: int
    judged: int  # agree or disagree


@dataclass(frozen=True)
class Agreement:
    """What reviewers said of one model's answers."""

    model: str  # name and version
    sha256: str
    reviewed: int
    agree: int  # with an answer
    disagree: int
    not_assessable: int
    undecided: int
    refusals_agree: int  # no result, and the reviewer agrees that there should be none
    refusals: int  # no result, agreed or not
    share: Metric | None  # of agree among agree and disagree; None where there is neither
    grouped: int  # of the judged cases: how many have a group by the table
    classes: tuple[ClassAgreement, ...]


def groups_of(cases: Sequence[Reviewed], table: Path | None) -> tuple[list[str], list[bool]]:
    """The group of each case by number, and whether the table names it.

    A case is found by the path that its record shows, else by the file's name where only one line
    bears it. Cases of the same group, and cases of the same image, are in one group.

    Raises:
        UsageProblem: the table cannot be read.
    """
    read = read_groups(table) if table else {}
    rows = {same_name(file): row for file, row in read.items()}
    named = [_group(case, rows) for case in cases]
    unions = Unions(len(cases))
    unions.join_equal([group or f"\0{index}" for index, group in enumerate(named)])
    seen: dict[str, int] = {}
    for index, case in enumerate(cases):
        for file in case.result.files:
            unions.join(seen.setdefault(file.sha256, index), index)
    return [str(number) for number in unions.numbers()], [bool(group) for group in named]


def _group(case: Reviewed, rows: Mapping[str, GroupRow]) -> str:
    paths = [same_name(path) for path in case.result.relative_paths]
    for path in paths:
        if path in rows:
            return rows[path].group
    names = {PurePosixPath(path).name for path in paths}
    found = {row.group for file, row in rows.items() if PurePosixPath(file).name in names}
    return found.pop() if len(found) == 1 else ""


def agreements(
    cases: Sequence[Reviewed], groups: Sequence[str], known: Sequence[bool]
) -> tuple[Agreement, ...]:
    """One for each model, in the order in which they are met."""
    models = dict.fromkeys(case.result.model.sha256 for case in cases)
    found = []
    for sha256 in models:
        rows = [i for i, case in enumerate(cases) if case.result.model.sha256 == sha256]
        part = [cases[i] for i in rows]
        found.append(_agreement(part, [groups[i] for i in rows], [known[i] for i in rows]))
    return tuple(found)


def _agreement(
    cases: Sequence[Reviewed], groups: Sequence[str], known: Sequence[bool]
) -> Agreement:
    model = cases[0].result.model
    verdicts = [case.review.opinion.verdict for case in cases]
    labels = [_label(case) for case in cases]
    decided = [v in (Verdict.AGREE, Verdict.DISAGREE) for v in verdicts]
    judged = [i for i, label in enumerate(labels) if label and decided[i]]
    refused = [i for i, label in enumerate(labels) if not label and decided[i]]
    agree = [i for i in judged if verdicts[i] is Verdict.AGREE]
    return Agreement(
        f"{model.name} {model.version}",
        model.sha256,
        len(cases),
        len(agree),
        len(judged) - len(agree),
        verdicts.count(Verdict.NOT_ASSESSABLE),
        verdicts.count(None),
        sum(verdicts[i] is Verdict.AGREE for i in refused),
        len(refused),
        _share([i in agree for i in judged], [groups[i] for i in judged]),
        sum(known[i] for i in judged),
        tuple(
            ClassAgreement(
                name, shown, sum(labels[i] == name for i in agree),
                sum(labels[i] == name for i in judged),
            )
            for name, shown in zip(model.class_names, model.display_names, strict=True)
        ),
    )  # fmt: skip


def _label(case: Reviewed) -> str:
    prediction = case.result.prediction
    return (prediction.label or "") if prediction else ""


def _share(agree: Sequence[bool], groups: Sequence[str]) -> Metric | None:
    if not agree:
        return None
    right = np.array(agree, np.float64)
    share, count = float(right.mean()), len(set(groups))
    low, high = wilson(share, worth(right, groups))
    return Metric("agreement", share, low, high, len(agree), count)


def worth(right: NDArray[np.float64], groups: Sequence[str]) -> float:
    """How many independent cases these cases ``(n,)`` of 0 and 1 are worth, by their groups.

    The number of cases divided by the design effect (Kish 1965), never more than there are. Where
    all are alike that effect cannot be seen: then each group is worth one.
    """
    names, member = np.unique(np.array(groups, dtype=object), return_inverse=True)
    share, cases, count = float(right.mean()), len(right), len(names)
    if share in (0.0, 1.0) or count == 1:
        return float(count)
    sums = np.bincount(member, right - share)
    variance = count / (count - 1) * float((sums**2).sum()) / cases**2
    alone = share * (1 - share) / (cases - 1)
    return min(float(cases), cases * alone / variance)


def wilson(share: float, count: float) -> tuple[float, float]:
    """The 95 % interval of a share of ``count`` (Wilson 1927)."""
    square = _Z**2 / count
    middle = share + square / 2
    half = _Z * sqrt(share * (1 - share) / count + square / (4 * count))
    return max(0.0, (middle - half) / (1 + square)), min(1.0, (middle + half) / (1 + square))
