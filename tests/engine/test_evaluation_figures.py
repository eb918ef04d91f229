"""Figures and intervals: against hand-made cases, naive resampling, and scikit-learn."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from lungscan.dataset.resampling import GroupBootstrap, interval
from lungscan.evaluation import wording
from lungscan.evaluation.comparing import mcnemar, verdict_of
from lungscan.evaluation.curves import Ranking, reliability, roc_areas, roc_curve
from lungscan.evaluation.figures import basic_figures, class_figures, confusion, overall_figures
from lungscan.evaluation.judged import Judged, as_arrays
from lungscan.evaluation.records import FieldAnswer
from lungscan.types import CaseStatus, ModelStamp

NAMES = ("a", "b", "c")
STAMP = ModelStamp("m", "1", "0", NAMES, NAMES, ("#d55e00", "#009e73", "#0072b2"),
                   (True, False, True), official=False)  # fmt: skip


def made_up(count: int = 120, groups: int = 15, seed: int = 3) -> Judged:
    """Answers of a middling model; probabilities are rounded, so that many tie."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, count)
    logits = rng.normal(0, 1.2, (count, 3)) + 1.5 * np.eye(3)[truth]
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    probs = probs.round(1) + 1e-9
    probs /= probs.sum(1, keepdims=True)
    return Judged(
        files=tuple(f"{i}.png" for i in range(count)),
        groups=tuple(f"g{i}" for i in rng.integers(0, groups, count)),
        truth=truth,
        forced=probs.argmax(1),
        answered=probs.max(1) > 0.45,
        confidence=probs.max(1),
        probs=probs,
    )


def naive(judged: Judged, draws: int) -> list[dict[str, float]]:
    """Every figure over each resample, the pictures of drawn groups written out."""
    names, member = np.unique(np.array(judged.groups, dtype=object), return_inverse=True)
    rng = np.random.default_rng(0)
    values = []
    for _ in range(draws):
        chosen = rng.integers(0, len(names), len(names))
        rows = np.concatenate([np.flatnonzero(member == g) for g in chosen])
        values.append(whole(rows_of(judged, rows), draws=2))
    return values


def rows_of(judged: Judged, rows: np.ndarray) -> Judged:
    """The fields at ``rows``, which may repeat."""
    return Judged(
        tuple(judged.files[i] for i in rows),
        tuple(judged.groups[i] for i in rows),
        *(getattr(judged, n)[rows] for n in ("truth", "forced", "answered", "confidence", "probs")),
    )


def whole(judged: Judged, draws: int = 100) -> dict[str, float]:
    """Every figure over all classes."""
    bootstrap = GroupBootstrap(judged.groups, draws=draws)
    ranking = Ranking(judged, bootstrap)
    metrics = overall_figures(judged, ranking, roc_areas(judged, bootstrap), bootstrap)
    return {metric.name: metric.value for metric in metrics}


def test_intervals_are_those_of_naive_resampling_of_groups() -> None:
    judged = made_up()
    bootstrap = GroupBootstrap(judged.groups, seed=0, draws=200)
    ranking = Ranking(judged, bootstrap)
    metrics = overall_figures(judged, ranking, roc_areas(judged, bootstrap), bootstrap)
    tried, drawn = 0, naive(judged, 200)
    for metric in metrics:
        if metric.name == "accuracy at 95 % answered":
            continue  # copies of a picture on the edge are shared there; see the test below
        low, high = np.quantile([values[metric.name] for values in drawn], [0.025, 0.975])
        assert (metric.low, metric.high) == pytest.approx((low, high)), metric.name
        assert low < metric.value < high
        tried += 1
    assert tried == 6


def test_groups_widen_the_interval() -> None:
    right = np.repeat(np.arange(20) % 4 != 0, 10)  # whole groups are right or wrong
    by_group = GroupBootstrap([f"g{i // 10}" for i in range(200)]).mean("x", right)
    alone = GroupBootstrap([str(i) for i in range(200)]).mean("x", right)
    assert by_group.value == alone.value == 0.75
    assert (by_group.groups, alone.groups) == (20, 200)
    width, narrow = (m.high - m.low for m in (by_group, alone))  # type: ignore[operator]
    assert width > 2.5 * narrow


def test_the_seed_sets_the_draws() -> None:
    judged = made_up()
    first, again, other = (
        GroupBootstrap(judged.groups, seed, 100).mean("x", judged.right) for seed in (1, 1, 2)
    )
    assert first == again
    assert (first.low, first.high) != (other.low, other.high)


def test_a_share_of_nothing_is_no_number() -> None:
    bootstrap = GroupBootstrap(["a", "b"], draws=100)
    metric = bootstrap.ratio("x", np.zeros(2), np.zeros(2))
    assert math.isnan(metric.value)
    assert (metric.low, metric.high) == (None, None)
    low, high = interval(np.array([np.nan, 1.0, 1.0]))
    assert (low, high) == (1.0, 1.0)


