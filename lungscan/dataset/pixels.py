"""Decode pictures: the one place where training data become pixels."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungscan.errors import UnreadableFile, UsageProblem
from lungscan.inputs import show
from lungscan.reading import open_field, resize
from lungscan.types import InputFile, RgbArray


def decode(path: Path, data: bytes | None = None) -> RgbArray:
    """Decode a picture as classification does: upright, 8-bit RGB, (height, width, 3).

    ``data`` is the content of the file, when the caller has it already.

    Raises:
        UnreadableFile: no picture, damaged, too large, or not readable.
    """
    return open_field(InputFile(path, path.name, "field"), data).overview(1 << 30).rgb


def read_rgb(path: Path) -> RgbArray:
    """As ``decode``, where a broken picture is a fault of the call: (height, width, 3).

    Raises:
        UsageProblem: the picture cannot be decoded.
    """
    try:
        return decode(path)
    except UnreadableFile as error:
        raise UsageProblem(f"{show(path.parent.name)}/{error}") from error


def load_pixels(paths: Sequence[Path], size_px: int) -> NDArray[np.uint8]:
    """Decode pictures once into a cache, ``(n, size_px, size_px, 3)`` uint8 RGB.

    Pictures of another size are resized with the kernel that classification uses.

    Raises:
        UsageProblem: one of the pictures is missing or cannot be decoded.
    """
    cache = np.empty((len(paths), size_px, size_px, 3), np.uint8)

    def load(row: int) -> None:
        cache[row] = resize(read_rgb(paths[row]), (size_px, size_px))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(load, range(len(paths))))
    return cache
