"""The drawn slide and fields of `lungscan demo`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openslide
import pytest
from PIL import Image

from lungscan.demo import draw_demo
from lungscan.demo.drawing import SLIDE_SIZE


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The demo's files by name."""
    return {path.name: path for path in draw_demo(tmp_path_factory.mktemp("demo"))}


def test_the_slide_opens_as_an_aperio_pyramid_with_its_scale(drawn: dict[str, Path]) -> None:
    with openslide.OpenSlide(drawn["drawn-slide.svs"]) as slide:
        assert slide.properties["openslide.vendor"] == "aperio"
        assert float(slide.properties["openslide.mpp-x"]) == 0.5
        assert slide.dimensions == SLIDE_SIZE
        assert [round(d) for d in slide.level_downsamples] == [1, 4, 8]


def test_the_slide_shows_glass_pink_tissue_and_green_ink(drawn: dict[str, Path]) -> None:
    with openslide.OpenSlide(drawn["drawn-slide.svs"]) as slide:
        rgb = np.asarray(slide.get_thumbnail((1024, 768)).convert("RGB")).astype(int)
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    assert 0.4 < (rgb.min(-1) > 225).mean() < 0.8  # glass
    assert ((red > blue) & (blue > green + 25)).mean() > 0.1  # eosin
    assert ((green > red + 30) & (green > blue + 30)).mean() > 0.01  # felt pen


def test_fields_differ_as_their_names_say(drawn: dict[str, Path]) -> None:
    def detail(name: str) -> float:
        grey = np.asarray(Image.open(drawn[name]).convert("L")).astype(float)
        return float(np.abs(np.diff(grey, axis=1)).mean())

    assert detail("drawn-glands.jpg") > 3 * detail("out-of-focus.jpg")
    red, green, blue = np.moveaxis(
        np.asarray(Image.open(drawn["drawn-glands.jpg"])).astype(int), -1, 0
    )
    assert ((blue > red + 15) & (red > green)).mean() > 0.05  # nuclei, seen up close
    assert np.asarray(Image.open(drawn["empty-glass.png"])).min() > 200
    assert np.asarray(Image.open(drawn["drawn-alveoli.png"])).std() > 20
    assert drawn["._drawn-slide.svs"].stat().st_size < 100


def test_the_same_seed_draws_the_same_tissue(drawn: dict[str, Path], tmp_path: Path) -> None:
    again = {path.name: path for path in draw_demo(tmp_path)}
    other = {path.name: path for path in draw_demo(tmp_path / "other", seed=8)}
    assert again.keys() == drawn.keys()
    for name, path in drawn.items():
        assert path.read_bytes() == again[name].read_bytes(), name
    glands = "drawn-glands.jpg"
    assert drawn[glands].read_bytes() != other[glands].read_bytes()
