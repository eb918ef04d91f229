"""What an answer depends on: explain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lungscan.options import DEFAULT_MODEL, Explain

if TYPE_CHECKING:
    from lungscan.types import Explanation


def explain(
    path: str | Path,
    box: tuple[int, int, int, int] | None = None,
    *,
    model: str = DEFAULT_MODEL,
    method: Explain = "occlusion",
    label: str | None = None,
    mpp: float | None = None,
    device: str = "auto",
) -> Explanation:
    """Explain a field, or one tile of a slide or field; a child process reads the image.

    Args:
        box: x, y, width, height in level-0 pixels, as in ``tiles.csv``; of a field None takes the
            square it is, or the surest of its tiles.
        label: one of the model's class names; None takes the class with the highest probability.
        mpp: µm per level-0 pixel, for a field that does not say.

    Returns:
        The cells in natural logarithms of odds; ``lungscan.report.explained`` draws them.

    Raises:
        UsageProblem: a slide without ``box``, no such class or method.
        UnreadableFile, NoScale: the image cannot be read.
        ModelError, MachineError: there is no such model or device.
    """
    from lungscan.classification.explained_tile import explain_tile

    return explain_tile(
        Path(path), box, model=model, method=method, label=label, mpp=mpp, device=device
    )
