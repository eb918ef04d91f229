"""What ``import lungscan`` offers: its names, their shapes, and that they do what they say."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

import lungscan
from lungscan.door.jobs import (
    AuditFinished,
    AuditOptions,
    CasePlanned,
    Checked,
    DoctorFinished,
    FileChecked,
    PlanFinished,
    RebuildFinished,
    RebuildOptions,
    SplitFinished,
    SplitOptions,
    VerifyFinished,
    VerifyOptions,
)
from lungscan.errors import NothingToDo, OutputLocked, UsageProblem
from lungscan.events import RunFinished
from lungscan.layout import LOCK
from lungscan.model.card import ModelCard
from lungscan.options import DEFAULT_MODEL, ScanOptions
from lungscan.results.case_json import to_json
from lungscan.types import CaseStatus
from tests.engine.scanning import make_field, make_slide

ROOT = Path(__file__).parents[1]
PUBLIC = {
    "DISTRIBUTION", "RESEARCH_USE", "__version__",
    "adapt", "audit", "benchmark", "classify", "compare", "compress", "doctor", "evaluate",
    "explain", "export", "models", "plan", "read_results", "rebuild", "reviews", "scan", "split",
    "study",
    "train", "verify",
}  # fmt: skip
FUNCTIONS = sorted(name for name in PUBLIC if name.islower() and not name.startswith("_"))
AT_ONCE = {
    "classify",
    "explain",
    "models",
    "read_results",
}  # they return; all others are generators


def test_these_are_the_public_names() -> None:
    assert set(lungscan.__all__) == PUBLIC
    assert set(dir(lungscan)) >= PUBLIC
    with pytest.raises(AttributeError, match="no attribute 'clasify'"):
        getattr(lungscan, "clasify")  # noqa: B009  mypy would see it


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_is_typed_and_documented(name: str) -> None:
    function = getattr(lungscan, name)
    assert inspect.getdoc(function)
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty
    assert inspect.isgeneratorfunction(function) == (name not in AT_ONCE)


def test_looking_at_a_name_loads_nothing_heavy() -> None:
    code = (
        "import sys, lungscan\n"
        f"[getattr(lungscan, name) for name in {FUNCTIONS!r}]\n"
        "print([n for n in ('numpy', 'openvino', 'torch', 'PIL', 'pandas') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


def of_one(data: dict[str, Any]) -> dict[str, Any]:
    """A record without what differs from run to run."""
    changing = {"seconds", "started_utc", "finished_utc"}
    return {name: value for name, value in data.items() if name not in changing}


@pytest.fixture
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A drawn field or slide."""
    folder = tmp_path / "in"
    folder.mkdir()
    if request.param == "field":
        return make_field(folder / "a.png")
    make_slide(folder / "a.svs", 768, 512)
    return folder / "a.svs"


@pytest.mark.parametrize("image", ["field", "slide"], indirect=True)
def test_one_case_is_answered_as_in_a_run_and_nothing_is_written(
    image: Path, real_model: ModelCard, tmp_path: Path
) -> None:
    model = str(real_model.folder)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    result = lungscan.classify(image, model=model)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    *_, last = lungscan.scan(ScanOptions((image,), tmp_path / "out", model=model))
    assert isinstance(last, RunFinished)
    (record,) = (tmp_path / "out").glob("cases/*/case.json")
    found = json.loads(to_json(result))
    assert of_one(found) == of_one(json.loads(record.read_bytes()))


