"""Out-of-fold answers as honest answers: each fold under the temperature of the other folds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungscan.evaluation.judged import Judged
from lungscan.training.calibrate import confidence_limit, fit_temperature, softmax
from lungscan.training.out_of_fold import Answers
from lungscan.types import FloatArray


def judged_of(answers: Answers) -> Judged:
    """What the network says by itself, for the figures of evaluations.

    Temperature and least confidence of a picture are fitted on the other folds. What classification
    checks beside them (novelty, tissue, focus) is not part of it.
    """
    probs, limits = nested(answers)
    confidence = probs.max(1).astype(np.float64)
    return Judged(
        files=answers.files,
        groups=answers.groups,
        truth=answers.truth,
        forced=probs.argmax(1).astype(np.int64),
        answered=confidence >= limits,
        confidence=confidence,
        probs=probs.astype(np.float64),
    )


def nested(answers: Answers) -> tuple[FloatArray, NDArray[np.float64]]:
    """Calibrated probabilities ``(n, classes)`` and least confidences ``(n,)``."""
    probs, limits = np.empty_like(answers.probs), np.empty(len(answers.files))
    for number in np.unique(answers.numbers):
        own = answers.numbers == number
        others = answers.logits[~own]
        temperature = fit_temperature(others, answers.truth[~own])
        probs[own] = softmax(answers.logits[own], temperature)
        limits[own] = confidence_limit(softmax(others, temperature))
    return probs, limits
