"""Training shows a network the squares, and the scale, that classification shows it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="training needs the extra train")
pytest.importorskip("timm", reason="training needs the extra train")

from lungscan.dataset.pixels import Look, cut_picture, load_squares, read_rgb
from lungscan.errors import UsageProblem
from lungscan.opening.local import LocalReaders
from lungscan.opening.opener import OpenedField
from lungscan.options import ScanOptions
from lungscan.reading import resize
from lungscan.training.data import (
    at_input_size,
    gather,
    training_pictures,
    validation_pictures,
)
from lungscan.training.fit import Pictures, squares_of_epoch
from lungscan.training.losses import UNLABELLED
from lungscan.training.options import TrainOptions
from lungscan.types import InputFile, RgbArray, RgbBatch
from tests.drawing import draw_he
from tests.labelled import write_table
from tests.models import CARD

LOOK = Look(64, 1.0)  # as the tiny model's card says
OPTIONS = TrainOptions(name="x", data="data", field_px=80, input_px=64, spacing_um_px=0.8)
LABELS = ("adeno", "benign")


def save(path: Path, rgb: RgbArray, um: float | None = None) -> Path:
    """Store a picture, as a TIFF that states its scale if one is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if um is None:
        Image.fromarray(rgb).save(path)
    else:
        Image.fromarray(rgb).save(path, resolution_unit=3, resolution=10_000 / um)
    return path


def classified(path: Path) -> RgbBatch:
    """The tiles that classification gives to the network."""
    readers = LocalReaders(ScanOptions((), Path()), CARD)
    (item,) = readers.fields([InputFile(path, path.name, kind="field")], picture=False)
    assert isinstance(item, OpenedField)
    assert item.pixels is not None
    return item.pixels.rgb


def draw_folder(root: Path, side: int = 128) -> list[tuple[str, str, str]]:
    """Two classes of four groups with two usual pictures each."""
    rows = []
    for number, label in enumerate(LABELS):
        for row in range(8):
            file = f"{label}/{row}.png"
            save(root / file, draw_he(side, side, 100 * number + row))
            rows.append((file, label, f"{label}-{row // 2}"))
    write_table(root / "groups.csv", ("file", "label", "group"), rows)
    return rows


def regroup(root: Path, rows: list[tuple[str, str, str]]) -> None:
    write_table(root / "groups.csv", ("file", "label", "group"), rows)


@pytest.mark.parametrize(
    ("size", "um", "squares"),
    [
        ((128, 128), None, 1),
        ((64, 64), None, 1),
        ((129, 128), None, 1),  # less than a pixel too long: cut off, not squeezed
        ((256, 128), None, 2),
        ((128, 256), None, 2),
        ((192, 128), None, 2),
        ((128, 128), 0.5, 1),
        ((256, 256), 0.25, 1),
        ((256, 256), 0.5, 4),
        ((300, 200), 0.5, 6),
        ((90, 90), 1.0, 4),
        ((40, 40), 1.0, 1),  # too small for a tile and taken whole
    ],
)
def test_training_cuts_what_classification_sees(
    tmp_path: Path, size: tuple[int, int], um: float | None, squares: int
) -> None:
    path = save(tmp_path / f"a.{'png' if um is None else 'tif'}", draw_he(*size, 3), um)
    found = cut_picture(path, LOOK).pixels
    assert len(found) == squares
    np.testing.assert_array_equal(found, classified(path))


def test_a_long_picture_is_not_squeezed(tmp_path: Path) -> None:
    left, right = draw_he(224, 224, 1), draw_he(224, 224, 2)
    path = save(tmp_path / "long.png", np.concatenate([left, right], axis=1))
    found, refused = load_squares([path], Look(64, 1.0), 80)
    assert not refused
    assert found.counts.tolist() == [2]
    np.testing.assert_array_equal(found.pixels[0], resize(left, (80, 80)))
    np.testing.assert_array_equal(found.pixels[1], resize(right, (80, 80)))


