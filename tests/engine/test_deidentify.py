"""``--deidentify``: names come in and do not come out, and the lab still finds its way back."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from lungscan.errors import MachineError, NothingToDo, UsageProblem
from lungscan.events import CaseFinished, ScanEvent
from lungscan.inputs import discover
from lungscan.layout import KEY, PSEUDONYM
from lungscan.options import ScanOptions
from lungscan.report import wording
from lungscan.report.write import rebuild
from lungscan.scanning.deidentify import hide, nameless_errors
from lungscan.scanning.planning import planned_cases
from lungscan.types import CaseStatus, HiddenName
from lungscan.verification.verify import State, verify
from tests.engine.scanning import (
    files_below,
    make_field,
    make_slide,
    options,
    results,
    rows,
    run,
    stored,
)
from tests.models import FakeRuntime

EVERYTHING = {"pdf": "cases", "heatmap": True, "geojson": True}
WORDS = ("quaxby", "jillian", "zorven", "mrn4711", "ward7")  # of all names below, the case's too


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Good, bad and skipped files, each under a name that must not be seen; three are a case."""
    folder = tmp_path / "ward7"
    make_slide(folder / "Quaxby^Jillian.svs", 512, 512)
    for number in range(3):
        make_field(folder / "mrn4711" / f"Zorven {number}.png", seed=number)
    make_field(folder / "small Quaxby.png", side=20)
    (folder / "bad Quaxby.svs").write_text("no slide")
    (folder / "bad Quaxby.jpg").write_bytes(b"\xff\xd8\xff nothing")
    (folder / "Quaxby.docx").write_text("a letter")
    (folder / "empty Quaxby.png").touch()
    (folder / "gone Quaxby.png").symlink_to(folder / "Quaxby nowhere.png")
    manifest = (
        "file,case",
        *(f"mrn4711/Zorven {number}.png,Jillian Zorven" for number in range(3)),
    )
    (folder / "Quaxby.csv").write_text("\n".join(manifest))
    return folder


def hidden(model: Path, out: Path, folder: Path, **changes: object) -> ScanOptions:
    """Three fields are a case; with the option unless told."""
    usual = {"cases": folder / "Quaxby.csv", "deidentify": True}
    return options(model, out, folder, **(usual | changes))


def named(text: str) -> list[str]:
    """Which of the words stand in a text."""
    return [word for word in WORDS if re.search(rf"\b{word}", text, re.IGNORECASE)]


def seen(out: Path, events: Sequence[ScanEvent], *, without: Path) -> str:
    """All that a run tells and writes, file names included, but for the path of ``--out``."""
    texts = [repr(events).replace(str(without), "")]
    texts += [path.relative_to(out).as_posix() for path in out.rglob("*")]
    texts += [path.read_text("latin-1") for path in out.rglob("*") if path.is_file()]
    return "\n".join(texts)


# Nothing shows a name -----------------------------------------------------------------------------


@pytest.mark.parametrize("isolate", [False, True])
def test_no_event_and_no_file_bears_a_name(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path, isolate: bool
) -> None:
    out = tmp_path / "out"
    events = run(hidden(model, out, folder, isolate=isolate, **EVERYTHING))
    assert named(seen(out, events, without=tmp_path)) == []
    assert {row["relative_path"].partition("/")[0] for row in rows(out)} == set(stored(out))
    assert all(PSEUDONYM.fullmatch(row["case_id"]) for row in rows(out))
    statuses = sorted(result.status for result in stored(out).values())
    assert statuses == sorted(["ok", "ok", *["failed"] * 4, *["skipped"] * 3])
    joined = [row["relative_path"] for row in rows(out) if ";" in row["relative_path"]]
    assert joined == ["; ".join(f"{joined[0].partition('/')[0]}/{n}" for n in (1, 2, 3))]


def test_without_it_names_are_where_people_expect_them(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path
) -> None:
    out = tmp_path / "out"
    events = run(hidden(model, out, folder, deidentify=False))
    assert sorted(named(seen(out, events, without=tmp_path))) == sorted(WORDS)
    assert {"Quaxby^Jillian", "Jillian Zorven"} <= {row["case_id"] for row in rows(out)}
    assert "ward7/Quaxby^Jillian.svs" in {row["relative_path"] for row in rows(out)}
    messages = " ".join(row["error_message"] for row in rows(out))
    assert "bad Quaxby.svs" in messages
    assert any(folder.name.startswith("quaxby-jillian-") for folder in (out / "cases").iterdir())


