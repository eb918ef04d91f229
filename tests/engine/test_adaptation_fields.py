"""A laboratory's own fields as `adapt` finds them: scales and groups of its table."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the model is fitted here")
pytest.importorskip("timm", reason="the model is fitted here")

from lungscan.adaptation.gains import original_fields
from lungscan.adaptation.own_fields import gather
from lungscan.adaptation.records import AdaptOptions
from lungscan.dataset.listing import read_listing
from tests.labelled import draw_folder, write_table
from tests.small_model import small_model


def test_fields_are_cut_at_the_scale_that_the_table_says(tmp_path: Path) -> None:
    card = small_model()
    rows = draw_folder(tmp_path, groups=1, per_group=1)
    by_option = gather(AdaptOptions(tmp_path, mpp=card.spacing_um_px), card)
    assert {field.um_px for field in by_option.files} == {None}
    scaled = [(*row, f"{card.spacing_um_px:g}") for row in rows]
    write_table(tmp_path / "groups.csv", ("file", "label", "group", "um_px"), scaled)
    by_table = gather(AdaptOptions(tmp_path), card)
    assert {field.um_px for field in by_table.files} == {card.spacing_um_px}
    assert np.array_equal(by_table.tiles, by_option.tiles)
    write_table(tmp_path / "groups.csv", ("file", "label", "group"), rows)
    assert len(gather(AdaptOptions(tmp_path), card).tiles) != len(by_table.tiles)


def test_original_fields_are_those_that_the_model_held_out(tmp_path: Path) -> None:
    draw_folder(tmp_path, groups=3, per_group=1)
    data = {"sources": {"theirs": read_listing(tmp_path).contents_sha256}}
    held = {"test_groups": ["theirs/adeno-0", "theirs/benign-1", "adeno-2"]}
    card = dataclasses.replace(small_model(), data=data | held)
    fields, note = original_fields(tmp_path, card)
    assert ([field.group for field in fields], note) == (["adeno-0", "benign-1"], "")
    fields, note = original_fields(tmp_path, dataclasses.replace(card, data=data))
    assert len(fields) == 9
    assert note.startswith("small is not known to have held out any of these fields")