def test_two_scales_become_one(tmp_path: Path) -> None:
    """The same tissue at 0.25 and at 0.5 µm/px: the network sees the same 64 µm a side."""
    fine = draw_he(512, 512, 5)
    coarse = resize(fine, (256, 256))
    paths = [save(tmp_path / "fine.tif", fine, 0.25), save(tmp_path / "coarse.tif", coarse, 0.5)]
    squares, _ = load_squares(paths, LOOK, 64)
    assert squares.counts.tolist() == [4, 4]
    apart = np.abs(squares.of([0]).astype(int) - squares.of([1])).mean()
    other = np.abs(squares.of([0]).astype(int) - squares.of([1])[::-1]).mean()
    assert apart < 2
    assert other > 4 * apart


def test_usual_pictures_are_prepared_as_ever(tmp_path: Path) -> None:
    """Square pictures without a scale: resized once, whole, and checkpoints stay valid."""
    draw_folder(tmp_path / "data", side=112)
    material = gather(OPTIONS, tmp_path, tmp_path / "work")
    for row, path in enumerate(material.samples.paths):
        expected = resize(read_rgb(path), (80, 80))
        np.testing.assert_array_equal(material.squares.of([row]), expected[None])
    assert material.fingerprint_sha256 == material.data_sha256
    small = at_input_size(material, 64)
    for row, path in enumerate(material.samples.paths):
        np.testing.assert_array_equal(small.squares.of([row])[0], resize(read_rgb(path), (64, 64)))


def test_other_squares_are_other_checkpoints(tmp_path: Path) -> None:
    rows = draw_folder(tmp_path / "data")
    save(tmp_path / "data" / "adeno" / "0.png", draw_he(256, 128, 9))
    save(tmp_path / "data" / "adeno" / "9.tif", draw_he(256, 256, 10), 0.5)
    regroup(tmp_path / "data", [*rows, ("adeno/9.tif", "adeno", "adeno-9")])
    material = gather(OPTIONS, tmp_path, tmp_path / "work")
    wider = dataclasses.replace(OPTIONS, spacing_um_px=0.4)
    other = gather(wider, tmp_path, tmp_path / "work")
    assert material.data_sha256 == other.data_sha256
    prints = {m.fingerprint_sha256 for m in (material, other)}
    assert len(prints | {material.data_sha256}) == 3


def test_squares_of_one_picture_stay_together(tmp_path: Path) -> None:
    rows = draw_folder(tmp_path / "data")
    for row in range(8):
        save(tmp_path / "data" / "adeno" / f"{row}.png", draw_he(384, 128, 50 + row))
    regroup(tmp_path / "data", rows)
    material = gather(OPTIONS, tmp_path, tmp_path / "work")
    train, checked = training_pictures(material), validation_pictures(material, 64)
    parts = material.split
    assert len(parts.train) + len(parts.validation) + len(parts.test) == 16
    for pictures, part in ((train, parts.train), (checked, parts.validation)):
        labels = material.samples.labels[part]
        assert pictures.counts.tolist() == [3 if label == 0 else 1 for label in labels]
        assert pictures.labels.tolist() == np.repeat(labels, pictures.counts).tolist()
        assert len(pictures.pixels) == len(pictures.labels)


def test_a_picture_counts_once_however_many_squares_it_has() -> None:
    usual = squares_of_epoch(np.ones(7, np.int64), np.random.default_rng(0))
    assert usual.tolist() == list(range(7))
    alike = squares_of_epoch(np.full(3, 4), np.random.default_rng(0))
    assert alike.tolist() == list(range(12))
    counts = np.array([1, 6, 2])
    owner = np.repeat(np.arange(3), counts)
    seen: set[int] = set()
    for epoch in range(20):
        rows = squares_of_epoch(counts, np.random.default_rng(epoch))
        assert np.bincount(owner[rows]).tolist() == [3, 3, 3]
        assert len(set(rows[owner[rows] == 1])) == 3  # none twice where there are enough
        seen |= set(rows.tolist())
    assert seen == set(range(9))


