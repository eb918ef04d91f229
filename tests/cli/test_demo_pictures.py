"""`lungscan demo` on its training fields, and where a packager has left them out."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import openslide
import pytest
from PIL import Image

from lungscan.demo import make_demo
from lungscan.demo.making import FIELDS
from lungscan.demo.stitching import SIZE
from lungscan_cli.main import main

Captured = pytest.CaptureFixture[str]
DATA = Path(__file__).parents[2].parent / "shared" / "data" / "lc25000-lung"
ALMOST = "drawn-alveoli"  # so near to benign lung that it depends on the weights
REFUSED = {
    "drawn-glands": "does not look like lung",
    "drawn-alveoli": "does not look like lung",
    "empty-glass": "Too little",
    "out-of-focus": "out of focus",
}


def listed() -> dict[str, str]:
    """The group of each field, as the text beside them tells."""
    text = (FIELDS / "README.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| (\S+\.jpeg) \| (\S+) \|$", text, re.MULTILINE))


def test_the_text_beside_the_fields_names_each_with_its_group_authors_and_terms() -> None:
    groups = listed()
    found = {path.relative_to(FIELDS).as_posix() for path in FIELDS.rglob("*.jpeg")}
    assert found == set(groups)
    assert len(found) <= 24
    assert len(set(groups.values())) == len(groups)  # each of other tissue
    text = (FIELDS / "README.md").read_text(encoding="utf-8")
    for words in ("Borkowski", "arXiv:1912.12142", "any way they see fit", "training fields"):
        assert words in text
    for name in found:
        with Image.open(FIELDS / name) as picture:
            assert picture.size == (224, 224)


def test_the_fields_are_those_of_the_training_data() -> None:
    if not DATA.is_dir():
        pytest.skip("the training data is not beside the repository")
    with (DATA / "groups.csv").open(encoding="utf-8", newline="") as file:
        rows = {Path(row["file"]).name: row for row in csv.DictReader(file)}
    labels = {"adenocarcinoma": "lung_aca", "benign": "lung_n", "squamous": "lung_scc"}
    for name, group in listed().items():
        row = rows[Path(name).name]
        assert (row["group"], row["label"]) == (group, labels[name.split("/")[1]])
        assert (DATA / row["file"]).read_bytes() == (FIELDS / name).read_bytes()


def test_the_stitched_slide_is_a_pyramid_of_three_pieces_that_states_its_scale(
    tmp_path: Path,
) -> None:
    made = make_demo(tmp_path)
    assert made.real
    assert {path.name for path in made.paths} == {path.name for path in tmp_path.iterdir()}
    with openslide.OpenSlide(tmp_path / "stitched-slide.svs") as slide:
        assert slide.dimensions == SIZE
        assert float(slide.properties["openslide.mpp-x"]) == 0.5
        assert [round(d) for d in slide.level_downsamples] == [1, 4, 8]
        corner = slide.read_region((0, 0), 0, (200, 200)).convert("L").getextrema()
    assert corner[0] > 230  # glass


def test_the_demo_answers_its_fields_refuses_the_rest_and_says_what_to_open(
    tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out)]) == 0
    with (out / "results" / "cases.csv").open(encoding="utf-8", newline="") as file:
        cases = {row["case_id"]: row for row in csv.DictReader(file)}
    labels = {"adenocarcinoma": "lung_aca", "benign": "lung_n", "squamous": "lung_scc"}
    for name, label in labels.items():
        for number in (1, 2):
            case = cases.pop(f"training-{name}-{number}")
            assert (case["status"], case["label"]) == ("ok", label)
    slide = cases.pop("stitched-slide")
    assert (slide["status"], slide["label"]) == ("ok", "lung_aca")
    areas = [float(slide[f"area_mm2_{label}"]) for label in labels.values()]
    assert min(areas) > 0.02  # each tissue is on the map
    cases = {name: row for name, row in cases.items() if row["status"] != "skipped"}
    assert cases.keys() == REFUSED.keys()
    refused = {name for name, row in cases.items() if row["status"] == "no_result"}
    assert refused >= REFUSED.keys() - {ALMOST}
    report = next((out / "results" / "cases").glob("stitched-slide-*/report.pdf"))
    printed = " ".join(capsys.readouterr().err.split())
    assert re.sub(r"\s", "", f"Open {report} first") in re.sub(r"\s", "", printed)
    assert "Each 'No result' is right: drawn tissue" in printed
    assert printed.endswith("prove nothing about other tissue: for research use only.")
    # A drawing that the model takes for lung is named, not passed over.
    assert (f"Look at {ALMOST}: a drawing, and answered" in printed) == (ALMOST not in refused)
    for name in refused:
        why = REFUSED[name]
        record = next((out / "results" / "cases").glob(f"{name}-*/case.json"))
        assert why in record.read_text(encoding="utf-8")


def test_without_the_training_fields_the_demo_draws_all_and_says_so(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lungscan.demo.making.FIELDS", tmp_path / "left out")
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out)]) == 0
    printed = " ".join(capsys.readouterr().err.split())
    assert "The training fields are not installed here" in printed
    assert "prove nothing" not in printed
    assert (out / "images" / "drawn-slide.svs").exists()
    with (out / "results" / "cases.csv").open(encoding="utf-8", newline="") as file:
        ended = {row["case_id"]: row["status"] for row in csv.DictReader(file)}
    assert {"no_result", "skipped"} <= set(ended.values()) <= {"ok", "no_result", "skipped"}
    answered = [name for name, status in ended.items() if status == "ok"]
    assert all(name.startswith("drawn-") for name in answered)
    assert all(name in printed for name in answered), "a drawing that was answered is named"
