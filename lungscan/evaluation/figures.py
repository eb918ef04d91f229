"""Figures over all classes and of each class, with intervals over groups."""

from __future__ import annotations

import numpy as np

from lungscan.dataset.resampling import Floats, GroupBootstrap, divide
from lungscan.evaluation.curves import Ranking
from lungscan.evaluation.judged import Judged
from lungscan.evaluation.records import ClassFigures, Confusion, CountArray
from lungscan.model.card import Metric
from lungscan.types import ModelStamp

Areas = tuple[Floats, Floats]  # (classes,) and of each resample (draws, classes)

ACCURACY = "accuracy"
ANSWERED = "answered"
ACCURACY_ANSWERED = "accuracy of the answered"
ACCURACY_AT_95 = "accuracy at 95 % answered"
MACRO_F1 = "macro F1"
MACRO_AUC = "macro AUC"
CALIBRATION = "expected calibration error"
BRIER = "Brier score"


def basic_figures(judged: Judged, bootstrap: GroupBootstrap) -> tuple[Metric, Metric, Metric]:
    """Accuracy of the forced choice, share answered, and accuracy of the answered."""
    right, answered = judged.right, judged.answered
    return (
        bootstrap.mean(ACCURACY, right, "all fields, forced choice"),
        bootstrap.mean(ANSWERED, answered, "share of fields that get an answer"),
        bootstrap.ratio(ACCURACY_ANSWERED, right & answered, answered, "as the model answers"),
    )


def overall_figures(
    judged: Judged, ranking: Ranking, areas: Areas, bootstrap: GroupBootstrap
) -> tuple[Metric, ...]:
    """The figures over all classes, but for that of calibration; ``areas`` are those of ROC."""
    f1, f1_draws = _f1(judged, bootstrap)
    present = np.unique(judged.truth)
    kinds = [judged.truth == i for i in present]
    off = judged.probs - np.eye(judged.probs.shape[1])[judged.truth]
    return (
        *basic_figures(judged, bootstrap),
        ranking.at(0.95, ACCURACY_AT_95, "the most confident 95 % of the fields"),
        bootstrap.metric(
            MACRO_F1,
            float(f1[present].mean()),
            bootstrap.told(_mean_of_known(f1_draws[:, present]), *kinds),
            "mean over the classes present",
        ),
        bootstrap.metric(
            MACRO_AUC,
            float(_mean_of_known(areas[0][None])[0]),
            bootstrap.told(_mean_of_known(areas[1]), *kinds),
            "mean over the classes present, one against the rest",
        ),
        bootstrap.mean(BRIER, (off**2).sum(1), "sum over classes, 0 to 2; less is better"),
    )


def class_figures(
    judged: Judged, stamp: ModelStamp, areas: Areas, bootstrap: GroupBootstrap
) -> tuple[ClassFigures, ...]:
    """Precision, recall, F1 and AUC of each class against the rest."""
    f1, f1_draws = _f1(judged, bootstrap)
    found = []
    for i, name in enumerate(stamp.class_names):
        predicted, true = judged.forced == i, judged.truth == i
        either = predicted | true
        f1_told = bootstrap.told(f1_draws[:, i], either)
        area_told = bootstrap.told(areas[1][:, i], true, ~true)
        found.append(
            ClassFigures(
                name,
                stamp.display_names[i],
                int(true.sum()),
                bootstrap.ratio(f"precision {name}", predicted & true, predicted),
                bootstrap.ratio(f"recall {name}", predicted & true, true),
                bootstrap.metric(f"F1 {name}", float(f1[i]), f1_told, counted=either),
                bootstrap.metric(
                    f"AUC {name}", float(areas[0][i]), area_told, "one against the rest"
                ),
            )
        )
    return tuple(found)


def confusion(judged: Judged) -> Confusion:
    """Counts of true class against answer."""
    classes = judged.probs.shape[1]
    forced: CountArray = np.zeros((classes, classes), np.int64)
    known = judged.forced >= 0
    np.add.at(forced, (judged.truth[known], judged.forced[known]), 1)
    answered: CountArray = np.zeros((classes, classes + 1), np.int64)
    column = np.where(judged.answered, judged.forced, classes)
    np.add.at(answered, (judged.truth, column), 1)
    return Confusion(forced, answered)


def _f1(judged: Judged, bootstrap: GroupBootstrap) -> tuple[Floats, Floats]:
    """F1 of each class ``(classes,)`` and of each resample ``(draws, classes)``."""
    every = np.arange(judged.probs.shape[1])
    predicted, true = judged.forced[:, None] == every, judged.truth[:, None] == every
    both, either = 2.0 * (predicted & true), predicted.astype(np.float64) + true
    return (
        divide(both.sum(0), either.sum(0)),
        divide(bootstrap.totals(both), bootstrap.totals(either)),
    )


def _mean_of_known(draws: Floats) -> Floats:
    """Mean over columns, NaN left out; NaN where nothing is left."""
    known = ~np.isnan(draws)
    return divide(np.where(known, draws, 0).sum(1), known.sum(1).astype(np.float64))
