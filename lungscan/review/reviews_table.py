"""``reviews.csv``: one row for each reviewed case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lungscan.model.card import Metric
from lungscan.results.atomic_files import put
from lungscan.results.csv_table import number_cell, text_cell, write_csv
from lungscan.results.review_json import SecondAnswer, Verdict
from lungscan.review.agreement import Agreement, agreements, groups_of
from lungscan.review.gathering import Reviewed, reviews_below

GROUPS = "groups.csv"


@dataclass(frozen=True)
class Reviews:
    """All that is known of the reviews below a folder."""

    cases: tuple[Reviewed, ...]
    groups: tuple[str, ...]  # the number of each case's group
    agreements: tuple[Agreement, ...]  # by model
    damaged: tuple[str, ...]
    outdated: tuple[str, ...]


def read_reviews(root: Path, table: Path | None = None) -> Reviews:
    """The reviews below ``root``, with agreement by model.

    Args:
        root: the folder of a run, or one that holds several.
        table: ``file,group`` of the images; None: ``groups.csv`` in ``root``, where there is one.

    Raises:
        NothingToDo: there is no review.
        UsageProblem: the table cannot be read.
    """
    gathered = reviews_below(root)
    if table is None and (root / GROUPS).is_file():
        table = root / GROUPS
    groups, known = groups_of(gathered.cases, table)
    figures = agreements(gathered.cases, groups, known)
    return Reviews(gathered.cases, tuple(groups), figures, gathered.damaged, gathered.outdated)


def write_reviews(path: Path, reviews: Reviews) -> Path:
    """Write the table; returns where it lies (see ``put``). Raises MachineError."""
    shares = {one.sha256: one.share for one in reviews.agreements}
    header = [name for name, _ in _COLUMNS] + list(_OF_MODEL)
    rows = [
        [cell(case, group) for _, cell in _COLUMNS] + _of_model(shares[case.result.model.sha256])
        for case, group in zip(reviews.cases, reviews.groups, strict=True)
    ]
    return put(path, lambda draft: write_csv(draft, header, rows))


_OF_MODEL = ("model_agreement", "agreement_low", "agreement_high", "agreement_groups")


def _of_model(share: Metric | None) -> list[str]:
    """Agreement with the model that answered, over all its judged answers; the same in each row."""
    if share is None:
        return [""] * len(_OF_MODEL)
    numbers = (share.value, share.low, share.high)
    return [*(number_cell(number, 4) for number in numbers), str(share.groups)]


Cell = Callable[[Reviewed, str], str]


def _text(value: Callable[[Reviewed], str]) -> Cell:
    return lambda case, _group: text_cell(value(case))


def _answer(case: Reviewed) -> str:
    prediction = case.result.prediction
    return (prediction.label or "") if prediction else ""


def _reason(case: Reviewed) -> str:
    prediction = case.result.prediction
    return prediction.reason.value if prediction and prediction.reason else ""


def _confidence(case: Reviewed) -> float | None:
    return case.result.prediction.confidence if case.result.prediction else None


def _agrees(case: Reviewed) -> str:
    """1 or 0; empty where nothing was judged."""
    return {Verdict.AGREE: "1", Verdict.DISAGREE: "0"}.get(case.review.opinion.verdict, "")  # type: ignore[arg-type]  # None is in no dict


def _held(case: Reviewed) -> str:
    """The class that the reviewer holds right, as far as that was said."""
    opinion = case.review.opinion
    return _answer(case) if opinion.verdict is Verdict.AGREE else opinion.right_class


def _second(value: Callable[[SecondAnswer], str]) -> Cell:
    return lambda case, _group: value(case.review.second) if case.review.second else ""


_COLUMNS: Sequence[tuple[str, Cell]] = (
    ("run", _text(lambda case: case.run)),
    ("case", _text(lambda case: case.result.case_id)),
    ("file", _text(lambda case: "; ".join(case.result.relative_paths))),
    ("status", _text(lambda case: case.result.status.value)),
    ("answer", _text(_answer)),
    ("confidence", lambda case, _: number_cell(_confidence(case), 4)),
    ("reason", _text(_reason)),
    ("verdict", _text(lambda case: case.review.opinion.verdict or "")),
    ("agrees", lambda case, _: _agrees(case)),
    ("held_right", _text(_held)),
    ("reviewer", _text(lambda case: case.review.opinion.reviewer)),
    ("reviewed_utc", _text(lambda case: case.review.opinion.reviewed_utc)),
    ("comment", _text(lambda case: case.review.opinion.comment)),
    ("group", lambda _, group: group),
    ("evidence_seen", lambda case, _: str(len(case.review.seen))),
    ("evidence", lambda case, _: str(case.review.pictures)),
    ("regions", lambda case, _: str(len(case.review.regions))),
    ("tiles_left_out", _second(lambda second: str(second.tiles_left_out))),
    ("left_out_mm2", _second(lambda second: number_cell(second.left_out_mm2, 4))),
    ("second_answer", _second(lambda second: text_cell(second.prediction.label or ""))),
    ("second_confidence", _second(lambda second: number_cell(second.prediction.confidence, 4))),
    ("second_reason", _second(lambda second: second.prediction.reason or "")),
    ("earlier_reviews", lambda case, _: str(len(case.review.earlier))),
    ("model", _text(lambda case: case.result.model.name)),
    ("model_version", _text(lambda case: case.result.model.version)),
    ("key", _text(lambda case: case.result.key)),
)
