"""`lungscan classify`, `demo` and the border of errors, over a fake engine."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import sys
from collections.abc import Generator
from contextlib import chdir
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pandas
import pytest
from rich.console import Console
from rich.progress import Progress

import lungscan
from lungscan.classification.aggregate import RULES
from lungscan.errors import MachineError, ModelError, NothingToDo, OutputLocked
from lungscan.events import (
    CaseFinished,
    CaseStarted,
    RunFinished,
    RunStarted,
    ScanEvent,
    TilesScored,
)
from lungscan.options import ScanOptions, Shard
from lungscan.types import CaseStatus, NoResult
from lungscan_cli import console
from lungscan_cli.commands.classify import classify
from lungscan_cli.main import main
from lungscan_cli.views.run import BarView, LineView, RateColumn
from lungscan_cli.views.summary import show_summary
from lungscan_cli.views.watch import Outcome, watch
from tests.cli.fake_engine import FakeEngine, make_result

Captured = pytest.CaptureFixture[str]


def test_answers_go_to_stderr_and_stdout_stays_empty(
    engine: FakeEngine, slide: Path, capsys: Captured
) -> None:
    engine.results = [
        make_result("a.svs", label="adeno", tiles=40),
        make_result("b.svs", CaseStatus.NO_RESULT, reason=NoResult.BLURRED),
    ]
    assert main(["classify", str(slide)]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Adenocarcinoma" in shown.err
    assert "0.93" in shown.err
    assert "No result: too blurred" in shown.err
    assert "Note: only a fake" in shown.err
    assert "Research use only" in shown.err


def test_failed_and_partial_cases_give_code_1_and_their_cure(
    engine: FakeEngine, slide: Path, capsys: Captured
) -> None:
    engine.results = [make_result(f"ok{i}", label="benign") for i in range(20)]
    engine.results += [
        make_result(f"bad{i}", CaseStatus.FAILED, error="Give --mpp.") for i in range(7)
    ]
    assert main(["classify", str(slide)]) == 1
    err = capsys.readouterr().err
    assert "bad0: Give --mpp." in err
    assert "bad6: " not in err
    assert "and 2 more" in err
    assert "Failed: cannot be opened" in err
    engine.results = [make_result("half", CaseStatus.PARTIAL, label="adeno")]
    assert main(["classify", str(slide)]) == 1
    assert "Adenocarcinoma, partly unreadable" in capsys.readouterr().err


def test_json_is_one_object_and_quiet_leaves_only_errors(
    engine: FakeEngine, slide: Path, capsys: Captured
) -> None:
    engine.results = [
        make_result("a\x1b[2J\udcff", label="adeno"),
        make_result("b", CaseStatus.FAILED, error="Cannot be opened."),
    ]
    assert main(["classify", str(slide), "--json", "--quiet"]) == 1
    shown = capsys.readouterr()
    data = json.loads(shown.out)
    assert data["counts"] == {"ok": 1, "no_result": 0, "partial": 0, "failed": 1, "skipped": 0}
    assert data["exit_code"] == 1
    assert data["cases"][0]["case_id"] == "a\x1b[2J\udcff"
    assert data["cases"][0]["label"] == "adeno"
    assert data["cases"][0]["probabilities"]["squamous"] == 0.05
    assert data["cases"][1]["label"] is None
    assert "b: Cannot be opened." in shown.err
    assert "Adenocarcinoma" not in shown.err
    assert "\x1b" not in shown.out + shown.err


def test_quiet_prints_nothing_when_all_is_well(
    engine: FakeEngine, slide: Path, capsys: Captured
) -> None:
    engine.results = [make_result("a", label="adeno")]
    assert main(["classify", str(slide), "-q"]) == 0
    shown = capsys.readouterr()
    assert shown.out + shown.err == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NothingToDo("No image in x."), 3),
        (ModelError("The weights were changed."), 4),
        (MachineError("The disk is full."), 5),
        (OutputLocked("Another run writes there."), 6),
        (OSError(errno.ENOSPC, "No space left on device", "cases.csv"), 5),
        (MemoryError(), 5),
    ],
)
def test_each_error_is_one_sentence_with_its_code(
    engine: FakeEngine, slide: Path, capsys: Captured, error: Exception, code: int
) -> None:
    engine.raises = error
    assert main(["classify", str(slide), "--quiet"]) == code
    err = capsys.readouterr().err
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_an_unknown_fault_shows_a_traceback_only_when_asked(
    engine: FakeEngine, slide: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.raises = ZeroDivisionError("float division")
    assert main(["classify", str(slide)]) == 70
    err = capsys.readouterr().err
    assert "ZeroDivisionError: float division" in err
    assert "LUNGSCAN_DEBUG=1" in err
    assert "Traceback" not in err
    monkeypatch.setenv("LUNGSCAN_DEBUG", "1")
    assert main(["classify", str(slide)]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_interrupting_closes_the_scan_and_says_how_to_go_on(
    engine: FakeEngine, slide: Path, capsys: Captured
) -> None:
    engine.results = [make_result("a", label="adeno")]
    engine.raises = KeyboardInterrupt()
    assert main(["classify", str(slide), "--out", "there"]) == 130
    assert engine.closed
    err = capsys.readouterr().err
    assert "Finished cases are safe in there" in err
    assert "run the same command again" in err


def test_every_option_reaches_the_engine(engine: FakeEngine, slide: Path, tmp_path: Path) -> None:
    table = tmp_path / "cases.csv"
    table.write_text("file,case\n")
    expected = ScanOptions(
        paths=(slide, tmp_path),
        out=Path("res"),
        model="m",
        device="cuda:3",
        mpp=0.25,
        overlap=0.5,
        rule="mean",
        batch_size=8,
        threads=2,
        cases=table,
        pdf="none",
        heatmap=False,
        geojson=False,
        abstain="flag",
        explain="cam",
        fresh=True,
        timeout=5.0,
        deidentify=True,
        names=Path("n.csv"),
        unproven=True,
    )
    plain = ScanOptions(paths=(slide,), out=Path("lungscan-results"))
    line = (
        f"classify {slide} {tmp_path} --out res --model m --device cuda:3 --mpp 0.25 "
        f"--overlap 0.5 --rule mean --batch-size 8 --threads 2 --cases {table} --pdf none "
        "--no-heatmap --no-geojson --abstain flag --explain cam --fresh --timeout 5 "
        "--deidentify --names n.csv --unproven -q"
    )
    assert main(line.split()) == 0
    assert engine.options == expected
    assert main(["classify", str(slide), "-q"]) == 0
    assert engine.options == plain
    same = [f.name for f in fields(plain) if getattr(plain, f.name) == getattr(expected, f.name)]
    # The first line shows each option but the debugger's, the window's names, and those that
    # exclude some of its own.
    assert set(same) == {"isolate", "found", "dicom_sr", "shard", "cluster", "watch"}
    assert main(["classify", str(slide), "--dicom-sr", "-q"]) == 0
    assert engine.options == replace(plain, dicom_sr=True)


def test_the_ways_to_divide_the_work_reach_the_engine(engine: FakeEngine, slide: Path) -> None:
    assert main(["classify", str(slide), "--shard", "3/8", "-q"]) == 0
    assert engine.options is not None
    assert engine.options.shard == Shard(3, 8)
    assert main(["classify", str(slide), "--cluster", "local:2", "-q"]) == 0
    assert engine.options.cluster == "local:2"
    assert main(["classify", str(slide), "--watch", "-q"]) == 0
    assert engine.options.watch


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--shard 9/8", "no shard 9 of 8"),
        ("--shard three", "1/8 to 8/8"),
        ("--shard 1/2 --watch", "exclude each other"),
        ("--cluster local:2 --shard 1/2", "exclude each other"),
        ("--watch --json", "exclude each other"),
    ],
)
def test_ways_that_make_no_sense_are_wrong_usage(
    engine: FakeEngine, slide: Path, capsys: Captured, words: str, expected: str
) -> None:
    assert main(["classify", str(slide), *words.split()]) == 2
    assert expected in capsys.readouterr().err
    assert engine.options is None


def test_a_watch_keeps_no_line_of_what_it_has_reported(
    engine: FakeEngine, slide: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.results = [make_result("a", label="adeno")]
    kept: list[Outcome] = []

    def spy(events: Any, view: Any, outcome: Outcome, *, keep_lines: bool) -> None:
        kept.append(outcome)
        watch(events, view, outcome, keep_lines=keep_lines)

    monkeypatch.setattr("lungscan_cli.views.watch.watch", spy)
    assert main(["classify", str(slide), "--watch"]) == 0
    assert "a: Adenocarcinoma" in capsys.readouterr().err
    assert kept[0].lines == []


def test_a_watch_says_at_once_why_a_case_has_no_answer(
    engine: FakeEngine, slide: Path, capsys: Captured
) -> None:
    empty = replace(make_result("in/b.svs", CaseStatus.SKIPPED), error_message="empty file")
    engine.results = [empty, make_result("c", CaseStatus.FAILED, error="c.svs ends early.")]
    assert main(["classify", str(slide), "--watch"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert "  in/b.svs: Skipped: empty file" in lines
    assert "    c.svs ends early." in lines


def test_a_termination_ends_a_run_like_an_interrupt(
    engine: FakeEngine, slide: Path, capsys: Captured
) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def terminated(options: ScanOptions) -> Generator[ScanEvent, None, None]:
        signal.raise_signal(signal.SIGTERM)
        yield from engine.scan(options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lungscan, "scan", terminated)
        assert main(["classify", str(slide)]) == 130
    assert "Finished cases are safe" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(
    ("words", "method"),
    [
        (["--explain", "{}"], "occlusion"),
        (["{}", "--explain"], "occlusion"),
        (["--explain", "--quiet", "{}"], "occlusion"),
        (["--explain", "cam", "{}"], "cam"),
        (["--explain=cam", "{}"], "cam"),
        (["--explain", "off", "{}"], "off"),
        (["{}"], "off"),
        (["--", "{}"], "off"),
        (["--explain", "--", "{}"], "occlusion"),
    ],
)
def test_a_path_may_follow_explain(
    engine: FakeEngine, slide: Path, words: list[str], method: str
) -> None:
    assert main(["classify", *(word.format(slide) for word in words)]) == 0
    assert engine.options is not None
    assert (engine.options.paths, engine.options.explain) == ((slide,), method)


def test_a_path_named_like_the_option_stays_a_path(engine: FakeEngine, tmp_path: Path) -> None:
    odd = tmp_path / "--explain"
    odd.write_bytes(b"")
    with chdir(tmp_path):
        assert main(["classify", "--", "--explain"]) == 0
    assert engine.options is not None
    assert (engine.options.paths, engine.options.explain) == ((Path("--explain"),), "off")


def test_every_rule_of_the_engine_can_be_chosen() -> None:
    (option,) = [param for param in classify.params if param.name == "rule"]
    assert isinstance(option.type, click.Choice)
    assert set(option.type.choices) == set(RULES)


def test_skipped_files_are_counted_apart_from_cases(
    engine: FakeEngine, slide: Path, capsys: Captured
) -> None:
    engine.results = [make_result("Thumbs.db", CaseStatus.SKIPPED), make_result("a", label="adeno")]
    engine.results[0] = replace(engine.results[0], error_message="not an image")
    assert main(["classify", str(slide)]) == 0
    err = capsys.readouterr().err
    assert "Classifying 1 case (1 file skipped)" in err
    assert "1 of 1 case: a: Adenocarcinoma" in err
    assert "of 1 case: Thumbs.db" not in err
    assert "Skipped: not an image" in err


def test_settings_come_from_the_environment_and_flags_win(
    engine: FakeEngine, slide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUNGSCAN_DEVICE", "cpu")
    monkeypatch.setenv("LUNGSCAN_MPP", "0.5")
    assert main(["classify", str(slide), "-q", "--mpp", "0.25"]) == 0
    assert engine.options is not None
    assert (engine.options.device, engine.options.mpp) == ("cpu", 0.25)


@pytest.mark.parametrize(
    "line",
    [
        "classify",
        "classify no-such-file.svs",
        "classify {slide} --mpp 11",
        "classify {slide} --overlap 0.8",
        "classify {slide} --device gpu",
        "classify {slide} --threads 0",
        "classify {slide} --abstain maybe",
    ],
)
def test_wrong_usage_ends_with_2(
    engine: FakeEngine, slide: Path, capsys: Captured, line: str
) -> None:
    assert main(line.format(slide=slide).split()) == 2
    assert engine.options is None
    assert "Error: " in capsys.readouterr().err


def test_a_comma_in_a_number_is_told(engine: FakeEngine, slide: Path, capsys: Captured) -> None:
    assert main(["classify", str(slide), "--mpp", "0,25"]) == 2
    assert engine.options is None
    assert "'0,25' has a comma; write it with a point: 0.25" in capsys.readouterr().err


@dataclass(frozen=True, slots=True)
class Planned:
    """As the engine's PlannedCase."""

    case_id: str
    kind: str
    tiles: int
    mpp: float | None
    note: str