def test_a_single_group_has_no_interval() -> None:
    bootstrap = GroupBootstrap(["one"] * 12 + [f"other {i}" for i in range(20)], draws=100)
    first = np.arange(32) < 12
    right = np.arange(32) % 4 > 0
    alone = bootstrap.ratio("recall", right & first, first)
    assert (alone.value, alone.low, alone.high) == (0.75, None, None)
    assert (alone.n, alone.groups) == (12, 1)
    others = bootstrap.ratio("recall", right & ~first, ~first)
    assert (others.n, others.groups) == (20, 20)
    assert others.low is not None
    assert others.low < 0.75 < (others.high or 0)
    whole = GroupBootstrap(["one"] * 10, draws=100)
    assert whole.mean("x", right[:10]).low is None
    assert np.isnan(whole.interval(np.zeros((100, 3)))[0]).all()


def last_in_one_group(judged: Judged) -> tuple[str, ...]:
    """The groups, but all fields of the last class in a single one."""
    pairs = zip(judged.groups, judged.truth, strict=True)
    return tuple("one" if label == 2 else group for group, label in pairs)


def test_what_rests_on_a_class_of_one_group_has_no_interval() -> None:
    judged = made_up()
    judged = dataclasses.replace(
        judged,
        groups=last_in_one_group(judged),
    )
    bootstrap = GroupBootstrap(judged.groups, draws=100)
    areas = roc_areas(judged, bootstrap)
    first, _, last = class_figures(judged, STAMP, areas, bootstrap)
    assert (last.recall.low, last.auc.low) == (None, None)
    assert None not in (first.recall.low, first.auc.low, last.precision.low, last.f1.low)
    found = {
        m.name: m for m in overall_figures(judged, Ranking(judged, bootstrap), areas, bootstrap)
    }
    assert (found["macro F1"].low, found["macro AUC"].low) == (None, None)
    assert found["accuracy"].low is not None
    assert np.isnan(roc_curve(judged, 2, "c", bootstrap).low).all()
    assert not np.isnan(roc_curve(judged, 0, "a", bootstrap).low).any()


