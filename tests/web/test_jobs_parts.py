"""A job's runs: what is given together goes to the model that judges it; maps fill meanwhile."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from struct import pack
from typing import Any

import numpy as np
import pytest

from lungscan.classification import decide
from lungscan.errors import MachineError
from lungscan.events import (
    CaseFinished,
    CaseStarted,
    RunFinished,
    RunStarted,
    ScanEvent,
    ScoredTiles,
    TilesScored,
)
from lungscan.inputs import discover
from lungscan.model.checked import list_models
from lungscan.opening.apart import Stopped
from lungscan.options import ScanOptions
from lungscan.report import wording
from lungscan.types import CaseResult, CaseStatus, NoResult, TileState
from lungscan_web.jobs import child
from lungscan_web.jobs.answering import answer_of
from lungscan_web.jobs.applying import apply
from lungscan_web.jobs.limits import NotHere
from lungscan_web.jobs.live import LiveMap, read_on
from lungscan_web.jobs.messages import Began, Ended, Finished, Found, Noticed, Scored, Task
from lungscan_web.jobs.models import AUTO
from lungscan_web.jobs.plain import for_page
from lungscan_web.jobs.records import Choice, Job
from lungscan_web.jobs.taking import named
from tests.results import MODEL, field_result, no_result, slide_result

TISSUE, CT = "lung-histology", "lung-ct"
MODALITY = {TISSUE: None, CT: "chest-ct"}
CT_IMAGE = b"1.2.840.10008.5.1.4.1.1.2\0"  # its storage class, the file's second element
DICOM = bytes(128) + b"DICM" + pack("<HH2sH", 2, 2, b"UI", len(CT_IMAGE)) + CT_IMAGE
FOREIGN = {TISSUE: NoResult.NOT_LUNG, CT: NoResult.NOT_CHEST_CT}


class Engine:
    """Answers each case, or finds nothing of the model's kind in it."""

    def __init__(self) -> None:
        self.foreign: set[tuple[str, str]] = set()  # model and name of a case
        self.broken: set[str] = set()  # models that cannot be loaded
        self.asked: list[ScanOptions] = []
        self.scored: list[TilesScored] = []

    def scan(self, options: ScanOptions, _: object, stop: threading.Event) -> Iterator[ScanEvent]:
        """In the place of ``lungscan.scanning.scan``."""
        self.asked.append(options)
        if options.model in self.broken:
            raise MachineError("This model cannot be loaded.")
        cases = discover(options.paths).cases
        yield RunStarted(len(cases), 0, options.model, "CPU", options.out)
        for index, case in enumerate(cases, start=1):
            if stop.is_set():
                return
            yield CaseStarted(case.key, case.case_id, index)
            for scored in self.scored:
                yield replace(scored, key=case.key)
            yield CaseFinished(self._result(options.model, case.key, case.case_id), index)
        yield RunFinished(len(cases), 0, 0, 0, 0, 0, 1.5, options.out)

    def _result(self, model: str, key: str, name: str) -> CaseResult:
        stamp = replace(MODEL, name=model, modality=MODALITY[model])
        result = replace(field_result(), key=key, case_id=name, model=stamp)
        if (model, name) not in self.foreign:
            return result
        prediction = no_result(FOREIGN[model]).prediction
        return replace(result, status=CaseStatus.NO_RESULT, prediction=prediction)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    monkeypatch.setattr(child, "scan", made.scan)
    return made


@pytest.fixture
def give(tmp_path: Path) -> Callable[..., Path]:
    """A file as an upload leaves it; a series is known by its first bytes."""

    def put(name: str) -> Path:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(DICOM if name.endswith(".dcm") else b"picture")
        return path

    return put


def work(folder: Path, *paths: Path, model: str = AUTO) -> tuple[list[Any], Any]:
    """What a job tells, and its end."""
    messages: list[Any] = []
    task = Task(paths, folder / "out", folder / "view", model, None, 10**9)
    end = child.Work(task, threading.Event(), messages.append, None).run()
    return messages, end


