"""Near-duplicates: turned, mirrored, cropped or recompressed pictures are found, others not."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from lungscan.dataset.audit import agreement
from lungscan.dataset.descriptors import SIDE_PX
from lungscan.dataset.listing import read_listing
from lungscan.dataset.shared_layout import without_layout
from lungscan.dataset.significance import details, proof
from lungscan.dataset.similar import find_similar
from lungscan.dataset.union_find import Unions
from lungscan.errors import UsageProblem
from tests.drawing import draw_he

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "lc25000-lung"
FULL, SIDE = 330, 224
Change = Callable[[Image.Image], Image.Image]


def centre(picture: Image.Image, side: int = SIDE) -> Image.Image:
    edge = (picture.width - side) // 2
    return picture.crop((edge, edge, edge + side, edge + side))


def turned(angle: float) -> Change:
    return lambda full: centre(full.rotate(angle, Image.Resampling.BICUBIC))


def recompressed(full: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    centre(full).save(buffer, "JPEG", quality=40)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


def cropped(full: Image.Image) -> Image.Image:
    """Nine tenths of the field, from its upper left corner, enlarged again."""
    part = centre(full).crop((0, 0, SIDE * 9 // 10, SIDE * 9 // 10))
    return part.resize((SIDE, SIDE), Image.Resampling.BICUBIC)


CHANGES: dict[str, Change] = {
    "turned 37": turned(37),
    "turned 90": turned(90),
    "turned 141": turned(141),
    "turned 37, black corners": lambda full: centre(full).rotate(37, Image.Resampling.BICUBIC),
    "turned 45, white corners": lambda full: centre(full).rotate(45, fillcolor="white"),
    "mirrored": lambda full: ImageOps.mirror(centre(full)),
    "mirrored and turned": lambda full: ImageOps.mirror(turned(67)(full)),
    "cropped": cropped,
    "recompressed": recompressed,
    "smaller": lambda full: centre(full).resize((150, 150), Image.Resampling.BILINEAR),
    "stretched": lambda full: full.resize((FULL, FULL * 9 // 8)).crop((53, 53, 277, 277)),
    "lighter": lambda full: centre(full).point(lambda value: int(255 * (value / 255) ** 0.9)),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The group of each picture: eleven fields that differ, and the first one changed."""
    folder = tmp_path_factory.mktemp("fields")
    fields = [Image.fromarray(draw_he(FULL, FULL, seed)) for seed in range(11)]
    for number, full in enumerate(fields):
        centre(full).save(folder / f"field {number}.png")
    for name, change in CHANGES.items():
        change(fields[0]).save(folder / f"{name}.png")
    paths = sorted(folder.iterdir())
    groups = find_similar(paths).groups
    return {path.stem: group for path, group in zip(paths, groups, strict=True)}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_picture_joins_its_original(found: dict[str, str], change: str) -> None:
    assert found[change] == found["field 0"]


def test_other_pictures_stand_alone(found: dict[str, str]) -> None:
    others = [found[f"field {number}"] for number in range(11)]
    assert len(set(others)) == 11


def test_equal_pictures_without_structure_are_joined_and_no_others(tmp_path: Path) -> None:
    for name, grey in (("a", 240), ("b", 240), ("c", 200)):
        Image.new("RGB", (64, 64), (grey, grey, grey)).save(tmp_path / f"{name}.png")
    found = find_similar(sorted(tmp_path.iterdir()))
    assert found.groups[0] == found.groups[1] != found.groups[2]
    assert [(p.first, p.second, p.correlation) for p in found.pairs] == [(0, 1, 1.0)]


@pytest.mark.parametrize("count", [0, 1])
def test_few_pictures_are_no_special_case(tmp_path: Path, count: int) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(count)]
    for path in paths:
        Image.fromarray(draw_he(40, 30)).save(path)
    assert len(find_similar(paths).groups) == count


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(UsageProblem, match=r"a\.png is not an image"):
        find_similar([tmp_path / "a.png"])


def test_what_all_pictures_share_is_taken_away() -> None:
    rng = np.random.default_rng(0)
    frame = rng.normal(size=(SIDE_PX, SIDE_PX))
    own = rng.normal(size=(120, SIDE_PX, SIDE_PX))
    own[1] = own[0]
    views = (frame * 2 + own) / 5**0.5
    bare = without_layout(views.astype(np.float16))
    assert bare is not None
    flat = bare.reshape(120, -1).astype(np.float32)
    correlation = np.corrcoef(flat)
    assert correlation[0, 1] > 0.95
    assert np.abs(correlation[2:, 2:][np.triu_indices(118, 1)]).max() < 0.2
    assert np.corrcoef(views.reshape(120, -1))[2, 3] > 0.7


def test_pictures_without_a_common_layout_stay_as_they_are() -> None:
    views = np.random.default_rng(0).normal(size=(120, SIDE_PX, SIDE_PX)).astype(np.float16)
    assert without_layout(views) is None
    assert without_layout(views[:20]) is None


def test_poor_pictures_must_prove_more_than_rich_ones() -> None:
    rng = np.random.default_rng(0)
    rich = rng.normal(size=(SIDE_PX, SIDE_PX))
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX]
    poor = np.sin(x / 4) + np.sin(y / 5)
    known = details(np.stack([rich, poor, np.zeros_like(poor)]).astype(np.float16))
    assert known[0] > 500
    assert 1 < known[1] < 40
    rich_pair, mixed_pair, empty_pair = proof(known[[0, 0, 2]], known[[0, 1, 2]], 0.75)
    assert rich_pair == 0.75
    assert 0.9 < mixed_pair < 1
    assert empty_pair >= 1  # nothing can be more


def test_small_drawings_with_few_cells_are_told_apart(tmp_path: Path) -> None:
    for seed in range(24):
        Image.fromarray(draw_he(72, 72, seed)).save(tmp_path / f"{seed:02}.png")
    assert len(set(find_similar(sorted(tmp_path.iterdir())).groups)) == 24


def test_unions_number_groups_in_order() -> None:
    unions = Unions(6)
    unions.join(4, 1)
    unions.join(5, 4)
    assert unions.numbers() == [1, 2, 3, 4, 2, 2]
    assert unions.together(1, 5)
    assert not unions.together(0, 1)


def test_groups_of_real_tissue_are_found() -> None:
    """Every eighth group of LC25000; the whole is measured by benchmarks/duplicates.py."""
    if not SHARED.is_dir():
        pytest.skip("the shared pictures are not here")
    listing = read_listing(SHARED, check=False)
    given = listing.groups or ()
    chosen = set(sorted(set(given))[::8])
    rows = [row for row, group in enumerate(given) if group in chosen]
    found = find_similar([listing.paths[row] for row in rows])
    result = agreement(
        found.groups, [given[row] for row in rows], [int(listing.labels[row]) for row in rows]
    )
    assert result.given > 400
    assert (result.precision or 0) >= 0.98
    assert (result.recall or 0) >= 0.90