def test_classes_are_balanced_by_their_pictures_as_an_epoch_shows_them() -> None:
    def pictures(counts: list[int], labels: list[int]) -> Pictures:
        pixels = np.zeros((sum(counts), 2, 2, 3), np.uint8)
        return Pictures.of(pixels, np.repeat(labels, counts), np.array(counts))

    # Two large pictures and four small ones, two of them without a label, and a counter-example.
    found = pictures([6, 6, 1, 1, 1, 1, 3], [0, 0, 1, 1, UNLABELLED, UNLABELLED, 2])
    np.testing.assert_allclose(found.class_weights(2, 1.0), [1, 1, 1])
    # Three pictures of one source and one of another, which is shown as often as those.
    uneven = pictures([1, 1, 1, 1], [0, 0, 0, 1])
    np.testing.assert_allclose(uneven.class_weights(2, 1.0), [2 / 3, 2, 1])
    even = uneven.of_sources(np.array([0, 0, 0, 1]))
    np.testing.assert_allclose(even.class_weights(2, 1.0), [1, 1, 1])


@pytest.mark.parametrize(
    ("name", "size", "um", "why"),
    [
        ("tiny.png", (24, 24), None, "measures only 24 × 24 px"),
        ("flat.png", (200, 31), None, "measures only 200 × 31 px"),
        ("coarse.tif", (128, 128), 4.0, "measures 4 µm; this model needs 2 µm"),
        ("glass.tif", (256, 256), 0.5, "shows no tissue at the scale that it states"),
    ],
)
def test_what_classification_refuses_is_left_out_and_named(
    tmp_path: Path, name: str, size: tuple[int, int], um: float | None, why: str
) -> None:
    rows = draw_folder(tmp_path / "data")
    blank = name.startswith("glass")
    rgb = np.full((size[1], size[0], 3), 245, np.uint8) if blank else draw_he(*size, 7)
    save(tmp_path / "data" / "benign" / name, rgb, um)
    rows.append((f"benign/{name}", "benign", "benign-0"))
    regroup(tmp_path / "data", rows)
    material = gather(OPTIONS, tmp_path, tmp_path / "work")
    (reason,) = material.skipped
    assert reason.startswith(f"benign/{name}: ")
    assert why in reason
    assert len(material.samples.paths) == 16
    # A split file that names the picture still fits.
    split = [(*row, "train" if int(row[2][-1]) < 2 else "test") for row in rows]
    split = [(*row[:3], "validation" if row[2][-1] == "3" else row[3]) for row in split]
    table = write_table(tmp_path / "s.csv", ("file", "label", "group", "part"), split)
    again = gather(
        dataclasses.replace(OPTIONS, split_file=str(table)), tmp_path, tmp_path / "work2"
    )
    assert len(again.samples.paths) == 16


def test_a_class_of_nothing_but_tiny_pictures_is_refused(tmp_path: Path) -> None:
    draw_folder(tmp_path / "data")
    (tmp_path / "data" / "groups.csv").unlink()
    for row in range(8):
        save(tmp_path / "data" / "benign" / f"{row}.png", draw_he(24, 24, row))
    with pytest.raises(UsageProblem, match="Class benign of data holds no readable picture"):
        gather(OPTIONS, tmp_path, tmp_path / "work")


def test_counter_examples_are_cut_likewise(tmp_path: Path) -> None:
    draw_folder(tmp_path / "data")
    draw_folder(tmp_path / "other")
    (tmp_path / "other" / "groups.csv").unlink()
    save(tmp_path / "other" / "adeno" / "0.png", draw_he(256, 128, 1))
    save(tmp_path / "other" / "adeno" / "1.png", draw_he(20, 20, 1))
    options = dataclasses.replace(OPTIONS, counter_examples=("other",))
    material = gather(options, tmp_path, tmp_path / "work")
    (foreign,) = material.foreign
    assert sorted(foreign.squares.counts.tolist()) == [1] * 14 + [2]
    assert [text.split(":")[0] for text in material.skipped] == ["other/adeno/1.png"]
    pictures = training_pictures(material)
    own = material.squares.counts[material.split.train].sum()
    assert (pictures.labels[own:] == material.classes).all()
    assert len(pictures.pixels) == pictures.counts.sum()
