"""Colours as an image's ICC profile means them: for people, never by default."""

from __future__ import annotations

import io
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms

from lungscan.opening.viewing import VIEW_PX, ViewedImage
from tests.drawing import draw_he, draw_slide, write_svs

ADOBE = bytes(imagecodecs.cms_profile("adobergb"))
BOXES = np.array([[0, 0, 512, 512], [512, 256, 512, 512]], np.int32)


def by_littlecms(rgb: np.ndarray) -> np.ndarray:
    """What littleCMS makes of stored numbers, asked for in the plainest way."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(ADOBE))
    shown = ImageCms.profileToProfile(
        Image.fromarray(rgb), profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    return np.asarray(shown)


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    return write_svs(tmp_path / "wide.svs", draw_slide(1536, 1200), icc=ADOBE)


def test_a_slide_is_shown_as_stored_until_its_profile_is_asked_for(slide: Path) -> None:
    with ViewedImage(slide) as image:
        assert image.profile.startswith("Adobe RGB") or image.profile  # by its own name
        stored, overview = image.read(BOXES).rgb.copy(), image.overview.rgb.copy()
        shown = image.use_profile(True)
        tiles = image.read(BOXES).rgb
        for before, after in zip((*stored, overview), (*tiles, shown.rgb), strict=True):
            assert np.abs(after.astype(int) - by_littlecms(before)).max() <= 1
        assert np.abs(tiles.astype(int) - stored).max() > 20  # it does change something
        assert (image.use_profile(False).rgb == overview).all()
        assert (image.read(BOXES).rgb == stored).all()


def test_white_stays_white_in_a_field(tmp_path: Path) -> None:
    rgb = draw_he(VIEW_PX, VIEW_PX).copy()
    rgb[:40] = 255
    Image.fromarray(rgb).save(tmp_path / "field.png", icc_profile=ADOBE)
    with ViewedImage(tmp_path / "field.png") as image:
        image.use_profile(True)
        tile = image.read(np.array([[0, 0, VIEW_PX, VIEW_PX]], np.int32)).rgb[0]
    assert (tile[:40] == 255).all()
    assert np.abs(tile.astype(int) - by_littlecms(rgb)).max() <= 1


def test_an_image_whose_profile_changes_nothing_offers_none(tmp_path: Path) -> None:
    usual = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    write_svs(tmp_path / "plain.svs", draw_slide(900, 700))
    write_svs(tmp_path / "srgb.svs", draw_slide(900, 700), icc=usual)
    write_svs(tmp_path / "damaged.svs", draw_slide(900, 700), icc=b"this is no profile at all")
    for name in ("plain", "srgb", "damaged"):
        with ViewedImage(tmp_path / f"{name}.svs") as image:
            assert image.profile == "", name