def ends(messages: list[Any]) -> dict[str, tuple[str, str]]:
    """Model and headline of each case, by name; each ends once."""
    found = [one for one in messages if isinstance(one, Ended)]
    assert len({one.key for one in found}) == len(found)
    return {one.name: (one.filed.model, one.headline) for one in found}


def test_each_goes_to_the_model_that_judges_it(
    engine: Engine, give: Callable[..., Path], tmp_path: Path
) -> None:
    messages, end = work(tmp_path, give("1/field.png"), give("2/slice.dcm"), give("3/other.svs"))
    (found,) = [one for one in messages if isinstance(one, Found)]
    models = {case.name: case.filed.model for case in found.cases}
    assert models == {"field": TISSUE, "other": TISSUE, "slice": CT}
    assert {name: model for name, (model, _) in ends(messages).items()} == models
    assert [one.model for one in messages if isinstance(one, Began)] == [TISSUE, CT]
    assert len({options.out for options in engine.asked}) == 2
    assert end == Finished(3.0)
    for one in messages:
        if isinstance(one, Ended):
            answer = json.loads((tmp_path / "view" / one.key / "answer.json").read_text())
            assert answer["model"]["name"] == one.filed.model


def test_what_one_model_judges_is_one_run_over_what_was_given(
    engine: Engine, give: Callable[..., Path], tmp_path: Path
) -> None:
    paths = (give("1/field.png"), give("2/other.svs").parent)
    work(tmp_path, *paths)
    assert [(one.paths, one.model) for one in engine.asked] == [(paths, TISSUE)]


def test_a_folder_of_both_is_taken_apart(
    engine: Engine, give: Callable[..., Path], tmp_path: Path
) -> None:
    field, text = give("1/field.png"), give("1/notes/readme.txt")
    series = give("1/ct/slice.dcm").parent
    messages, _ = work(tmp_path, tmp_path / "in" / "1", text.parent)
    assert [one.paths for one in engine.asked] == [(field, text.parent), (series,)]
    assert {name: model for name, (model, _) in ends(messages).items()} == {
        "field": TISSUE, "slice": CT,
    }  # fmt: skip


def test_cases_of_one_name_stay_apart(
    engine: Engine, give: Callable[..., Path], tmp_path: Path
) -> None:
    first = give("1/a").rename(tmp_path / "in" / "1" / "same.dcm")
    series = give("2/same.dcm")
    messages, _ = work(tmp_path, first, series)
    keys = [one.key for one in messages if isinstance(one, Ended)]
    assert len(set(keys)) == 2


def test_a_picture_that_is_no_tissue_is_shown_to_the_other_model(
    engine: Engine, give: Callable[..., Path], tmp_path: Path
) -> None:
    engine.foreign = {(TISSUE, "slice"), (TISSUE, "cat"), (CT, "cat")}
    messages, _ = work(tmp_path, *map(give, ("1/slice.png", "2/cat.png", "3/field.png")))
    answers = ends(messages)
    assert {name: model for name, (model, _) in answers.items()} == {
        "field": TISSUE, "slice": CT, "cat": TISSUE,
    }  # fmt: skip
    assert answers["slice"][1] == answers["field"][1] == "Squamous cell carcinoma"
    assert answers["cat"][1].startswith("No result")
    assert [path.name for path in engine.asked[1].paths] == ["slice.png", "cat.png"]
    (key,) = [one.key for one in messages if isinstance(one, Ended) and one.name == "cat"]
    answer = json.loads((tmp_path / "view" / key / "answer.json").read_text())
    assert answer["model"]["name"] == TISSUE  # the second look left no trace


def test_a_run_whose_answers_do_not_stand_offers_no_table(
    engine: Engine, give: Callable[..., Path], tmp_path: Path
) -> None:
    engine.foreign = {(TISSUE, "slice")}
    for paths, models in ((["1/slice.png"], [CT]), (["1/slice.png", "3/a.png"], [TISSUE, CT])):
        job = Job("x", "kim", tmp_path, (), (), Choice(AUTO), 0.0)
        messages, _ = work(tmp_path, *map(give, paths))
        for message in messages:
            apply(job, message, 0.0)
        assert [model for _, model, _ in job.answering()] == models