def test_classes_of_few_groups_are_named() -> None:
    judged = made_up(400, 60)
    assert wording.few_groups(judged, NAMES) == ()
    few = dataclasses.replace(judged, groups=last_in_one_group(judged))
    (text,) = wording.few_groups(few, NAMES)
    assert text.startswith("FEW GROUPS: of class c 1.")


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize(("groups", "told"), [(1, False), (2, False), (5, False), (6, True)])
def test_few_groups_cannot_tell_which_model_is_better(
    groups: int, told: bool, grouped: bool
) -> None:
    names = [str(i % groups) for i in range(60)]
    difference = GroupBootstrap(names, draws=100).mean("difference", np.arange(60) // groups < 2)
    text = verdict_of(difference, 0.5, grouped=grouped)
    assert ("cannot be told" in text) is not told
    assert ("model B is the more accurate one" in text) is told


def test_a_figure_tells_how_many_pictures_it_is_of() -> None:
    judged = made_up()
    bootstrap = GroupBootstrap(judged.groups, draws=100)
    areas = roc_areas(judged, bootstrap)
    for index, found in enumerate(class_figures(judged, STAMP, areas, bootstrap)):
        true, named = judged.truth == index, judged.forced == index
        assert found.recall.n == found.support == true.sum() < 120
        assert (found.precision.n, found.f1.n, found.auc.n) == (
            named.sum(),
            (true | named).sum(),
            120,
        )
    accuracy, answered, of_answered = basic_figures(judged, bootstrap)
    assert accuracy.n == answered.n == 120
    assert of_answered.n == judged.answered.sum() < 120
    assert of_answered.groups == len(set(np.array(judged.groups)[judged.answered]))


def test_class_figures_are_those_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    judged = made_up()
    bootstrap = GroupBootstrap(judged.groups, draws=100)
    found = class_figures(judged, STAMP, roc_areas(judged, bootstrap), bootstrap)
    report = metrics.classification_report(
        judged.truth, judged.forced, target_names=NAMES, output_dict=True
    )
    for index, figures in enumerate(found):
        expected = report[figures.name]
        assert figures.support == expected["support"]
        values = (figures.precision.value, figures.recall.value, figures.f1.value)
        assert values == pytest.approx([expected[k] for k in ("precision", "recall", "f1-score")])
        area = metrics.roc_auc_score(judged.truth == index, judged.probs[:, index])
        assert figures.auc.value == pytest.approx(area)
    text = whole(judged)
    assert text["accuracy"] == pytest.approx(report["accuracy"])
    assert text["macro F1"] == pytest.approx(report["macro avg"]["f1-score"])
    forced = confusion(judged).forced
    assert (forced == metrics.confusion_matrix(judged.truth, judged.forced)).all()


def test_the_curve_is_that_of_scikit_learn_and_lies_in_its_band() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    judged = made_up()
    curve = roc_curve(judged, 1, "b", GroupBootstrap(judged.groups, draws=300))
    false, true, _ = metrics.roc_curve(
        judged.truth == 1, judged.probs[:, 1], drop_intermediate=False
    )
    assert curve.false_positive == pytest.approx(false.astype(np.float32))
    assert curve.true_positive == pytest.approx(true.astype(np.float32))
    inside = np.interp(curve.grid, false, true)[5:60]
    assert (curve.low[5:60] <= inside + 1e-6).all()
    assert (curve.high[5:60] >= inside - 1e-6).all()


def test_coverage_answers_the_most_confident_first() -> None:
    sure = np.linspace(0.99, 0.4, 20)
    right = np.arange(20) < 18  # the two least confident are wrong
    judged = Judged(
        tuple(map(str, range(20))), tuple(map(str, range(20))), np.zeros(20, np.int64),
        np.where(right, 0, 1), sure > 0.5, sure, np.stack([sure, 1 - sure], 1),
    )  # fmt: skip
    ranking = Ranking(judged, GroupBootstrap(judged.groups, draws=100))
    assert ranking.at(0.95, "x", "").value == pytest.approx(18 / 19)
    assert ranking.at(0.9, "x", "").value == 1.0
    curve = ranking.curve()
    assert curve.share[-1] == 1.0
    assert curve.accuracy[-1] == pytest.approx(0.9)
    assert (np.diff(curve.accuracy) <= 1e-6).all()
    assert (curve.low <= curve.accuracy).all()


def test_calibration_error_by_hand() -> None:
    sure = np.repeat([0.6, 0.9], 50)
    right = np.r_[np.arange(50) < 20, np.arange(50) < 50]  # 40 % where 60 % was said, 100 % of 90 %
    judged = Judged(
        tuple(map(str, range(100))), tuple(map(str, range(100))), np.zeros(100, np.int64),
        np.where(right, 0, 1), np.ones(100, bool), sure, np.stack([sure, 1 - sure], 1),
    )  # fmt: skip
    bins, error = reliability(judged, GroupBootstrap(judged.groups, draws=200), "ECE")
    assert len(bins) == 10
    assert sum(part.n for part in bins) == 100
    # Five bins of 0.6: two all right, three all wrong.
    assert error.value == pytest.approx(0.5 * (0.4 * 0.4 + 0.6 * 0.6) + 0.5 * 0.1)
    assert error.low < error.value < error.high  # type: ignore[operator]


def test_answers_become_arrays() -> None:
    def answer(status: CaseStatus, predicted: str | None, forced: str | None) -> FieldAnswer:
        probs = (0.7, 0.2, 0.1) if forced else ()
        return FieldAnswer(
            "f", "a", "g", status, predicted, forced, 0.7 if forced else None, probs, ""
        )

    judged = as_arrays(
        [
            answer(CaseStatus.OK, "a", "a"),
            answer(CaseStatus.NO_RESULT, None, "b"),
            answer(CaseStatus.NO_RESULT, None, None),
            answer(CaseStatus.FAILED, None, None),
        ],
        NAMES,
    )
    assert judged.forced.tolist() == [0, 1, -1]  # what cannot be read is in no figure
    assert judged.right.tolist() == [True, False, False]
    assert judged.answered.tolist() == [True, False, False]
    assert judged.probs[2] == pytest.approx([1 / 3] * 3)
    table = confusion(judged)
    assert table.forced[0].tolist() == [1, 1, 0]
    assert table.answered[0].tolist() == [1, 0, 0, 2]


def test_a_class_without_fields_has_no_recall() -> None:
    judged = made_up()
    judged = rows_of(judged, np.flatnonzero(judged.truth != 2))
    bootstrap = GroupBootstrap(judged.groups, draws=100)
    last = class_figures(judged, STAMP, roc_areas(judged, bootstrap), bootstrap)[2]
    assert last.support == 0
    assert math.isnan(last.recall.value)
    assert math.isnan(last.auc.value)
    assert last.precision.value == 0
    text = whole(judged)
    assert 0 < text["macro F1"] < 1
    assert 0.5 < text["macro AUC"] < 1


@pytest.mark.parametrize(
    ("only_a", "only_b", "p"),
    [(0, 0, 1.0), (5, 5, 1.0), (1, 9, 22 / 1024), (9, 1, 22 / 1024), (0, 1, 1.0), (0, 6, 2 / 64)],
)
def test_mcnemar_is_the_exact_two_sided_test(only_a: int, only_b: int, p: float) -> None:
    assert mcnemar(only_a, only_b) == pytest.approx(p)


def test_mcnemar_takes_large_counts() -> None:
    assert 0 < mcnemar(4000, 4300) < 0.01
