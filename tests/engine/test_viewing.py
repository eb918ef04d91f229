"""Images opened to be shown to a person, in a reader process of their own."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from lungscan.errors import UnreadableFile
from lungscan.opening.viewing import VIEW_PX, ViewedImage
from lungscan.reading import open_source
from lungscan.types import InputFile, MppSource
from tests.drawing import draw_he, draw_slide, write_svs

BOXES = np.array([[0, 0, 512, 512], [512, 512, 1024, 1024]], np.int32)


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("viewing") / "drawn.svs"
    return write_svs(path, draw_slide(1536, 1200))


def test_tiles_are_those_that_the_engine_reads(slide: Path) -> None:
    source = open_source(InputFile(slide, slide.name, "slide"))
    wanted = source.read_tiles(BOXES, VIEW_PX)
    with ViewedImage(slide) as image:
        read = image.read(BOXES)
        assert (image.kind, image.info) == ("slide", source.info)
        assert (image.overview.rgb == source.overview(1024).rgb).all()
    source.close()
    assert (read.rgb == wanted.rgb).all()
    assert not read.failed.any()


def test_a_slide_without_a_scale_can_be_looked_at(tmp_path: Path) -> None:
    path = write_svs(tmp_path / "bare.svs", draw_slide(1024, 800), mpp=None, power=None)
    with ViewedImage(path) as image:
        assert image.info.scale.mpp_um is None
        assert image.info.scale.source is MppSource.UNKNOWN
        assert not image.read(BOXES[:1]).failed[0]
    with ViewedImage(path, mpp=0.25) as image:
        assert image.info.scale.mpp_um == 0.25


def test_a_field_is_an_image_like_any_other(tmp_path: Path) -> None:
    rgb = draw_he(300, 200)
    Image.fromarray(rgb).save(tmp_path / "field.png")
    with ViewedImage(tmp_path / "field.png") as image:
        assert image.kind == "field"
        assert (image.overview.rgb == rgb).all()
        assert (image.read(BOXES[:1]).rgb[0, :200, :300] == rgb).all()


def test_what_is_no_image_says_so(tmp_path: Path) -> None:
    (tmp_path / "bad.svs").write_bytes(b"no slide at all")
    with pytest.raises(UnreadableFile):
        ViewedImage(tmp_path / "bad.svs")


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_crash_is_an_error_and_ends_nothing_else(slide: Path) -> None:
    with ViewedImage(slide) as image:
        os.kill(image.process.launched.child.pid, signal.SIGSEGV)
        image.process.launched.child.wait()
        with pytest.raises(UnreadableFile) as caught:
            image.read(BOXES[:1])
    assert caught.value.code == "E_CRASH"


def test_an_overview_that_takes_long_is_made_when_it_is_asked_for(
    slide: Path, tmp_path: Path
) -> None:
    with ViewedImage(slide, soon=True) as image:
        assert image.is_overview_made  # a small slide's costs nothing
    tiles, side = 33, 33 * 256  # one level alone, of 71 million pixels
    rgb = draw_he(256, 256)
    path = tmp_path / "flat.tif"
    tifffile.imwrite(
        path, iter([rgb] * tiles**2), shape=(side, side, 3), dtype=np.uint8, tile=(256, 256),
        compression="jpeg", photometric="rgb", resolution=(20000, 20000),
        resolutionunit="CENTIMETER",
    )  # fmt: skip
    with ViewedImage(path, soon=True) as image:
        assert not image.is_overview_made
        assert image.overview_downsample == side / 1024
        middle = image.read(np.array([[side // 2, side // 2, 512, 512]], np.int32))
        assert middle.rgb.std() > 5  # it can be looked at before
        assert image.overview.rgb.shape == (1024, 1024, 3)
        assert image.overview.downsample == side / 1024
        assert image.is_overview_made
