"""`lungscan schema`: the schemas are true of what a real run writes, and of nothing damaged."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lungscan.layout import GEOJSON, RECORD, RUN
from lungscan.schemas import FILES, schema_of
from lungscan_cli.main import main
from lungscan_models import shipped_models
from tests.engine.scanning import make_field, make_slide, options, run
from tests.models import FakeRuntime
from tests.schemas import check_file, validator

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def written(model: Path, fake: FakeRuntime, tmp_path: Path) -> dict[str, list[Any]]:
    """What a run writes of a slide, a field and a damaged file, by the name of the file."""
    make_slide(tmp_path / "in" / "s.svs", 768, 512)
    make_field(tmp_path / "in" / "f.png")
    (tmp_path / "in" / "bad.svs").write_bytes(b"no slide")
    run(options(model, tmp_path / "out", tmp_path / "in", isolate=False, geojson=True))
    found = {
        name: [json.loads(path.read_bytes()) for path in (tmp_path / "out").rglob(name)]
        for name in (RECORD, RUN, GEOJSON)
    }
    assert {name: len(files) for name, files in found.items()} == {
        "case.json": 3, "run.json": 1, "tiles.geojson": 2,
    }  # fmt: skip
    return found


def test_every_file_of_a_run_is_valid(written: dict[str, list[Any]]) -> None:
    for name, files in written.items():
        check = jsonschema.Draft202012Validator(schema_of(name))
        check.check_schema(check.schema)
        for file in files:
            check.validate(file)


def test_every_field_of_a_record_is_described(written: dict[str, list[Any]]) -> None:
    for name in ("case.json", "run.json"):
        known = schema_of(name)["properties"]
        for file in written[name]:
            assert set(file) <= set(known)


@pytest.mark.parametrize("name", ["lung-ct", "lung-histology", "lung-histology-fast"])
def test_the_cards_of_shipped_models_are_valid(name: str) -> None:
    check_file("card.json", shipped_models() / name / "card.json")


def test_every_file_has_a_schema_of_its_own() -> None:
    titles = [validator(name).schema["title"] for name in FILES]
    assert titles == list(FILES)
    assert len(set(FILES)) == len(FILES)


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("training/curves.json", {"teacher": [{"epoch": 1, "loss": 0.5}]}),
        ("training/curves.json", {"tutor": []}),
        ("training/run.json", {"data_sha256": "", "leaking_groups": 0, "skipped": []}),
        ("evaluation.json", {"metrics": []}),
        ("review.json", {"key": "k", "case_id": "c", "answer_sha256": "", "opinion": "fine"}),
    ],
)
def test_what_lacks_a_field_is_found(file: str, values: object) -> None:
    assert not validator(file).is_valid(values)


@pytest.mark.parametrize(
    ("file", "field", "value"),
    [
        ("case.json", "status", "fine"),
        ("case.json", "seconds", "long"),
        ("run.json", "pdf", "some"),
        ("run.json", "tiles", 1.5),
        ("tiles.geojson", "type", "Feature"),
    ],
)
def test_a_wrong_value_is_found(
    written: dict[str, list[Any]], file: str, field: str, value: object
) -> None:
    wrong = deepcopy(written[file][0])
    wrong[field] = value
    assert not jsonschema.Draft202012Validator(schema_of(file)).is_valid(wrong)
    del wrong[field]
    assert not jsonschema.Draft202012Validator(schema_of(file)).is_valid(wrong)


def test_the_command_prints_one_or_all(capsys: Captured) -> None:
    assert main(["schema", "run.json"]) == 0
    assert json.loads(capsys.readouterr().out) == schema_of("run.json")
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == {name: schema_of(name) for name in FILES}
    assert main(["schema", "cases.csv"]) == 2
