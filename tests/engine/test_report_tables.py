"""cases.csv, tiles.csv and tiles.geojson: columns, numbers, hostile text."""

from __future__ import annotations

import csv
import json
import locale
import math
import re
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from lungscan.report.cases_csv import case_row, columns, write_cases_csv
from lungscan.report.geojson import write_tiles_geojson
from lungscan.report.tiles_csv import write_tiles_csv
from lungscan.report.wording import why_in_short
from lungscan.results.csv_table import number_cell, text_cell
from lungscan.types import CaseResult, CaseStatus, NoResult, TileState
from tests.results import (
    CLASS_NAMES,
    HOSTILE_NAMES,
    failed_result,
    field_result,
    flagged_result,
    no_result,
    skipped_result,
    slide_result,
    two_file_result,
)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def on_one_line(name: str) -> str:
    """The name with control characters escaped, and bytes that are no text too."""
    shown = re.sub(r"[\x00-\x1f\x7f]", lambda m: m[0].encode("unicode_escape").decode(), name)
    return shown.encode("utf-8", "backslashreplace").decode()


# cases.csv


def test_the_columns_stand_in_the_order_of_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    write_cases_csv(path, [slide_result()], ("a", "b"))
    assert path.read_text(encoding="utf-8").splitlines()[0] == (
        "case_id,relative_path,status,label,confidence,prob_a,prob_b,tiles,tiles_used,tissue_mm2,"
        "area_mm2_a,area_mm2_b,flags,mpp_um,mpp_source,width,height,sha256,model,model_sha256,"
        "settings_hash,device,seconds,error_code,error_message,lungscan_version,schema_version"
    )


@pytest.mark.parametrize("result", [slide_result(), failed_result(), two_file_result()])
def test_a_row_has_every_column_in_order(result: CaseResult) -> None:
    full = set(case_row(result))
    assert full <= set(columns(CLASS_NAMES))
    assert tuple(case_row(result)) == columns(CLASS_NAMES)