def test_one_bad_image_is_a_record_that_says_why(real_model: ModelCard, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    result = lungscan.classify(tmp_path / "bad.png", model=str(real_model.folder))
    assert result.status is CaseStatus.FAILED
    assert result.error_code
    assert "bad.png" in result.error_message


def test_the_default_model_comes_first() -> None:
    found = lungscan.models()
    assert found[0].name == DEFAULT_MODEL
    assert {card.name for card in found} > {DEFAULT_MODEL}


def test_several_cases_and_none_are_refused(real_model: ModelCard, tmp_path: Path) -> None:
    model = str(real_model.folder)
    with pytest.raises(NothingToDo, match="no slide or field image"):
        lungscan.classify(tmp_path, model=model)
    make_field(tmp_path / "a.png")
    make_field(tmp_path / "b.png")
    with pytest.raises(UsageProblem, match="holds 2 cases; give `scan` the folder"):
        lungscan.classify(tmp_path, model=model)
    with pytest.raises(UsageProblem, match="--abstain cannot be 'Strict'"):
        lungscan.classify(tmp_path / "a.png", model=model, abstain="Strict")


@pytest.fixture
def run(real_model: ModelCard, tmp_path: Path) -> Path:
    """The folder of a finished run over two fields."""
    (tmp_path / "in").mkdir()
    for name in "ab":
        make_field(tmp_path / "in" / f"{name}.png")
    options = ScanOptions(
        (tmp_path / "in",), tmp_path / "out", model=str(real_model.folder), isolate=False
    )
    assert isinstance(list(lungscan.scan(options))[-1], RunFinished)
    return tmp_path / "out"


def test_a_plan_ends_with_all_cases(real_model: ModelCard, tmp_path: Path) -> None:
    make_field(tmp_path / "a.png")
    (tmp_path / "b.txt").write_text("x")
    options = ScanOptions((tmp_path,), tmp_path / "out", model=str(real_model.folder))
    *cases, last = lungscan.plan(options)
    assert isinstance(last, PlanFinished)
    assert [event.case for event in cases if isinstance(event, CasePlanned)] == list(last.cases)
    assert [(case.case_id, case.kind) for case in last.cases] == [
        ("a", "field"),
        (f"{tmp_path.name}/b.txt", "skipped"),
    ]
    assert not (tmp_path / "out").exists()


def test_rebuilding_takes_the_lock_itself(run: Path) -> None:
    (run / "cases.csv").unlink()
    (done,) = lungscan.rebuild(RebuildOptions(run))
    assert isinstance(done, RebuildFinished)
    assert done.rebuilt.cases == 2
    assert len(lungscan.read_results(run)) == 2
    (run / LOCK).write_text('{"pid": 1, "host": "another-machine"}')
    with pytest.raises(OutputLocked, match="another-machine"):
        list(lungscan.rebuild(RebuildOptions(run)))
    with pytest.raises(UsageProblem, match="--pdf cannot be 'all'"):
        RebuildOptions(run, "all")  # type: ignore[arg-type]


def test_verifying_counts_what_is_the_same_and_names_the_rest(run: Path) -> None:
    (run / "cases.csv").write_text("changed")
    *events, last = lungscan.verify(VerifyOptions(run, model=None))
    assert isinstance(last, VerifyFinished)
    checks = [event.check for event in events if isinstance(event, FileChecked)]
    assert [check.path for check in last.found if check.area == "output"] == ["cases.csv"]
    assert sum(last.same.values()) + len(last.found) == len(checks)


def test_the_doctor_ends_with_all_checks_and_can_be_stopped() -> None:
    stop = Event()
    events = lungscan.doctor(stop)
    first = next(events)
    assert isinstance(first, Checked)
    assert first.check.name == "LungScan"
    stop.set()
    assert list(events) == []  # no finished event: it did not finish
    assert isinstance(DoctorFinished((first.check,)).checks[0].state, str)


def data_folder(root: Path) -> Path:
    """Two classes of drawn fields."""
    for label in ("benign", "tumour"):
        (root / label).mkdir(parents=True)
        for index in range(4):
            make_field(root / label / f"{label}{index}.png", seed=hash_of(label) + index)
    return root


def hash_of(label: str) -> int:
    return sum(map(ord, label))


def test_an_audit_and_a_split_end_with_their_results(tmp_path: Path) -> None:
    folder, table = data_folder(tmp_path / "data"), tmp_path / "groups.csv"
    rows = [f"{p.parent.name}/{p.name},{p.parent.name},{p.stem}" for p in folder.rglob("*.png")]
    table.write_text("\n".join(["file,label,group", *sorted(rows)]) + "\n", encoding="utf-8")
    *_, audited = lungscan.audit(AuditOptions(folder, table, tmp_path / "audit.html"))
    assert isinstance(audited, AuditFinished)
    assert len(audited.audit.listing.names) == 8
    assert (tmp_path / "audit.html").is_file()
    *_, done = lungscan.split(
        SplitOptions(folder, tmp_path / "split.csv", table, shares=(50, 25, 25))
    )
    assert isinstance(done, SplitFinished)
    assert done.leaking == 0
    assert len(done.rows) == 8
    with pytest.raises(UsageProblem, match=r"neither FILE\.html nor FILE\.pdf"):
        AuditOptions(folder, report=tmp_path / "audit.docx")
    with pytest.raises(UsageProblem, match="do not share out 100 percent"):
        SplitOptions(folder, tmp_path / "split.csv", shares=(50, 25, 20))
    with pytest.raises(UsageProblem, match="--protocol cannot be 'leaky'"):
        SplitOptions(folder, tmp_path / "split.csv", protocol="leaky")  # type: ignore[arg-type]


def examples() -> Iterator[str]:
    """The Python in the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    yield from re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def test_the_example_in_the_readme_runs(
    real_model: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    (tmp_path / "slides").mkdir()
    make_slide(tmp_path / "slide.svs", 768, 512)
    make_slide(tmp_path / "slides" / "b.svs", 768, 512)
    monkeypatch.chdir(tmp_path)
    (example,) = examples()
    exec(compile(example, "README.md", "exec"), {})
    shown = capsys.readouterr().out
    assert "ok" in shown or "no_result" in shown
    assert (tmp_path / "results" / "cases.csv").is_file()