def test_files_to_take_away_say_whose_they_are(
    engine: Engine, give: Callable[..., Path], tmp_path: Path
) -> None:
    job = Job("x", "kim", tmp_path, (), (), Choice(AUTO), 0.0)
    messages, _ = work(tmp_path, *map(give, ["1/a.png", "2/b.dcm"]))
    for message in messages:
        apply(job, message, 0.0)
    for case in job.cases:
        assert case.filed
        case.filed.folder.mkdir(parents=True)
        (case.filed.folder / "report.pdf").write_text(case.name)
    for _, out in job.runs:
        (out / "cases.csv").touch()
    for _ in range(2):  # asked again, it is the same
        taken = named(job, ("cases.csv",), ("report.pdf", "none.csv"))
        assert [path.name for path in taken[:2]] == [f"{TISSUE}-cases.csv", f"{CT}-cases.csv"]
        assert {path.name: path.read_text() for path in taken[2:]} == {
            f"{case.key}-report.pdf": case.name for case in job.cases
        }


def test_such_a_picture_joins_the_run_of_its_model(
    engine: Engine, give: Callable[..., Path], tmp_path: Path
) -> None:
    engine.foreign = {(TISSUE, "slice")}
    messages, _ = work(tmp_path, give("1/slice.png"), give("2/x.dcm"))
    assert [one.model for one in engine.asked] == [TISSUE, CT]
    assert {path.name for path in engine.asked[1].paths} == {"slice.png", "x.dcm"}
    assert {name: model for name, (model, _) in ends(messages).items()} == {"slice": CT, "x": CT}


def test_a_model_chosen_by_hand_is_the_only_one_asked(
    engine: Engine, give: Callable[..., Path], tmp_path: Path
) -> None:
    engine.foreign = {(TISSUE, "slice")}
    messages, _ = work(tmp_path, give("1/slice.png"), give("2/x.dcm"), model=TISSUE)
    assert [one.model for one in engine.asked] == [TISSUE]
    assert ends(messages)["slice"][1].startswith("No result")


def test_a_second_look_that_fails_costs_nothing(
    engine: Engine, give: Callable[..., Path], tmp_path: Path
) -> None:
    engine.foreign, engine.broken = {(TISSUE, "slice")}, {CT}
    messages, end = work(tmp_path, give("1/slice.png"))
    model, sentence = ends(messages)["slice"]
    assert (model, sentence.partition(":")[0]) == (TISSUE, "No result")
    assert [one.text for one in messages if isinstance(one, Noticed)] == [
        "This model cannot be loaded."
    ]
    assert end == Finished(1.5)


def test_a_job_that_is_stopped_begins_no_further_run(
    engine: Engine, give: Callable[..., Path], tmp_path: Path
) -> None:
    stop = threading.Event()
    messages: list[Any] = []

    def tell(one: Any) -> None:
        messages.append(one)
        if isinstance(one, Began):
            stop.set()

    paths = (give("1/field.png"), give("2/slice.dcm"))
    task = Task(paths, tmp_path / "out", tmp_path / "view", AUTO, None, 10**9)
    assert child.Work(task, stop, tell, None).run() == Stopped()
    assert len(engine.asked) == 1


# The map that fills -----------------------------------------------------------------------------


