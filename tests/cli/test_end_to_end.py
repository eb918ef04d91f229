"""The shell over the real engine and a real network: what is typed, and the exit code."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from lungscan.classification.classifier import Classifier
from lungscan.layout import LIST
from lungscan.model.card import ModelCard
from lungscan_cli.main import main
from tests.drawing import truncate
from tests.engine.scanning import files_below, make_field, make_slide

Captured = pytest.CaptureFixture[str]


def classify(model: ModelCard, out: Path, *more: object) -> int:
    """Run ``lungscan classify`` and return its exit code."""
    line = ["classify", *more, "--out", out, "--model", model.folder, "--threads", 1, "-q"]
    return main([str(word) for word in line])


def statuses(out: Path) -> dict[str, str]:
    with (out / "cases.csv").open(encoding="utf-8", newline="") as file:
        return {row["relative_path"]: row["status"] for row in csv.DictReader(file)}


def test_0_a_slide_and_a_field(real_model: ModelCard, tmp_path: Path, capsys: Captured) -> None:
    make_slide(tmp_path / "in" / "s.svs", 768, 640)
    make_field(tmp_path / "in" / "f.png", side=224)
    out = tmp_path / "out"
    assert classify(real_model, out, tmp_path / "in", "--json", "--abstain", "never") == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    data = json.loads(shown.out)
    assert data["counts"]["ok"] == 2
    assert statuses(out) == {"in/f.png": "ok", "in/s.svs": "ok"}
    names = [path.rsplit("/", 1)[-1] for path in files_below(out)]
    assert sorted(names) == sorted(
        ["case.json", "heatmap.png", "report.pdf", "tiles.csv", "tiles.geojson", LIST] * 2
        + ["cases.csv", "run.json", "summary.pdf", LIST]
    )
    assert main(["report", str(out)]) == 0
    model = ["--model", str(real_model.folder)]
    assert main(["verify", str(out), str(tmp_path / "in"), *model, "-q"]) == 0
    make_field(tmp_path / "in" / "f.png", side=224, seed=1)
    assert main(["verify", str(out), str(tmp_path / "in"), *model, "-q"]) == 1


def test_0_that_earlier_runs_are_in_no_table_any_more_is_said(
    real_model: ModelCard, tmp_path: Path, capsys: Captured
) -> None:
    said = []
    for name in ("monday", "tuesday", "tuesday"):
        make_field(tmp_path / name / f"{name}.png")
        line = ["classify", tmp_path / name, "--out", tmp_path / "out", "--pdf", "none"]
        assert main([str(w) for w in (*line, "--model", real_model.folder, "--threads", 1)]) == 0
        said.append("of earlier runs: 1 case." in capsys.readouterr().err)
    assert said == [False, True, True]
    assert statuses(tmp_path / "out").keys() == {"tuesday/tuesday.png"}


@pytest.mark.parametrize("pdf", ["auto", "none"])
def test_0_where_no_case_has_a_report_the_option_for_it_is_named(
    real_model: ModelCard, tmp_path: Path, capsys: Captured, pdf: str
) -> None:
    line = ["classify", make_field(tmp_path / "f.png"), "--out", tmp_path / "out", "--pdf", pdf]
    assert main([str(w) for w in (*line, "--model", real_model.folder, "--threads", 1)]) == 0
    assert ("`--pdf cases` adds a report" in capsys.readouterr().err) is (pdf == "none")


def test_1_some_inputs_failed(real_model: ModelCard, tmp_path: Path, capsys: Captured) -> None:
    folder = tmp_path / "in"
    make_field(folder / "good.png")
    (folder / "text.svs").write_text("this is no slide")
    truncate(make_slide(folder / "cut.svs", 512, 512), 0.3)
    assert classify(real_model, tmp_path / "out", folder, "--pdf", "none", "--no-heatmap") == 1
    assert statuses(tmp_path / "out") == {
        "in/good.png": "ok", "in/text.svs": "failed", "in/cut.svs": "failed",
    }  # fmt: skip
    err = capsys.readouterr().err
    assert "text: text.svs is not a slide" in err
    assert "Traceback" not in err


def test_1_a_slide_without_scale_and_its_cure(
    real_model: ModelCard, tmp_path: Path, capsys: Captured
) -> None:
    slide = make_slide(tmp_path / "s.svs", 512, 512, mpp=None, power=None)
    assert classify(real_model, tmp_path / "out", slide, "--pdf", "none") == 1
    assert "--mpp" in capsys.readouterr().err
    assert classify(real_model, tmp_path / "out", slide, "--pdf", "none", "--mpp", 0.5) == 0


def test_2_wrong_usage(real_model: ModelCard, tmp_path: Path, capsys: Captured) -> None:
    field, out = make_field(tmp_path / "f.png"), tmp_path / "out"
    (tmp_path / "m.csv").write_text("file,case\nnone.png,P1\n")
    assert classify(real_model, out, field, "--colour") == 2
    assert classify(real_model, out, field, "--cases", tmp_path / "m.csv") == 2
    assert "none.png" in capsys.readouterr().err
    assert not out.exists()


def test_3_nothing_to_do(real_model: ModelCard, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("x")
    assert classify(real_model, tmp_path / "out", tmp_path / "in") == 3
    assert "No slide or field image" in capsys.readouterr().err


def test_4_unknown_and_changed_models(
    real_model: ModelCard, tmp_path: Path, capsys: Captured
) -> None:
    field, out = make_field(tmp_path / "f.png"), tmp_path / "out"
    assert main(["classify", str(field), "--out", str(out), "--model", "no-such", "-q"]) == 4
    changed = tmp_path / "changed"
    shutil.copytree(real_model.folder, changed)
    with (changed / "weights.safetensors").open("r+b") as file:
        file.seek(5_000)
        byte = file.read(1)
        file.seek(5_000)
        file.write(bytes([byte[0] ^ 1]))
    assert main(["classify", str(field), "--out", str(out), "--model", str(changed), "-q"]) == 4
    err = capsys.readouterr().err
    assert "no-such" in err
    assert "SHA-256 differs" in err
    assert not out.exists()


def test_5_the_machine_stands_in_the_way(
    real_model: ModelCard, tmp_path: Path, capsys: Captured
) -> None:
    field = make_field(tmp_path / "f.png")
    assert classify(real_model, field / "out", field) == 5
    err = capsys.readouterr().err
    assert err.startswith("Error: ")
    assert err.count("\n") == 1


def test_6_the_folder_is_in_use(real_model: ModelCard, tmp_path: Path, capsys: Captured) -> None:
    field, out = make_field(tmp_path / "f.png"), tmp_path / "out"
    out.mkdir()
    (out / ".lungscan-lock").write_text('{"pid": 1, "host": "another-machine"}')
    assert classify(real_model, out, field) == 6
    assert "Another run" in capsys.readouterr().err
    assert files_below(out) == {".lungscan-lock"}


def test_130_interrupted(
    real_model: ModelCard, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Classifier, "small", interrupted)
    assert classify(real_model, tmp_path / "out", make_field(tmp_path / "f.png")) == 130
    assert "run the same command again" in capsys.readouterr().err
    assert files_below(tmp_path / "out") == set()


def test_a_dry_run_loads_no_network_and_writes_nothing(
    real_model: ModelCard, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_slide(tmp_path / "in" / "s.svs", 512, 512)
    monkeypatch.setattr("lungscan.classification.loading.load_runtime", None)
    line = ["classify", tmp_path / "in", "--model", real_model.folder, "--dry-run", "--json"]
    assert main([str(word) for word in line]) == 0
    (case,) = json.loads(capsys.readouterr().out)["cases"]
    assert case["tiles"] == 9
    assert case["kind"] == "slide"
