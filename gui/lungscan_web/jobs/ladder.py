"""The ladder of a picture for a viewer in a browser: levels and tiles, and how a tile is drawn.

The ladder is that of Deep Zoom (DZI): the highest level is the image itself, each lower one half
as large, down to one pixel; tiles are squares of 512 px without overlap, cut at the image's edges.
What is coarser than the image's overview is drawn from that.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from lungscan_web.jobs.limits import NotHere

if TYPE_CHECKING:
    from lungscan.opening.viewing import ViewedImage
    from lungscan.types import RgbArray

SIDE_PX = 512  # of a tile
JPEG_QUALITY = 85
UNREADABLE = (200, 200, 200)


@dataclass(frozen=True, slots=True)
class Ladder:
    """The levels of an image of this size."""

    width: int
    height: int

    @property
    def highest(self) -> int:
        """The level of full size."""
        return (max(self.width, self.height) - 1).bit_length()

    @property
    def lowest(self) -> int:
        """The highest level that is one tile."""
        return max(
            0, self.highest - (ceil(max(self.width, self.height) / SIDE_PX) - 1).bit_length()
        )

    def size(self, level: int) -> tuple[int, int]:
        """Width and height of a level."""
        step = 1 << (self.highest - level)
        return ceil(self.width / step), ceil(self.height / step)

    def tile(self, level: int, column: int, row: int) -> tuple[int, int, int, int]:
        """Left, top, width and height of a tile in its level's pixels. Raises NotHere."""
        if not 0 <= level <= self.highest:
            raise NotHere("The picture has no such level.")
        width, height = self.size(level)
        left, top = column * SIDE_PX, row * SIDE_PX
        if not (0 <= left < width and 0 <= top < height):
            raise NotHere("The picture has no such tile.")
        return left, top, min(SIDE_PX, width - left), min(SIDE_PX, height - top)


def tile_jpeg(image: ViewedImage, level: int, column: int, row: int) -> bytes:
    """A tile of an open image. Raises as ``Ladder.tile`` and ``ViewedImage.read``."""
    import numpy as np
    from PIL import Image

    ladder = Ladder(image.info.width, image.info.height)
    left, top, width, height = ladder.tile(level, column, row)
    step = 1 << (ladder.highest - level)
    if step < image.overview_downsample:
        side = SIDE_PX * step
        pixels = image.read(np.array([[left * step, top * step, side, side]], np.int32))
        if pixels.failed[0]:
            return encoded(np.full((height, width, 3), UNREADABLE, np.uint8), "JPEG")
        return encoded(pixels.rgb[0, :height, :width], "JPEG")
    overview = image.overview
    full = Image.fromarray(overview.rgb)
    share = step / overview.downsample
    right = min(full.width, (left + width) * share)
    bottom = min(full.height, (top + height) * share)
    box = (min(left * share, right - 1), min(top * share, bottom - 1), right, bottom)
    return encoded(np.asarray(full.resize((width, height), Image.Resampling.BOX, box)), "JPEG")


def encoded(rgb: RgbArray, form: str) -> bytes:
    """A picture for a browser, without any metadata."""
    import numpy as np
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb)).save(buffer, form, quality=JPEG_QUALITY)
    return buffer.getvalue()
