"""How far from its training's look a trained model judges: as far as its answers were right."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch", reason="training needs the extra train")

from torch import nn

from lungscan.dataset.pixels import Squares
from lungscan.training import judge
from lungscan.training.calibrate import Outputs
from lungscan.training.options import Augment

COUNT, SIDE, WIDTH = 60, 32, 6
WIDE = Augment(stain_sigma=0.1, restain_share=1.0)


def material(label: int) -> SimpleNamespace:
    """Sixty tiles of one stain, all of one class: forty to train, twenty to validate."""
    rng = np.random.default_rng(0)
    grains = rng.uniform(0.2, 1.0, (COUNT, SIDE, SIDE, 2)) * rng.uniform(0.5, 1, (COUNT, 1, 1, 2))
    stains = np.array([[0.64, 0.75, 0.18], [0.36, 0.92, 0.13]])
    pixels = np.clip(256 * np.exp(-grains @ stains) - 1, 0, 255).astype(np.uint8)
    return SimpleNamespace(
        classes=2,
        split=SimpleNamespace(train=np.arange(40), validation=np.arange(40, 60)),
        squares=SimpleNamespace(
            pixels=pixels, counts=np.ones(COUNT, np.int64), rows=lambda pictures: pictures
        ),
        samples=SimpleNamespace(labels=np.full(COUNT, label)),
        foreign=(),
    )


def first_class(student: object, pixels: NDArray[np.uint8]) -> Outputs:
    """A network that is sure of the first class, whatever it sees."""
    rng = np.random.default_rng(len(pixels))
    logits = np.tile(np.array([[9.0, 0.0, -9.0]], np.float32), (len(pixels), 1))
    return Outputs(logits, rng.normal(0, 1, (len(pixels), WIDTH)).astype(np.float32))


@pytest.mark.parametrize(
    ("label", "how", "beyond"),
    [
        (0, WIDE, True),  # right in every stain: as far as the training reached
        (1, WIDE, False),  # wrong in every other stain: only its own look
        (1, Augment(stain_sigma=0.3), True),  # nobody asked it of other stains
    ],
)
def test_a_model_judges_other_stains_where_it_was_right_of_them(
    monkeypatch: pytest.MonkeyPatch, label: int, how: Augment, beyond: bool
) -> None:
    monkeypatch.setattr(judge, "outputs_of", first_class)
    student = SimpleNamespace(get_classifier=lambda: nn.Linear(WIDTH, 3))
    fitted = judge.calibrate(student, material(label), None, how)  # type: ignore[arg-type]
    appearance = fitted.novelty.appearance
    assert appearance is not None
    assert (appearance.reach > 1.05) == beyond
    assert appearance.reach >= 1


def test_every_organ_of_a_folder_counts_though_another_folder_is_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[NDArray[np.uint8]] = []
    monkeypatch.setattr(judge, "outputs_of", lambda _, pixels: seen.append(pixels))

    def folder(values: list[int]) -> SimpleNamespace:
        pixels = np.array(values, np.uint8)[:, None, None, None]
        squares = Squares(pixels, np.ones(len(values), np.int64))
        return SimpleNamespace(
            squares=squares, split=SimpleNamespace(validation=np.arange(len(values)))
        )

    organs = folder([1] * 30 + [2] * 30 + [3] * 30)  # as breast, colon and kidney sort by name
    few = SimpleNamespace(foreign=(organs, folder([9] * 10)))
    judge.foreign_outputs(None, few)  # type: ignore[arg-type]
    values, counts = np.unique(seen[0], return_counts=True)
    assert dict(zip(values.tolist(), counts.tolist(), strict=True)) == {1: 4, 2: 3, 3: 3, 9: 10}
