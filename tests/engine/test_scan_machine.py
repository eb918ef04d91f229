"""What goes wrong with the machine or the model ends the run; what is finished stays."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from pypdf import PdfReader

from lungscan.errors import LungScanError, MachineError, ModelError, OutputLocked
from lungscan.scan import scan
from lungscan.types import CaseStatus
from lungscan.verify import AMISS, State, verify
from tests.drawing import draw_he
from tests.engine.scanning import files_below, make_field, make_slide, options, rows, run, stored
from tests.models import FakeRuntime, tiny_model


@pytest.mark.parametrize("kind", ["svs", "png"])
@pytest.mark.parametrize(
    "error", [MachineError("no memory on the GPU"), RuntimeError("driver"), MemoryError()]
)
def test_a_network_that_fails_ends_the_run(
    model: Path, fake: FakeRuntime, tmp_path: Path, kind: str, error: Exception
) -> None:
    (make_slide if kind == "svs" else make_field)(tmp_path / f"f.{kind}")
    fake.fails_at, fake.error = 1, error
    with pytest.raises(MachineError) as caught:
        run(options(model, tmp_path / "out", tmp_path / f"f.{kind}"))
    assert caught.value.exit_code == 5
    assert not (tmp_path / "out" / ".lungscan-lock").exists()


def test_a_network_that_gives_no_numbers_ends_the_run(
    model: Path, fake: FakeRuntime, tmp_path: Path
) -> None:
    fake.sure = float("nan")
    with pytest.raises(MachineError, match="no numbers"):
        run(options(model, tmp_path / "out", make_field(tmp_path / "f.png")))


def test_a_model_error_in_a_job_ends_the_run(
    model: Path, fake: FakeRuntime, tmp_path: Path
) -> None:
    fake.fails_at, fake.error = 1, ModelError("changed")
    with pytest.raises(ModelError):
        run(options(model, tmp_path / "out", make_slide(tmp_path / "s.svs")))


@pytest.mark.parametrize("count", [1, 4, 8, 10, 13, 14])
def test_a_disk_that_fills_up_stops_the_run_and_keeps_what_is_finished(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    for index in range(3):
        make_field(tmp_path / "in" / f"{index}.png", seed=index)
    out, honest, calls = tmp_path / "out", Path.replace, []

    def full(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) >= count:
            raise OSError(errno.ENOSPC, "No space left on device")
        return honest(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        if count <= 13:  # three cases of two files and a list, then the tables and theirs
            with pytest.raises(MachineError, match="disk is full") as caught:
                run(options(model, out, tmp_path / "in"))
            assert caught.value.exit_code == 5
        else:
            run(options(model, out, tmp_path / "in"))
    assert all(case.status is CaseStatus.OK for case in stored(out).values())
    assert min(3, (count + 1) // 3) <= len(stored(out)) <= 3  # in whatever order they are written
    assert not any(path.endswith((".tmp", "lock")) for path in files_below(out))
    run(options(model, out, tmp_path / "in"))
    assert [row["status"] for row in rows(out)] == ["ok"] * 3


def test_a_table_that_is_open_elsewhere_costs_no_row(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    field, out = make_field(tmp_path / "f.png"), tmp_path / "out"
    run(options(model, out, field))
    honest = Path.replace

    def open_in_a_spreadsheet(self: Path, target: Path) -> Path:
        if target.name == "cases.csv":
            raise PermissionError(errno.EACCES, "The process cannot access the file")
        return honest(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", open_in_a_spreadsheet)
        run(options(model, out, field, overlap=0.25))
    (beside,) = out.glob("cases (*).csv")
    assert beside.name == "cases (1).csv"
    assert beside.read_text(encoding="utf-8").count(",ok,") == 1
    assert {check.path: check.state for check in verify(out) if check.state in AMISS} == {
        "cases.csv": State.UNEXPECTED
    }
    run(options(model, out, field, overlap=0.25))
    assert not any(check.state in AMISS for check in verify(out))


def test_an_output_folder_that_cannot_be_made(
    model: Path, fake: FakeRuntime, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(MachineError):
        run(options(model, tmp_path / "out", make_field(tmp_path / "f.png")))


def test_two_runs_into_one_folder(model: Path, fake: FakeRuntime, tmp_path: Path) -> None:
    chosen = options(model, tmp_path / "out", make_field(tmp_path / "f.png"))
    first = scan(chosen)
    next(first)
    with pytest.raises(OutputLocked):
        next(scan(chosen))
    assert len(list(first)) == 2
    assert not (tmp_path / "out" / ".lungscan-lock").exists()


def test_unknown_and_changed_models_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    field, out = make_field(tmp_path / "f.png"), tmp_path / "out"
    changed = tiny_model(tmp_path / "m").folder
    (changed / "weights.safetensors").write_bytes(b"other numbers")
    for name in ("no-such-model", str(changed)):
        with pytest.raises(LungScanError) as caught:
            run(options(Path(name), out, field))
        assert caught.value.exit_code == 4
    assert not out.exists()


# Privacy -----------------------------------------------------------------------------------------


def test_no_label_macro_or_patient_text_in_any_output(
    model: Path, fake: FakeRuntime, tmp_path: Path
) -> None:
    label, macro = draw_he(120, 100, 7), draw_he(160, 100, 8)
    slide = make_slide(
        tmp_path / "s.svs", 768, 512, patient="MUSTERFRAU^ERIKA", label=label, macro=macro
    )
    assert b"MUSTERFRAU" in slide.read_bytes()
    out = tmp_path / "out"
    run(options(model, out, slide, pdf="auto", heatmap=True, geojson=True))
    text = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    for path in out.rglob("*.pdf"):
        reader = PdfReader(path)
        text += "".join(page.extract_text() for page in reader.pages).encode()
        text += repr(reader.metadata).encode()
    assert b"tiny" in text
    for secret in (b"MUSTERFRAU", b"ERIKA", b"Aperio Drawn", str(tmp_path).encode()):
        assert secret not in text
