"""`reviews`: the table on the disk, agreement on the screen, exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lungscan.layout import REVIEW
from lungscan.report.write import write_case_files, write_run_files
from lungscan.results.review_json import Verdict
from lungscan.results.run_json import summarise
from lungscan.review.storing import save_review
from lungscan_cli.main import main
from tests.results import field_result
from tests.reviewing import review_of

Captured = pytest.CaptureFixture[str]
NAMES = ("a.png", "b.png", "c.png", "d.png")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A run of four fields; three reviewers agree, one does not."""
    out = tmp_path / "out"
    results = []
    for name in NAMES:
        result = field_result(name)
        results.append(replace(result, files=(replace(result.files[0], sha256=name * 3),)))
    for result in results:
        write_case_files(
            out / "cases" / result.key, result,
            pdf=False, heatmap=False, geojson=False, tiles_csv=False,
        )  # fmt: skip
    write_run_files(out, results, summarise(results), pdf=False)
    for result in results[:3]:
        save_review(out, result, review_of(result))
    save_review(out, results[3], review_of(results[3], Verdict.DISAGREE, "benign"))
    return out


def test_0_agreement_with_its_interval_and_the_table(out: Path, capsys: Captured) -> None:
    assert main(["reviews", str(out)]) == 0
    printed = capsys.readouterr()
    assert "All answers, 4 groups 3 4 75.0 % 30.1 % to 95.4 %" in " ".join(
        printed.out.split()
    )  # 3 of 4, Wilson
    assert "Squamous cell carcinoma" in printed.out
    assert "No table says which cases are of one patient" in printed.err
    assert "agreement is not accuracy" in printed.err
    assert "4 reviews in " in printed.err
    assert (out / "reviews.csv").read_text(encoding="utf-8").count("\n") == 5


def test_groups_from_a_table(out: Path, tmp_path: Path, capsys: Captured) -> None:
    table = tmp_path / "patients.csv"
    table.write_text("file,group\na.png,p1\nb.png,p1\nc.png,p2\nd.png,p2\n")
    words = ["reviews", str(out), "--groups", str(table), "--out", str(tmp_path / "all.csv")]
    assert main([*words, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    (one,) = data["agreement"]
    assert (one["agree"], one["disagree"], one["share"]["groups"]) == (3, 1, 2)
    assert data["table"] == str(tmp_path / "all.csv")
    table.write_text("file,group\na.png,p1\n")
    assert main(words) == 0
    assert "Only 1 of 4 judged cases have a group" in capsys.readouterr().err


def test_1_a_review_that_cannot_be_read(out: Path, capsys: Captured) -> None:
    first = min((out / "cases").iterdir())
    (first / REVIEW).write_text("{")
    assert main(["reviews", str(out)]) == 1
    printed = capsys.readouterr().err
    assert f"cases/{first.name}: This review.json was changed" in printed
    assert "3 reviews in " in printed


def test_3_no_review_and_2_no_folder(tmp_path: Path, capsys: Captured) -> None:
    assert main(["reviews", str(tmp_path)]) == 3
    assert "holds no reviewed cases" in capsys.readouterr().err
    assert main(["reviews", str(tmp_path / "none")]) == 2
    assert not list(tmp_path.iterdir())
