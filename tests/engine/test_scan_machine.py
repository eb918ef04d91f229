"""What goes wrong with the machine or the model ends the run; what is finished stays."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from lungscan.errors import LungScanError, MachineError, ModelError, OutputLocked
from lungscan.events import Notice
from lungscan.report.write import rebuild
from lungscan.scanning.scan import scan
from lungscan.types import CaseStatus
from lungscan.verification.verify import AMISS, State, verify
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


@pytest.mark.parametrize("count", [1, 5, 10, 13, 16, 17])
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
        if (
            count <= 16
        ):  # three cases of a record, a table in two steps, a list; then those of the run
            with pytest.raises(MachineError, match="disk is full") as caught:
                run(options(model, out, tmp_path / "in"))
            assert caught.value.exit_code == 5
        else:
            run(options(model, out, tmp_path / "in"))
    assert all(case.status is CaseStatus.OK for case in stored(out).values())
    assert min(3, (count + 2) // 4) <= len(stored(out)) <= 3  # in whatever order they are written
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
    kinds = [type(event).__name__ for event in first]
    assert kinds == ["CaseStarted", "CaseFinished", "RunFinished"]
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


# Files of a case that another program has open ----------------------------------------------------


def as_if_open(patch: pytest.MonkeyPatch, *names: str) -> None:
    """These can be neither replaced nor removed, as on Windows."""
    replace, unlink = Path.replace, Path.unlink

    def replaced(self: Path, target: Path) -> Path:
        if target.name in names and target.exists():
            raise PermissionError(errno.EACCES, "The process cannot access the file")
        return replace(self, target)

    def unlinked(self: Path, missing_ok: bool = False) -> None:
        if self.name in names and self.exists():
            raise PermissionError(errno.EACCES, "The process cannot access the file")
        unlink(self, missing_ok)

    patch.setattr(Path, "replace", replaced)
    patch.setattr(Path, "unlink", unlinked)


EVERYTHING = {"pdf": "cases", "heatmap": True, "geojson": True}
DERIVED = ("report.pdf", "tiles.csv", "tiles.geojson", "heatmap.png")


@pytest.mark.parametrize("name", DERIVED)
def test_a_case_s_file_that_is_open_elsewhere_costs_no_case(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    out = tmp_path / "out"
    make_slide(tmp_path / "in" / "s.svs")
    make_field(tmp_path / "in" / "f.png")
    chosen = options(model, out, tmp_path / "in", **EVERYTHING)
    run(chosen)
    (old,) = out.glob(f"cases/s-*/{name}")
    before = old.read_bytes()
    with monkeypatch.context() as patch:
        as_if_open(patch, name)
        events = run(replace(chosen, overlap=0.25))
    assert [row["status"] for row in rows(out)] == ["ok", "ok"]
    notices = [event.text for event in events if isinstance(event, Notice)]
    beside = old.with_name(f"{old.stem} (1){old.suffix}")
    assert any(f"{old.parent.name}/{name}" in text and beside.name in text for text in notices)
    assert old.read_bytes() == before != beside.read_bytes()
    assert not list(out.rglob("*.tmp"))
    amiss = {Path(check.path).name for check in verify(out) if check.state in AMISS}
    assert amiss == {name}  # known to be none of this answer's
    run(replace(chosen, overlap=0.25))
    assert old.read_bytes() == beside.read_bytes()  # the same answer, now in its place
    assert not any(Path(check.path) == old for check in verify(out) if check.state in AMISS)


def test_an_open_file_of_an_earlier_answer_that_has_no_successor_is_named(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, field = tmp_path / "out", make_field(tmp_path / "f.png")
    run(options(model, out, field, **EVERYTHING))
    with monkeypatch.context() as patch:
        as_if_open(patch, "report.pdf")
        events = run(options(model, out, field, overlap=0.25))
    (text,) = (event.text for event in events if isinstance(event, Notice))
    assert "report.pdf is of an earlier answer" in text


def test_reports_written_again_go_beside_open_ones(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    run(options(model, out, make_field(tmp_path / "f.png"), **EVERYTHING))
    with monkeypatch.context() as patch:
        as_if_open(patch, "report.pdf")
        notices = rebuild(out).notices
    assert len(notices) == 1
    assert "report (1).pdf" in notices[0]
    assert len(list(out.glob("cases/*/report (1).pdf"))) == 1


def test_a_folder_that_may_not_be_written_still_ends_the_run(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        as_if_open(patch, "case.json")
        (tmp_path / "out").mkdir()
        run(options(model, tmp_path / "out", make_field(tmp_path / "f.png")))
        with pytest.raises(MachineError, match="may not be written"):
            run(options(model, tmp_path / "out", tmp_path / "f.png", overlap=0.25))
