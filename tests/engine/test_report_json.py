"""case.json: lossless, safe against damage, and the source of everything else."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from enum import Enum
from types import GenericAlias, SimpleNamespace
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungscan.errors import LungScanError
from lungscan.results.case_json import DamagedRecord, from_json, to_json
from lungscan.results.codec import meant
from lungscan.results.run_json import read_run_json, summarise, write_run_json
from lungscan.types import NoResult, TileQuality
from tests.results import (
    HOSTILE_NAMES,
    failed_result,
    field_result,
    flagged_result,
    no_result,
    partial_result,
    skipped_result,
    slide_result,
    two_file_result,
)

Kind = TypeVar("Kind", bound=np.generic)
ALL_KINDS = [
    slide_result(), field_result(), two_file_result(), partial_result(), flagged_result(),
    failed_result(), skipped_result(), *map(no_result, NoResult),
]  # fmt: skip


def assert_same(left: Any, right: Any) -> None:
    """Equal values of equal types, through records and arrays; NaN equals NaN."""
    assert type(left) is type(right)
    if dataclasses.is_dataclass(left):
        for field in dataclasses.fields(left):
            assert_same(getattr(left, field.name), getattr(right, field.name))
    elif isinstance(left, np.ndarray):
        assert left.dtype == right.dtype
        assert left.shape == right.shape
        np.testing.assert_array_equal(left, right)
    elif isinstance(left, tuple) and not isinstance(left, Enum):
        assert len(left) == len(right)
        for a, b in zip(left, right, strict=True):
            assert_same(a, b)
    else:
        assert left == right


@pytest.mark.parametrize("result", ALL_KINDS, ids=lambda r: r.key)
def test_a_case_comes_back_as_it_was(result: Any) -> None:
    data = to_json(result)
    assert_same(from_json(data), result)
    assert to_json(from_json(data)) == data


@given(st.lists(st.floats(width=32, allow_nan=True, allow_infinity=False), min_size=1, max_size=9))
def test_every_float32_survives(values: list[float]) -> None:
    result = field_result()
    probs = np.array([values], dtype=np.float32)
    scores = replace(result.scores[0], probs=probs)
    again = from_json(to_json(replace(result, scores=(scores,))))
    np.testing.assert_array_equal(again.scores[0].probs, probs)


def test_numbers_are_short_and_missing_ones_are_null() -> None:
    result = field_result()
    scores = replace(
        result.scores[0],
        probs=np.array([[0.1, np.nan, 0.9]], dtype=np.float32),
        novelty=np.array([np.inf], dtype=np.float32),
    )
    values = json.loads(to_json(replace(result, scores=(scores,))))
    assert values["scores"][0]["probs"] == [[0.100000001, None, 0.899999976]]
    assert values["scores"][0]["novelty"] == [None]


def test_empty_arrays_keep_their_shape() -> None:
    result = field_result()
    none = np.zeros(0, dtype=np.float32)
    scores = replace(
        result.scores[0], boxes=np.zeros((0, 4), dtype=np.int32), tissue_fraction=none,
        probs=np.zeros((0, 3), dtype=np.float32), novelty=none,
        quality=TileQuality(none, none, none, none), state=(),
    )  # fmt: skip
    again = from_json(to_json(replace(result, scores=(scores,)))).scores[0]
    assert again.boxes.shape == (0, 4)
    assert again.probs.shape == (0, 3)


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
def test_any_name_survives(name: str) -> None:
    result = replace(field_result(), case_id=name, relative_paths=(name,))
    data = to_json(result)
    data.decode("ascii")
    assert from_json(data).relative_paths == (name,)


def test_the_file_is_one_line_per_field_with_the_schema_first() -> None:
    lines = to_json(field_result()).decode("ascii").splitlines()
    assert lines[1] == '"schema_version":1,'
    always = [f for f in dataclasses.fields(field_result()) if not f.metadata]  # see LEFT_OUT_...
    assert len(lines) == 2 + len(always)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda v: v.pop("status"), "status is missing"),
        (lambda v: v["prediction"].pop("rule"), "prediction.rule is missing"),
        (lambda v: v["files"][0]["info"].update(width="wide"), "files.info.width should be int"),
        (lambda v: v.update(status="fine"), "status has the unknown value 'fine'"),
        (lambda v: v.update(scores={}), "scores should be a list"),
        (lambda v: v["scores"][0].update(probs=[["a"]]), "scores.probs is not an array"),
        (lambda v: v["scores"][0].update(probs=[[1], [1, 2]]), "scores.probs is not an array"),
        (lambda v: v["files"][0].update(thumbnail_jpeg="?"), "files.thumbnail_jpeg is not base64"),
        (lambda v: v["model"].update(reliability=[[1, 2]]), "model.reliability should have 3"),
        (lambda v: v.update(seconds="long"), "seconds should be a number"),
        (lambda v: v.update(schema_version=2), "newer LungScan"),
        (lambda v: v.update(prediction=7), "prediction is not an object"),
    ],
)
def test_a_fault_is_named(change: Any, fault: str) -> None:
    values = json.loads(to_json(field_result()))
    change(values)
    with pytest.raises(DamagedRecord, match=fault):
        from_json(json.dumps(values).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b"{}"])
def test_what_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(LungScanError):
        from_json(data)


def test_a_cut_off_file_is_refused_at_every_length() -> None:
    data = to_json(failed_result())
    for length in range(len(data) - 2):
        with pytest.raises(DamagedRecord):
            from_json(data[:length])


def test_a_field_with_a_default_may_be_missing_and_an_unknown_one_is_ignored() -> None:
    values = json.loads(to_json(field_result()))
    del values["error_code"]
    values["invented_later"] = 1
    assert from_json(json.dumps(values).encode()).error_code == ""


def test_a_run_comes_back_as_it_was(tmp_path: Any) -> None:
    summary = replace(summarise(ALL_KINDS), versions=(("openvino", "2026.1"),))
    write_run_json(tmp_path / "run.json", summary)
    assert read_run_json((tmp_path / "run.json").read_bytes()) == summary


def test_the_summary_counts_each_ending() -> None:
    summary = summarise(ALL_KINDS)
    ended = (summary.ok, summary.partial, summary.no_result, summary.failed, summary.skipped)
    assert ended == (4, 1, 8, 1, 1)
    assert summary.cases == len(ALL_KINDS)
    assert summary.tiles == sum(result.counts.total for result in ALL_KINDS)
    with pytest.raises(DamagedRecord):
        summarise([])


def test_an_alias_is_what_it_stands_for() -> None:
    """From numpy 2.5 on, which needs Python 3.12, ``NDArray`` is such an alias."""
    array = np.ndarray[tuple[Any, ...], np.dtype[Kind]]
    alias: Any = GenericAlias(SimpleNamespace(__value__=array), (np.float32,))  # type: ignore[arg-type]
    assert meant(alias) == np.ndarray[tuple[Any, ...], np.dtype[np.float32]]
    assert meant(SimpleNamespace(__value__=alias)) == meant(alias)
    assert [meant(hint) for hint in (int, NoResult, tuple[int, ...])] == [
        int, NoResult, tuple[int, ...],
    ]  # fmt: skip
