"""``statistics.safetensors``: what a model's early layers give on the tissue it was trained on.

An optional file of a model folder. With it a model can be adapted to another laboratory without
the pictures that it was trained on (``lungscan adapt``).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from lungscan.errors import ModelError
from lungscan.model.card import STATISTICS_FILE
from lungscan.runtimes.layers import Moments, Network
from lungscan.types import RgbBatch

MEASURED = 256  # squares of the training tissue


def keep_statistics(folder: Path, tiles: RgbBatch) -> None:
    """Measure a model folder's network on ``tiles`` ``(n, s, s, 3)`` uint8, and write the file.

    Its card must be written, or written again, after it. A network that cannot be adapted, having
    no convolutions with a bias, gets no such file.
    """
    try:
        network = Network(folder, tiles.shape[1])
    except ModelError:
        return
    found = network.moments(some(tiles))
    numbers = {f"mean.{name}": value for name, value in found.mean.items()}
    numbers |= {f"deviation.{name}": value for name, value in found.deviation.items()}
    (folder / STATISTICS_FILE).write_bytes(save(numbers))


def load_statistics(folder: Path) -> Moments | None:
    """The moments that a model folder keeps; None where it keeps none.

    Raises:
        ModelError: the file is damaged.
    """
    path = folder / STATISTICS_FILE
    if not path.exists():
        return None
    try:
        tensors = load_file(path)
    except (SafetensorError, ValueError, OSError) as error:
        raise ModelError(f"{path.name} is damaged ({error}). Install the model again.") from error
    mean = {k.removeprefix("mean."): v for k, v in tensors.items() if k.startswith("mean.")}
    spread = {
        k.removeprefix("deviation."): v for k, v in tensors.items() if k.startswith("deviation.")
    }
    return Moments(mean, spread)


def some(tiles: RgbBatch, most: int = MEASURED) -> RgbBatch:
    """At most ``most`` squares, evenly over all."""
    rows = np.unique(np.linspace(0, len(tiles) - 1, min(len(tiles), most)).astype(np.int64))
    return tiles[rows]
