"""Answers as arrays: what every figure is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungscan.evaluation.records import FieldAnswer

IndexArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """The fields that could be read; row i of every array is field i.

    A field without any scored tile counts as wrong, with confidence 0 and no preference.
    """

    files: tuple[str, ...]
    groups: tuple[str, ...]
    truth: IndexArray  # (n,) class
    forced: IndexArray  # (n,) class named when an answer must be given; -1: none could be
    answered: BoolArray  # (n,) whether the model gave its answer
    confidence: Floats  # (n,) of ``forced``
    probs: Floats  # (n, classes)

    @property
    def right(self) -> BoolArray:
        """Whether the forced choice is right."""
        result: BoolArray = self.forced == self.truth
        return result


def as_arrays(answers: Sequence[FieldAnswer], names: Sequence[str]) -> Judged:
    """The readable ones among ``answers``; ``names`` are the classes in the card's order."""
    read = [answer for answer in answers if answer.judged]
    index = {name: i for i, name in enumerate(names)}
    even = (1 / len(names),) * len(names)
    return Judged(
        files=tuple(answer.file for answer in read),
        groups=tuple(answer.group for answer in read),
        truth=np.array([index[answer.label] for answer in read], np.int64),
        forced=np.array([index.get(answer.forced or "", -1) for answer in read], np.int64),
        answered=np.array([answer.answer is not None for answer in read], np.bool_),
        confidence=np.array([answer.confidence or 0.0 for answer in read], np.float64),
        probs=np.array([answer.probs or even for answer in read], np.float64),
    )