def test_an_answered_slide(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    write_cases_csv(path, [slide_result()], CLASS_NAMES)
    (row,) = rows_of(path)
    assert row["status"] == "ok"
    assert row["label"] == "adenocarcinoma"
    assert row["confidence"] == "0.934000"
    assert row["mpp_um"] == "0.2525"
    assert row["mpp_source"] == "file"
    assert (row["width"], row["height"]) == ("30000", "22800")
    assert row["tissue_mm2"] == "20.4000"
    assert row["seconds"] == "9.840"
    assert row["schema_version"] == "1"
    areas = [float(row[f"area_mm2_{name}"]) for name in CLASS_NAMES]
    assert sum(areas) == pytest.approx(20.4, abs=0.001)


@pytest.mark.parametrize("reason", list(NoResult))
def test_a_refusal_carries_its_reason_and_no_label(reason: NoResult) -> None:
    row = case_row(no_result(reason))
    assert row["status"] == "no_result"
    assert row["label"] == row["confidence"] == ""
    assert row["error_code"] == reason.value
    assert row["error_message"]


def test_a_case_read_in_part_and_refused_carries_both_reasons() -> None:
    refused = no_result(NoResult.OTHER_STAIN)
    part = replace(
        refused, status=CaseStatus.PARTIAL, error_code="E_OPEN", error_message="a.svs: damaged."
    )
    row = case_row(part)
    assert (row["label"], row["error_code"]) == ("", "E_OPEN")
    assert row["error_message"].startswith("a.svs: damaged. 94 % of the tissue is of another stain")
    assert why_in_short(part) == "cannot be opened, another stain or scanner"


def test_a_label_given_with_reserve_is_flagged() -> None:
    row = case_row(flagged_result())
    assert row["label"] == "adenocarcinoma"
    assert "too_uncertain" in row["flags"].split("; ")
    assert row["error_code"] == ""


def test_failures_and_skipped_files_have_rows(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    write_cases_csv(path, iter([failed_result(), skipped_result()]), CLASS_NAMES)
    failed, skipped = rows_of(path)
    assert (failed["status"], failed["error_code"]) == ("failed", "E_OPEN")
    assert failed["relative_path"] == "broken.svs"
    assert failed["prob_benign"] == failed["mpp_um"] == failed["width"] == ""
    assert (skipped["status"], skipped["error_code"]) == ("skipped", "")


def test_a_case_of_two_files_has_one_value_per_cell() -> None:
    row = case_row(two_file_result())
    assert row["relative_path"] == "ward 7/block A.svs; ward 7/block B.svs"
    assert row["mpp_um"] == ""  # they differ
    assert row["width"] == "30000"  # they agree
    assert row["sha256"].count("; ") == 1


def test_a_case_of_another_class_set_leaves_the_class_columns_empty(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    write_cases_csv(path, [slide_result()], ("benign", "other"))
    (row,) = rows_of(path)
    assert row["prob_benign"] == "0.012000"
    assert row["prob_other"] == row["area_mm2_other"] == ""


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
def test_hostile_names_are_harmless_and_come_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / "cases.csv"
    result = replace(
        slide_result(), case_id=name, relative_paths=(name,), flags=(name,), device=name,
        error_message=name,
    )  # fmt: skip
    write_cases_csv(path, [result], CLASS_NAMES)
    (row,) = rows_of(path)
    assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())
    for column in ("case_id", "relative_path", "flags", "device", "error_message"):
        assert row[column].removeprefix("'") == on_one_line(name)
    assert len(path.read_bytes().splitlines()) == 2


def test_numbers_stay_numbers() -> None:
    assert number_cell(-0.5, 2) == "-0.50"
    assert number_cell(-0.0, 2) == "0.00"
    assert number_cell(1e-9, 6) == "0.000000"
    assert number_cell(math.nan, 2) == number_cell(math.inf, 2) == number_cell(None, 2) == ""
    assert text_cell("-0.5") == "'-0.5"


@pytest.mark.parametrize("name", ["de_DE.UTF-8", "tr_TR.UTF-8", "fr_FR.UTF-8", "C"])
def test_the_locale_changes_nothing(tmp_path: Path, name: str) -> None:
    before = locale.setlocale(locale.LC_ALL)
    write_cases_csv(tmp_path / "plain.csv", [slide_result()], CLASS_NAMES)
    try:
        locale.setlocale(locale.LC_ALL, name)
    except locale.Error:
        pytest.skip(f"this machine has no locale {name}")
    try:
        write_cases_csv(tmp_path / "local.csv", [slide_result()], CLASS_NAMES)
    finally:
        locale.setlocale(locale.LC_ALL, before)
    assert (tmp_path / "local.csv").read_bytes() == (tmp_path / "plain.csv").read_bytes()


def test_lines_end_alike_everywhere_and_there_is_no_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    write_cases_csv(path, [slide_result(), failed_result()], CLASS_NAMES)
    data = path.read_bytes()
    assert data.startswith(b"case_id,")
    assert b"\r" not in data
    assert data.count(b"\n") == 3


# tiles.csv


def test_tiles_csv_starts_with_the_columns_of_wsinfer(tmp_path: Path) -> None:
    path = tmp_path / "tiles.csv"
    result = slide_result()
    write_tiles_csv(path, result)
    rows = rows_of(path)
    assert list(rows[0])[:7] == [
        "minx", "miny", "width", "height",
        "prob_adenocarcinoma", "prob_benign", "prob_squamous_cell_carcinoma",
    ]  # fmt: skip
    assert "file" not in rows[0]
    scores = result.scores[0]
    assert len(rows) == len(scores.state)
    for row, box, probs, state in zip(rows, scores.boxes, scores.probs, scores.state, strict=True):
        assert [int(row[c]) for c in ("minx", "miny", "width", "height")] == box.tolist()
        assert row["state"] == state.value
        if state is TileState.FAILED:
            assert row["prob_benign"] == ""
        else:
            assert float(row["prob_benign"]) == pytest.approx(float(probs[1]), abs=1e-6)


def test_tiles_of_several_files_name_their_file(tmp_path: Path) -> None:
    path = tmp_path / "tiles.csv"
    result = two_file_result()
    write_tiles_csv(path, result)
    rows = rows_of(path)
    assert {row["file"] for row in rows} == set(result.relative_paths)
    assert list(rows[0])[-1] == "file"


# tiles.geojson


def features_of(path: Path) -> list[dict[str, object]]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    collection = json.loads(path.read_bytes(), parse_constant=refuse)
    assert collection["type"] == "FeatureCollection"
    features = collection["features"]
    assert isinstance(features, list)
    return features


def test_every_tile_is_a_locked_closed_polygon(tmp_path: Path) -> None:
    result = slide_result()
    (path,) = write_tiles_geojson(tmp_path, result)
    assert path.name == "tiles.geojson"
    features = features_of(path)
    scores = result.scores[0]
    assert len(features) == len(scores.state)
    for feature, (x, y, w, h) in zip(features, scores.boxes.tolist(), strict=True):
        assert feature["type"] == "Feature"
        assert UUID(str(feature["id"])).version == 5
        (ring,) = feature["geometry"]["coordinates"]  # type: ignore[index]
        assert ring[0] == ring[-1]
        assert len(ring) == 5
        assert {tuple(point) for point in ring} == {
            (x, y), (x + w, y), (x, y + h), (x + w, y + h),
        }  # fmt: skip
        assert feature["properties"]["objectType"] == "tile"  # type: ignore[index]
        assert feature["properties"]["isLocked"] is True  # type: ignore[index]
    assert len({feature["id"] for feature in features}) == len(features)


def test_only_tiles_that_counted_carry_a_class(tmp_path: Path) -> None:
    result = slide_result()
    (path,) = write_tiles_geojson(tmp_path, result)
    scores = result.scores[0]
    colors = {"Adenocarcinoma": [213, 94, 0], "Benign lung tissue": [0, 158, 115]}
    seen = set()
    for feature, probs, state in zip(features_of(path), scores.probs, scores.state, strict=True):
        properties = feature["properties"]
        assert isinstance(properties, dict)
        if state is not TileState.USED:
            assert "classification" not in properties
            continue
        named = properties["classification"]
        best = int(np.argmax(probs))
        assert named["name"] == result.model.display_names[best]
        assert named["color"] == colors.get(named["name"], [0, 114, 178])
        seen.add(named["name"])
        measured = properties["measurements"]["prob_benign"]
        assert measured == pytest.approx(float(probs[1]), abs=1e-6)
    assert seen == set(result.model.display_names)


def test_an_unreadable_tile_has_no_probabilities(tmp_path: Path) -> None:
    result = slide_result()
    (path,) = write_tiles_geojson(tmp_path, result)
    index = result.scores[0].state.index(TileState.FAILED)
    properties = features_of(path)[index]["properties"]
    assert isinstance(properties, dict)
    assert not [name for name in properties["measurements"] if name.startswith("prob_")]


def test_each_image_of_a_case_has_its_own_file(tmp_path: Path) -> None:
    result = two_file_result()
    paths = write_tiles_geojson(tmp_path, result)
    assert [path.name for path in paths] == ["tiles.geojson", "tiles-2.geojson"]
    ids = [{feature["id"] for feature in features_of(path)} for path in paths]
    assert not ids[0] & ids[1]


def test_ids_and_bytes_are_the_same_each_time(tmp_path: Path) -> None:
    first = write_tiles_geojson(tmp_path / "a", slide_result())[0].read_bytes()
    assert write_tiles_geojson(tmp_path / "b", slide_result())[0].read_bytes() == first


def test_a_field_of_one_tile_is_valid_too(tmp_path: Path) -> None:
    (path,) = write_tiles_geojson(tmp_path, field_result())
    assert len(features_of(path)) == 1