def test_answers_are_the_same_as_with_names(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path
) -> None:
    run(hidden(model, tmp_path / "a", folder))
    run(hidden(model, tmp_path / "b", folder, deidentify=False))

    def answers(out: Path) -> list[tuple[str, ...]]:
        columns = ("status", "label", "confidence", "tiles", "error_code", "settings_hash")
        return sorted(tuple(row[column] for column in columns) for row in rows(out))

    assert answers(tmp_path / "a") == answers(tmp_path / "b")


def test_failures_still_say_what_to_do(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path
) -> None:
    run(hidden(model, tmp_path / "out", folder))
    messages = {row["error_code"]: row["error_message"] for row in rows(tmp_path / "out")}
    assert messages["E_TOO_SMALL"] == "Too small. Export the picture at a higher resolution."
    assert "export it as a slide" in messages["E_FORMAT"]


def test_a_report_that_cannot_be_drawn_tells_no_name(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("Quaxby^Jillian.png")

    monkeypatch.setattr("lungscan.report.write.write_case_pdf", fail)
    events = run(
        options(model, tmp_path / "out", make_field(tmp_path / "in" / "Quaxby^Jillian.png"),
                pdf="cases", deidentify=True)
    )  # fmt: skip
    (result,) = results(events).values()
    assert result.error_code == "E_UNEXPECTED"
    assert named(result.error_message) == []


def test_the_plan_names_nobody(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path
) -> None:
    planned = tuple(planned_cases(hidden(model, tmp_path / "out", folder)))
    assert len(planned) == 9
    assert named(repr(planned)) == []
    assert not (tmp_path / "out").exists()


# Errors that end a run ----------------------------------------------------------------------------


@pytest.mark.parametrize("deidentify", [False, True])
def test_a_wrong_path_or_manifest_is_reported_without_names(
    model: Path, tmp_path: Path, folder: Path, deidentify: bool
) -> None:
    (folder / "Quaxby.csv").write_text("file,case\nZorven.png,Jillian Zorven\n")
    lost = options(model, tmp_path / "out", tmp_path / "Quaxby.svs", deidentify=deidentify)
    wrong = hidden(model, tmp_path / "out", folder, deidentify=deidentify)
    for chosen in (lost, wrong):
        with pytest.raises(UsageProblem) as caught:
            run(chosen)
        assert bool(named(str(caught.value))) is not deidentify
        assert deidentify is caught.value.__suppress_context__
    # The results would overwrite it.
    manifest = hidden(model, folder, folder, deidentify=deidentify, cases=folder / "cases.csv")
    with pytest.raises(UsageProblem, match=r"the manifest:" if deidentify else r"cases\.csv:"):
        run(manifest)
    (tmp_path / "none").mkdir()
    with pytest.raises(NothingToDo):
        run(options(model, tmp_path / "out", tmp_path / "none", deidentify=deidentify))


@pytest.mark.parametrize(
    ("raised", "kind", "text"),
    [
        (
            OSError(5, "Input/output error", "/in/Quaxby.svs"),
            OSError,
            "[Errno 5] Input/output error",
        ),
        (ValueError("Quaxby.svs is odd"), RuntimeError, "ValueError"),
        (
            MachineError("The drive with Quaxby.svs is away."),
            MachineError,
            "for a reason that holds",
        ),
        (MachineError("The case Jillian Zorven is away."), MachineError, "for a reason that holds"),
        (MachineError("The disk is full."), MachineError, "The disk is full."),
    ],
)
def test_an_error_that_ends_the_run_keeps_its_kind_and_no_name(
    raised: Exception, kind: type[Exception], text: str
) -> None:
    names = (HiddenName("case-0123456789", "case-0123456789", "in/Quaxby.svs", "Jillian Zorven"),)
    raised.__cause__ = KeyError("Quaxby")
    with pytest.raises(kind) as caught, nameless_errors(names):
        raise raised
    assert text in str(caught.value)
    assert named(str(caught.value)) == []
    assert caught.value.__suppress_context__
    assert caught.value.__cause__ is None
    with pytest.raises(type(raised)) as plain, nameless_errors(()):
        raise raised
    assert plain.value is raised


def test_every_code_has_words_without_a_name() -> None:
    package = Path(wording.__file__).parents[1]
    sources = [path.read_text(encoding="utf-8") for path in package.rglob("*.py")]
    codes = set(
        re.findall(r'code="(E_[A-Z_]+)"|"(E_IO|E_PERMISSION|E_NOT_FOUND)"', "".join(sources))
    )
    for code in {one or other for one, other in codes} - {"E_CLOSED"}:
        assert code not in wording.failure(code), code


# Pseudonyms ---------------------------------------------------------------------------------------


def keys(folder: Path) -> dict[str, str]:
    """The pseudonym of each file by its name."""
    shown = hide(discover((folder,)))
    return {Path(name.original_path).name: name.key for name in shown.hidden}


def test_a_pseudonym_depends_on_contents_and_not_on_names(tmp_path: Path) -> None:
    make_field(tmp_path / "a" / "x.png", seed=1)
    make_field(tmp_path / "a" / "y.png", seed=2)
    shutil.copytree(tmp_path / "a", tmp_path / "b" / "elsewhere")
    (tmp_path / "b" / "elsewhere" / "x.png").rename(tmp_path / "b" / "z.png")
    before, after = keys(tmp_path / "a"), keys(tmp_path / "b")
    assert (before["x.png"], before["y.png"]) == (after["z.png"], after["y.png"])
    assert before["x.png"] != before["y.png"]
    make_field(tmp_path / "b" / "z.png", seed=3)
    assert keys(tmp_path / "b")["z.png"] != before["x.png"]


def test_a_change_in_a_small_file_or_at_the_end_or_of_the_size_changes_it(tmp_path: Path) -> None:
    path, seen_keys = tmp_path / "a.png", set()
    contents = [bytes(100_000), b"1" + bytes(99_999), bytes(99_999) + b"1", bytes(99_999)]
    contents += [bytes(50_000) + b"1" + bytes(49_999), b"1"]
    contents += [bytes(1 << 20), bytes((1 << 20) - 1) + b"1"]  # of a large file samples are read
    for content in contents:
        path.write_bytes(content)
        seen_keys.add(keys(tmp_path)["a.png"])
    assert len(seen_keys) == len(contents)


def test_copies_and_unreadable_files_are_told_apart(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        make_field(tmp_path / "in" / name, seed=1)
    (tmp_path / "in" / "x.txt").write_text("1")
    (tmp_path / "in" / "y.txt").write_text("2")
    shown = hide(discover((tmp_path / "in",)))
    made = [case.key for case in shown.cases] + [file.key for file in shown.skipped]
    assert len(set(made)) == 5
    assert all(PSEUDONYM.fullmatch(key) and KEY.fullmatch(key) for key in made)


def test_the_order_is_not_that_of_the_names(tmp_path: Path) -> None:
    for number in range(12):
        make_field(tmp_path / f"{number:02}.png", side=8, seed=number)
    shown = hide(discover((tmp_path,)))
    cases = [case.key for case in shown.cases]
    assert cases == sorted(cases)
    assert cases != [name.key for name in shown.hidden]  # those of the names


def test_no_key_made_from_a_name_is_a_pseudonym(tmp_path: Path) -> None:
    make_field(tmp_path / "case.png")
    make_field(tmp_path / "case-0123456789.png")
    assert not any(PSEUDONYM.fullmatch(case.key) for case in discover((tmp_path,)).cases)


# Going on, reports, verify ------------------------------------------------------------------------


def test_a_run_goes_on_and_reports_and_verify_work(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path
) -> None:
    out = tmp_path / "out"
    run(hidden(model, out, folder))
    before = {path: (out / path).read_bytes() for path in files_below(out)}
    again = run(hidden(model, out, folder))
    resumed = [e.resumed for e in again if isinstance(e, CaseFinished)
               and e.result.status in {CaseStatus.OK, CaseStatus.NO_RESULT}]  # fmt: skip
    assert resumed == [True, True]
    assert files_below(out) == set(before)
    rebuild(out)
    assert named(seen(out, [], without=tmp_path)) == []
    checks = list(verify(out, (folder,), str(model)))
    assert {check.state for check in checks} == {State.SAME, State.NOT_CHECKED}
    assert sum(check.area == "input" for check in checks) == 5  # with the note on the failed ones
    assert named(repr(checks)) == []


def test_verify_finds_what_is_gone_whatever_it_was_called(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path
) -> None:
    run(hidden(model, tmp_path / "out", folder))
    (folder / "Quaxby^Jillian.svs").rename(folder / "Jillian Quaxby.svs")
    make_field(folder / "mrn4711" / "Zorven 1.png", seed=9)
    checks = list(verify(tmp_path / "out", (folder,), str(model)))
    (missing,) = [check for check in checks if check.state is State.MISSING]
    assert re.fullmatch(r"case-[0-9a-f]{10}/[123]", missing.path)
    assert named(repr(checks)) == []


@pytest.mark.parametrize("left", ["all", "tables", "a case"])
def test_a_folder_with_names_is_refused(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path, left: str
) -> None:
    out = tmp_path / "out"
    if left == "a case":
        run(hidden(model, out, folder))
    run(hidden(model, out, folder, deidentify=False))
    if left == "tables":
        shutil.rmtree(out / "cases")
    before = files_below(out)
    with pytest.raises(UsageProblem, match="show names"):
        run(hidden(model, out, folder))
    assert files_below(out) == before
    events = run(hidden(model, out, folder, fresh=True))
    assert named(seen(out, events, without=tmp_path)) == []


def test_fresh_leaves_what_is_the_users_and_is_refused_then(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path
) -> None:
    out = tmp_path / "out"
    run(hidden(model, out, folder, deidentify=False))
    (case,) = (out / "cases").glob("quaxby-jillian-*")
    (case / "my notes.txt").write_text("mine")
    with pytest.raises(UsageProblem, match="show names"):
        run(hidden(model, out, folder, fresh=True))
    assert (case / "my notes.txt").exists()


# The way back -------------------------------------------------------------------------------------


def test_the_table_of_names_leads_back(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path
) -> None:
    names = tmp_path / "kept" / "names.csv"
    for _ in range(2):  # a run that goes on writes it again
        run(hidden(model, tmp_path / "out", folder, names=names))
    with names.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    run(hidden(model, tmp_path / "named", folder, deidentify=False))
    by_path = {row["relative_path"]: row for row in rows(tmp_path / "named")}
    shown = {row["case_id"]: row for row in rows(tmp_path / "out")}
    assert {row["case_id"] for row in found} == set(shown)
    for row in found:
        path = row["original_path"]
        original = next(by_path[key] for key in by_path if path in key.split("; "))
        assert shown[row["case_id"]]["status"] == original["status"]
        assert set(shown[row["case_id"]]["sha256"].split("; ")) == set(
            original["sha256"].split("; ")
        )
        assert row["relative_path"] in shown[row["case_id"]]["relative_path"].split("; ")
    assert {row["original_case_id"] for row in found} >= {"Jillian Zorven", "Quaxby^Jillian", ""}


@pytest.mark.parametrize("why", ["no option", "inside", "another file", "a folder"])
def test_a_table_that_would_tell_or_overwrite_is_refused(
    model: Path, tmp_path: Path, folder: Path, why: str
) -> None:
    out, image = tmp_path / "out", folder / "mrn4711" / "Zorven 1.png"
    data = image.read_bytes()
    chosen = {
        "no option": hidden(model, out, folder, names=tmp_path / "n.csv", deidentify=False),
        "inside": hidden(model, out, folder, names=out / "cases" / ".." / "n.csv"),
        "another file": hidden(model, out, folder, names=image),
        "a folder": hidden(model, out, folder, names=folder),
    }[why]
    with pytest.raises(UsageProblem, match="--names") as caught:
        run(chosen)
    assert named(str(caught.value)) == []
    assert image.read_bytes() == data
    assert not out.exists()


def test_names_in_the_table_are_only_text(tmp_path: Path, model: Path, fake: FakeRuntime) -> None:
    make_field(tmp_path / "in" / "=1+1.png")
    run(options(model, tmp_path / "out", tmp_path / "in" / "=1+1.png", deidentify=True,
                names=tmp_path / "n.csv"))  # fmt: skip
    assert "'=1+1.png" in (tmp_path / "n.csv").read_text(encoding="utf-8")
    assert "1+1" not in json.dumps(rows(tmp_path / "out"))