def test_dry_run_prints_the_plan_and_scans_nothing(
    engine: FakeEngine, slide: Path, capsys: Captured
) -> None:
    engine.planned = (
        Planned("a.svs", "slide", 1200, 0.5, ""),
        Planned("b.png", "field", 1, None, "scale unknown"),
        Planned("Thumbs.db", "skipped", 0, None, "not an image"),
    )
    assert main(["classify", str(slide), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "1,200" in out
    assert "scale unknown" in out
    assert "2 cases, 1,201 tiles" in out
    assert main(["classify", str(slide), "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cases"][1]["mpp"] is None
    assert engine.options is None


def test_a_name_that_the_pipe_of_windows_cannot_hold_is_written_all_the_same(
    engine: FakeEngine, slide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, "cp1252", write_through=True))
    engine.planned = (Planned("图.svs", "slide", 12, 0.5, ""),)
    assert main(["classify", str(slide), "--dry-run"]) == 0
    assert rb"\u56fe.svs" in written.getvalue()
    assert "µm/px".encode("cp1252") in written.getvalue()


def test_on_windows_a_pattern_means_the_files_that_it_fits(
    engine: FakeEngine, slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of its shells does that."""
    monkeypatch.setattr("click.core.os", SimpleNamespace(**(vars(os) | {"name": "nt"})))
    monkeypatch.setattr("sys.argv", ["lungscan", "classify", str(tmp_path / "*.svs"), "--dry-run"])
    planned: list[ScanOptions] = []
    monkeypatch.setattr(lungscan, "plan", lambda o: planned.append(o) or engine.plan(o))
    engine.planned = (Planned("slide", "slide", 12, 0.5, ""),)
    assert main() == 0
    assert planned[0].paths == (slide,)


@pytest.mark.parametrize(
    ("system", "word", "typed"),
    [
        ("posix", "my model", "'my model'"),
        ("posix", "model", "model"),
        ("nt", "C:\\own\\model", "C:\\own\\model"),
        ("nt", "my model", '"my model"'),
        ("nt", "a&b", '"a&b"'),
    ],
)
def test_a_command_to_be_copied_is_one_for_its_shell(
    monkeypatch: pytest.MonkeyPatch, system: str, word: str, typed: str
) -> None:
    monkeypatch.setattr(console, "os", SimpleNamespace(name=system))
    assert console.quoted(word) == typed


def test_on_a_terminal_an_error_is_not_broken_within_words(
    engine: FakeEngine, slide: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    engine.raises = NothingToDo("No slide was found: `lungscan demo` makes one.")
    seen = []
    for terminal in (False, True):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        assert main(["classify", str(slide), "-q"]) == 3
        seen.append(capsys.readouterr().err.splitlines())
    assert seen[0] == ["Error: No slide was found: `lungscan demo` makes one."]
    assert seen[1] == ["Error: No slide was found:", "`lungscan demo` makes one."]
    assert main(["classify", "no-such-folder"]) == 2
    assert all(len(line) <= 30 for line in capsys.readouterr().err.splitlines())


def test_on_a_terminal_all_lines_of_an_indented_sentence_are_indented() -> None:
    shown = Console(force_terminal=True, width=30, file=io.StringIO(), color_system=None)
    console.say(shown, "  not an image format that LungScan reads")
    assert isinstance(shown.file, io.StringIO)
    lines = shown.file.getvalue().splitlines()
    assert [line.rstrip() for line in lines] == ["  not an image format that", "  LungScan reads"]


def test_plain_lines_give_a_sign_of_life_every_few_seconds(capsys: Captured) -> None:
    now = [0.0]
    view = LineView(Console(stderr=True, width=200), clock=lambda: now[0])
    with view:
        view.run_started(RunStarted(1000, 0, "m", "cpu", Path("r")))
        for index in range(1, 101):
            now[0] = index * 0.1
            result = make_result(f"f{index}", label="adeno")
            view.case_started(CaseStarted(result.key, result.case_id, index))
            view.case_finished(CaseFinished(result, index), "Adenocarcinoma")
        now[0] += 6
        view.case_started(CaseStarted("big", "big.svs", 101))
        view.tiles_scored(TilesScored("big", 50, 400))
        view.tiles_scored(TilesScored("big", 60, 400))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "Classifying 1,000 cases with m on cpu.",
        "  50 of 1,000 cases, 10.0 cases/s, about 1 min 35 s left",
        "  100 of 1,000 cases, 10.0 cases/s, about 1 min 30 s left",
        "  big.svs: 50 of 400 tiles",
    ]


def test_the_tiles_of_a_series_are_called_slices(capsys: Captured) -> None:
    now = [0.0]
    view = LineView(Console(stderr=True, width=200), clock=lambda: now[0])
    started = RunStarted(1, 0, "lung-ct", "cpu", Path("r"), "chest-ct")
    finished = RunFinished(1, 0, 0, 0, 0, 400, 2.0, Path("r"))
    with view:
        view.run_started(started)
        now[0] += 6
        view.tiles_scored(TilesScored("thorax", 50, 400))
    show_summary(Console(stderr=True, width=200), Outcome(started=started), finished)
    lines = capsys.readouterr().err.splitlines()
    assert lines[1:3] == ["  thorax: 50 of 400 slices", "Finished, 400 slices in 2.0 s."]


@pytest.mark.parametrize(("foreign", "told"), [(2, True), (1, False)])
def test_where_most_tissue_is_new_to_the_model_a_way_out_is_named(
    engine: FakeEngine, tmp_path: Path, capsys: Captured, foreign: int, told: bool
) -> None:
    reasons = [NoResult.NOT_LUNG, NoResult.OTHER_STAIN][:foreign]
    engine.results = [
        make_result(reason, CaseStatus.NO_RESULT, reason=reason) for reason in reasons
    ]
    engine.results += [make_result(f"lung-{number}") for number in range(4 - 2 * foreign + 1)]
    assert main(["classify", str(tmp_path), "--out", str(tmp_path / "r")]) == 0
    err = " ".join(capsys.readouterr().err.split())
    words = "a stain that the model does not know: 2 of 3 cases. If it is your own lung, adapt"
    assert (words in err) is told


@pytest.mark.parametrize("known", [True, False])
def test_of_new_tissue_without_a_scale_the_scale_is_asked_for_first(
    engine: FakeEngine, tmp_path: Path, capsys: Captured, known: bool
) -> None:
    refused = make_result("a", CaseStatus.NO_RESULT, reason=NoResult.NOT_LUNG)
    engine.results = [replace(refused, flags=() if known else ("scale_unknown",))]
    assert main(["classify", str(tmp_path), "--out", str(tmp_path / "r")]) == 0
    err = " ".join(capsys.readouterr().err.split())
    assert ("1 of 1 case. The scale is unknown" in err) is not known
    assert "If it is your own lung, adapt" in err


def test_bars_show_cases_and_tiles_with_names_made_harmless() -> None:
    console = Console(force_terminal=True, width=100, record=True, color_system=None)
    with BarView(console) as view:
        view.run_started(RunStarted(3, 1, "m", "cpu", Path("r")))
        view.case_started(CaseStarted("k", "[bold]a\x1b[2J.svs", 1))
        view.tiles_scored(TilesScored("k", 30, 120))
        view.progress.refresh()  # its own thread would do so 0.1 s later
        shown = console.export_text(clear=False)
        view.case_finished(CaseFinished(make_result("k"), 1), "x")
    assert "1 file skipped" in shown
    assert "30/120" in shown
    assert "0/3" in shown
    assert "[bold]a\\x1b[2J.svs" in shown


@pytest.mark.parametrize(("width", "name"), [(100, "…-of-a-slide-S24-01877.svs"), (60, "1877.svs")])
def test_a_narrow_terminal_shortens_the_name_and_no_figure(width: int, name: str) -> None:
    console = Console(force_terminal=True, width=width, file=io.StringIO(), color_system=None)
    with BarView(console) as view:
        view.case_started(CaseStarted("k", "folder/the-name-of-a-slide-S24-01877.svs", 1))
        view.tiles_scored(TilesScored("k", 12_345, 34_567))
        paper = Console(width=width, file=io.StringIO(), color_system=None)
        paper.print(view.progress.get_renderable())
    line = next(row for row in paper.file.getvalue().splitlines() if name in row)  # type: ignore[attr-defined]
    assert "12345/34567" in line
    assert line.rstrip().endswith("left")
    assert len(line) <= width


def test_a_handful_that_comes_back_at_once_shows_no_absurd_rate() -> None:
    now = [0.0]
    progress = Progress(get_time=lambda: now[0])
    task_id = progress.add_task("", total=20, unit="cases")

    def shown(completed: int, after: float) -> str:
        now[0] += after
        progress.update(task_id, completed=completed)
        return RateColumn().render(progress.tasks[0]).plain

    assert shown(5, 0.5) == ""
    assert shown(10, 0.0001) == ""
    assert shown(10, 1.5) == "5.0 cases/s"


def test_demo_makes_pictures_then_classifies_its_own_folder(
    engine: FakeEngine, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.results = [make_result("drawn", CaseStatus.NO_RESULT, reason=NoResult.NOT_LUNG)]
    table = pandas.DataFrame({"case_id": ["drawn"], "status": ["no_result"]})
    monkeypatch.setattr("lungscan.read_results", lambda out: table)  # the fake writes none
    assert main(["demo", "--out", str(tmp_path / "d")]) == 0
    assert engine.options is not None
    assert engine.options.paths == (tmp_path / "d" / "images",)
    assert engine.options.out == tmp_path / "d" / "results"
    assert (tmp_path / "d" / "images" / "stitched-slide.svs").is_file()
    err = capsys.readouterr().err
    assert "should get 'No result'" in err
    assert "summary.pdf first: all cases at a glance." in err
    assert "does not look like lung H&E" in err
