"""Which fields calibrate and which judge, and that they are cut as classification cuts them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lungscan.dataset.listing import read_listing
from lungscan.errors import UsageProblem
from lungscan.evaluation.calibration_fields import gather, read_tiles
from lungscan.evaluation.labelled import load_material
from lungscan.evaluation.options import DataOptions
from lungscan.reading import resize
from tests.labelled import CLASSES, SIDE, draw_folder, write_split, write_table
from tests.models import CARD, TILE_PX


def test_train_calibrates_and_validation_judges(tmp_path: Path) -> None:
    split = write_split(tmp_path / "split.csv", draw_folder(tmp_path / "data"))
    found = gather(CARD, tmp_path / "data", split, 2)
    assert set(found.tiles.groups) == {"adeno-1", "benign-1", "squamous-1"}
    assert {group[-1] for group in found.calibration.groups} == {"2", "3"}
    assert found.skipped == ()
    assert sorted(set(found.tiles.labels)) == [0, 1, 2]


def test_a_few_fields_are_taken_from_all_classes_alike(tmp_path: Path) -> None:
    split = write_split(tmp_path / "split.csv", draw_folder(tmp_path / "data"))
    found = gather(CARD, tmp_path / "data", split, 2, count=6)
    assert np.bincount(found.calibration.labels).tolist() == [2, 2, 2]


def test_without_a_split_whole_groups_are_dealt_and_test_groups_left_out(tmp_path: Path) -> None:
    draw_folder(tmp_path)
    card = dataclasses.replace(CARD, data={"test_groups": ["adeno-0", "benign-0"]})
    found = gather(card, tmp_path, None, 2)
    learn, judge = set(found.calibration.groups), set(found.tiles.groups)
    assert learn.isdisjoint(judge)
    assert len(judge) == 3
    assert (learn | judge).isdisjoint({"adeno-0", "benign-0"})
    assert len(learn | judge) == 10


def test_test_groups_of_one_source_are_left_out_of_its_folder(tmp_path: Path) -> None:
    draw_folder(tmp_path)
    data = {"sources": {"theirs": read_listing(tmp_path).contents_sha256}}
    held = {"test_groups": ["theirs/adeno-0", "theirs/benign-0", "squamous-0"]}
    found = gather(dataclasses.replace(CARD, data=data | held), tmp_path, None, 2)
    left = {f"{label}-{n}" for label in CLASSES for n in range(4)} - {"adeno-0", "benign-0"}
    assert {*found.calibration.groups, *found.tiles.groups} == left
    assert found.note == ""
    found = gather(dataclasses.replace(CARD, data=data), tmp_path, None, 2)
    assert found.note.startswith("tiny is not known to have held out any of these fields")


def test_tiles_are_those_of_classification(tmp_path: Path) -> None:
    draw_folder(tmp_path, groups=1, per_group=1)
    fields = load_material(DataOptions(tmp_path)).fields
    tiles, skipped = read_tiles(fields, CARD, 2)
    assert skipped == ()
    with Image.open(fields[0].path) as image:
        expected = resize(np.asarray(image.convert("RGB")), (TILE_PX, TILE_PX))
    assert SIDE != TILE_PX
    assert np.array_equal(tiles.pixels[0], expected)


def test_tiles_are_cut_at_the_scale_that_the_table_says(tmp_path: Path) -> None:
    rows = draw_folder(tmp_path, groups=1, per_group=1)
    scaled = [(*row, f"{CARD.spacing_um_px:g}") for row in rows]
    write_table(tmp_path / "groups.csv", ("file", "label", "group", "um_px"), scaled)
    fields = load_material(DataOptions(tmp_path)).fields
    tiles, _ = read_tiles(fields, CARD, 2)
    with Image.open(fields[0].path) as image:
        whole = np.asarray(image.convert("RGB"))
    assert np.array_equal(tiles.pixels[0], whole[:TILE_PX, :TILE_PX])  # one pixel for another


def test_a_file_that_cannot_be_read_is_skipped_and_named(tmp_path: Path) -> None:
    draw_folder(tmp_path, groups=1)
    (tmp_path / "benign" / "g0-1.png").write_bytes(b"no picture")
    tiles, skipped = read_tiles(load_material(DataOptions(tmp_path)).fields, CARD, 2)
    assert skipped == ("benign/g0-1.png",)
    assert len(tiles.labels) == len(tiles.pixels) == len(tiles.groups) == 5


def test_a_class_that_the_model_does_not_know_is_refused(tmp_path: Path) -> None:
    rows = draw_folder(tmp_path, groups=2)
    strange = [(file, label.replace("benign", "necrosis"), group) for file, label, group in rows]
    write_table(tmp_path / "groups.csv", ("file", "label", "group"), strange)
    with pytest.raises(UsageProblem, match="necrosis"):
        gather(CARD, tmp_path, None, 2)