def test_a_slide_s_map_is_there_to_be_read_on_until_the_answer_comes(
    engine: Engine, give: Callable[..., Path], tmp_path: Path
) -> None:
    grid = np.array([[0, 0, 8, 8], [8, 0, 8, 8], [0, 8, 8, 8]], np.int32)
    probs = np.array([[0.1, 0.2, 0.7], [np.nan] * 3], np.float32)
    states = (TileState.USED, TileState.FAILED)
    engine.scored = [
        TilesScored("", 2, 3, ScoredTiles(0, grid, 0, probs, states)),
        TilesScored("", 3, 3, ScoredTiles(0, grid, 2, probs[:1], states[:1])),
    ]
    pieces: list[Any] = []

    def tell(one: Any) -> None:
        if isinstance(one, Scored):
            begin = pieces[-1]["next"] if pieces else 0
            pieces.append(read_on(tmp_path / "view" / one.key, begin))
        if isinstance(one, Ended):
            with pytest.raises(NotHere):
                read_on(tmp_path / "view" / one.key, 0)

    task = Task((give("1/s.svs"),), tmp_path / "out", tmp_path / "view", AUTO, None, 10**9)
    child.Work(task, threading.Event(), tell, None).run()
    assert [one["tiles"] for one in pieces] == [
        [[0, 0, 8, 8, 2, 0.7, "used"], [8, 0, 8, 8, -1, 0, "failed"]],
        [[0, 8, 8, 8, 2, 0.7, "used"]],
    ]
    first, second = (one["classes"] for one in pieces)
    assert second is None
    assert len(first) == 3
    assert set(first[0]) == {"name", "display", "color", "letter", "tumour"}


def test_series_have_no_map(engine: Engine, give: Callable[..., Path], tmp_path: Path) -> None:
    grid = np.array([[0, 0, 8, 8]], np.int32)
    scored = ScoredTiles(0, grid, 0, np.eye(3, dtype=np.float32)[:1], (TileState.USED,))
    engine.scored = [TilesScored("", 1, 1, scored)]
    messages, _ = work(tmp_path, give("1/x.dcm"))
    assert any(isinstance(one, Scored) for one in messages)
    assert not list((tmp_path / "view").rglob("live.jsonl"))


def test_half_a_line_is_left_for_later(tmp_path: Path) -> None:
    whole = b'[]\n[1,2,3,4,0,0.5,"used"]\n'
    (tmp_path / "live.jsonl").write_bytes(whole + b"[5,6")
    piece = read_on(tmp_path, 0)
    assert piece == {"next": len(whole), "classes": [], "tiles": [[1, 2, 3, 4, 0, 0.5, "used"]]}
    assert read_on(tmp_path, piece["next"])["tiles"] == []
    with pytest.raises(NotHere):
        read_on(tmp_path / "none", 0)


def test_a_map_that_is_being_read_costs_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlink(path: Path, *, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Windows: another process has it open", str(path))

    filling = LiveMap(tmp_path / "view", MODEL)
    monkeypatch.setattr(Path, "unlink", unlink)
    filling.end()


def test_what_the_answer_says_is_in_the_words_of_its_kind(
    engine: Engine, give: Callable[..., Path], tmp_path: Path
) -> None:
    tissue = slide_result()
    ct = replace(tissue, model=replace(tissue.model, modality="chest-ct"))
    said = {name: answer_of(result) for name, result in (("he", tissue), ("ct", ct))}
    assert said["he"]["counts"][0][0] == "Tiles"
    assert said["ct"]["counts"][0] == ["Slices", said["he"]["counts"][0][1]]
    assert said["he"]["words"]["top"] == "Tiles that speak for the answer"
    assert said["ct"]["words"]["top"] == "Most suspicious slices"
    names = [name for name, _ in said["ct"]["counts"]]
    assert not [name for name in names if "H&E" in name or "Tile" in name]


# Words ----------------------------------------------------------------------------------------


def test_a_visitor_is_told_nothing_that_only_a_shell_can_do() -> None:
    said = [*wording._CURES.values(), wording._OTHER_CURE, *wording._FLAGS.values()]
    said += [decide._SHIPPED[1], decide._ADAPTED[1]]
    said += [limit for card in list_models() for limit in card.limits]
    said += [
        "Choose another among the options (--model; `lungscan models list` names those here).",
        "Choose another device (--device), or have the installation checked (`lungscan doctor`).",
        "Close other programs, or try a smaller batch (--batch-size) or fewer threads (--threads).",
    ]
    for sentence in map(for_page, said):
        assert not re.search("--[a-z]|`lungscan (?!adapt)|command|[(]lungscan", sentence), sentence
    assert for_page("Give the pixel size (--mpp; usual: 0.5).") == (
        "Give the pixel size (under Options; usual: 0.5)."
    )
