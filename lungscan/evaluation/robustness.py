"""How the figures move when every field is changed in one way."""

from __future__ import annotations

import numpy as np

from lungscan.dataset.resampling import GroupBootstrap
from lungscan.evaluation.figures import basic_figures
from lungscan.evaluation.judged import Judged
from lungscan.evaluation.records import ShiftFigures
from lungscan.evaluation.shifts import Shift


def shift_figures(
    shift: Shift, clean: Judged, changed: Judged, bootstrap: GroupBootstrap
) -> ShiftFigures:
    """Figures of the ``changed`` fields beside those of the same fields as they are.

    Both must hold the same fields in the same order: ``bootstrap`` pairs them.
    """
    if clean.files != changed.files:
        raise ValueError("the changed fields are not those judged as they are")
    loss = clean.right.astype(np.float64) - changed.right
    return ShiftFigures(
        shift.kind,
        shift.amount,
        *basic_figures(changed, bootstrap),
        bootstrap.mean("drop", loss, "accuracy as it is minus accuracy changed, paired"),
    )
