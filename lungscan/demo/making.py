"""What lies in the demo's folder of pictures: what the model knows beside what it must refuse."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageFilter

from lungscan.demo.drawing import SLIDE, draw_demo
from lungscan.demo.stitching import stitch_slide

FIELDS = Path(__file__).parent / "fields"
TISSUES = ("adenocarcinoma", "benign", "squamous")  # folders below ``single`` and ``slide``
BLUR_PX = 5.0  # of a field of 224 px: nothing in it can be told any more


@dataclass(frozen=True, slots=True)
class DemoPictures:
    """What was written."""

    paths: tuple[Path, ...]
    real: bool  # False: the training fields are not installed, so all is drawn


def make_demo(folder: Path) -> DemoPictures:
    """Write the demo's pictures into ``folder``; files of these names are replaced.

    One slide put together from training fields of three tissues, six more of these fields as they
    are, one of them out of focus, two drawn fields, empty glass, and a junk file such as a memory
    stick brings along. Where the training fields are missing, the slide is drawn instead.
    The same pictures every time. Raises OSError when it cannot write.
    """
    drawn = draw_demo(folder)
    singles = {tissue: pictures_in(FIELDS / "single" / tissue) for tissue in TISSUES}
    pieces = {tissue: pictures_in(FIELDS / "slide" / tissue) for tissue in TISSUES}
    if not all([*singles.values(), *pieces.values()]):
        return DemoPictures(drawn, real=False)
    paths = [path for path in drawn if path.name != SLIDE]
    (folder / SLIDE).unlink()
    paths.append(folder / "stitched-slide.svs")
    stitch_slide(paths[-1], pieces)
    for tissue, found in singles.items():
        for number, field in enumerate(found, start=1):
            paths.append(folder / f"training-{tissue}-{number}.jpg")
            shutil.copyfile(field, paths[-1])
    with Image.open(singles[TISSUES[0]][0], formats=("JPEG",)) as sharp:
        sharp.filter(ImageFilter.GaussianBlur(BLUR_PX)).save(folder / "out-of-focus.jpg")
    return DemoPictures(tuple(paths), real=True)


def pictures_in(folder: Path) -> tuple[Path, ...]:
    """The training fields of one tissue."""
    return tuple(sorted(folder.glob("*.jpeg")))
