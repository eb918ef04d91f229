"""The window's switch for explanations, and what it shows of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from pytestqt.qtbot import QtBot

from lungscan import explain
from lungscan.errors import Code
from lungscan.opening.viewing import ViewedImage
from lungscan.options import DEFAULT_MODEL, EXPLAIN_CHOICES, ScanOptions
from lungscan.types import CaseResult, Explanation
from lungscan_gui import engine
from lungscan_gui.explaining.box import ExplainedBox
from lungscan_gui.explaining.job import ExplainJob, Question
from lungscan_gui.panels.options import OptionsPanel
from lungscan_gui.scanning.job import Failure
from lungscan_gui.settings import Settings
from lungscan_gui.window import MainWindow
from tests.drawing import draw_slide, write_svs
from tests.results import drawn_tile, slide_result

Wait = Callable[[Callable[[], bool]], None]


def explained_result(count: int = 2) -> CaseResult:
    cells = np.zeros((6, 6), np.float32)
    cells[1, 2], cells[4, 4] = 0.83, -0.3
    parts = tuple(
        Explanation("occlusion", 0, (100 * n, 50, 900, 900), 0, 0.93, cells, 2.5, None, 0.86,
                    drawn_tile(n))
        for n in range(count)
    )  # fmt: skip
    return replace(slide_result(), explained=parts)


def test_the_switch_reaches_the_run_and_is_remembered(qtbot: QtBot, settings: Settings) -> None:
    panel = OptionsPanel(settings, ("lung-histology",))
    qtbot.addWidget(panel)
    box = panel.boxes["explain"]
    assert [box.itemText(row) for row in range(box.count())] == list(EXPLAIN_CHOICES)
    assert panel.options((Path("a"),), Path("out"), None).explain == "off"
    box.setCurrentText("occlusion")
    assert panel.options((Path("a"),), Path("out"), None).explain == "occlusion"
    again = OptionsPanel(settings, ("lung-histology",))
    qtbot.addWidget(again)
    assert again.boxes["explain"].currentText() == "occlusion"
    again.restore()
    assert again.boxes["explain"].currentText() == "off"


def test_an_explained_run_lies_in_a_folder_of_its_own(tmp_path: Path) -> None:
    plain = ScanOptions((tmp_path / "a.svs",), tmp_path)
    folders = {engine.results_folder(tmp_path, replace(plain, explain=e)) for e in EXPLAIN_CHOICES}
    assert len(folders) == len(EXPLAIN_CHOICES)


def test_tiles_words_and_scale_are_shown_and_lead_to_their_place(qtbot: QtBot) -> None:
    box, result = ExplainedBox(), explained_result()
    qtbot.addWidget(box)
    assert box.scale.isHidden()
    box.show_result(result)
    assert not box.scale.isHidden()
    assert len(box.pairs) == 2
    assert "Adenocarcinoma 0.93\nat the least 0.86 with one cell blurred" in box.pairs[0].text()
    assert "x 100" in box.pairs[1].accessibleName()
    assert "What changes the answer most when blurred" in box.words.text()
    assert not box.scale.pixmap().isNull()
    with qtbot.waitSignal(box.visited) as visit:
        box.pairs[1].click()
    assert visit.args == [result.explained[1]]  # type: ignore[index]
    box.show_result(slide_result())
    assert box.scale.isHidden()
    assert box.pairs == []


def test_it_can_be_saved_as_the_run_does(tmp_path: Path) -> None:
    from lungscan.report.explained import render_explanation

    assert "Explanation (PNG)" not in [e.title for e in engine.exports(slide_result())]
    (export,) = [e for e in engine.exports(explained_result()) if e.title == "Explanation (PNG)"]
    export.write(tmp_path / "e.png")
    assert (tmp_path / "e.png").read_bytes() == render_explanation(explained_result())


class FakeJob:
    """Answers with cells that say which tile was asked about."""

    asked: list[Question]

    def __init__(self, question: Question) -> None:
        self.asked.append(question)
        self.question = question

    def events(self) -> Iterator[Explanation | Failure]:
        """See ``ExplainJob.events``."""
        if self.question.device == "cpu":
            yield Failure("The reader is gone.", Code.CRASH, "trace")
            return
        cells = np.zeros((6, 6), np.float32)
        cells[2, 3] = 0.5
        yield Explanation(
            self.question.method, 0, self.question.box, 0, 0.9, cells, 2.2, None, 0.8, drawn_tile(1)
        )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Question]:
    """The questions that were asked."""
    monkeypatch.setattr(FakeJob, "asked", [], raising=False)
    return FakeJob.asked


@pytest.fixture
def analysed(window: MainWindow, wait: Wait, quick: object, tmp_path: Path) -> MainWindow:
    """A slide with an answer."""
    path = tmp_path / "drawn.svs"
    write_svs(path, draw_slide(1536, 1024, tissue=[(0.1, 0.1, 0.9, 0.9)]))
    window.add_paths([path])
    wait(lambda: window.viewer.picture is not None)
    window.explain_tile()
    assert "Analyse this case first" in window.message.words.text()
    window.analyse()
    wait(lambda: not window.analysis.running)
    window.asking.make_job = FakeJob  # type: ignore[assignment]
    return window


@pytest.mark.usefixtures("no_reader")
def test_the_tile_that_is_pointed_at_is_explained_and_kept_with_its_case(
    qtbot: QtBot, analysed: MainWindow, wait: Wait, asked: list[Question], model: Path
) -> None:
    case = analysed.queue.current
    record = (case.out / "cases" / case.result.key / "case.json").read_bytes()
    boxes = case.maps[0].boxes.tolist()
    x, y, width, height = boxes[5]
    analysed.viewer.pointed.emit(x + width / 2, y + height / 2)
    qtbot.keyClick(analysed.viewer, Qt.Key.Key_E)
    assert not analysed.result.explained.ask.isEnabled()
    wait(lambda: bool(case.asked))
    assert asked == [Question(case.path, tuple(boxes[5]), str(model), "occlusion", None, "auto")]
    assert analysed.result.explained.ask.isEnabled()
    assert len(analysed.result.explained.pairs) == 1
    assert f"x {x:,}, y {y:,}" in analysed.result.explained.pairs[0].text()
    analysed.next_tile()  # the marked one, now
    analysed.explain_tile()
    wait(lambda: len(case.asked) == 2)
    assert asked[1].box == case.result.pictures[0].box
    analysed.explain_tile()  # the same once more is not shown twice
    wait(lambda: not analysed.asking.busy)
    assert len(case.asked) == 2
    titles = [export.title for export in engine.exports(case.result, asked=case.asked)]
    assert "Explanation (PNG)" in titles
    assert (case.out / "cases" / case.result.key / "case.json").read_bytes() == record
    analysed.viewer.pointed.emit(-500.0, -500.0)
    analysed.explain_tile()
    assert "no scored tile at this place" in analysed.message.words.text()
    assert len(asked) == 3
    analysed.analyse()  # another answer has no explanation yet
    wait(lambda: not analysed.analysis.running)
    assert case.asked == ()
    assert analysed.result.explained.pairs == []


@pytest.mark.usefixtures("no_reader", "asked")
def test_the_panel_scrolls_to_the_explanation_that_was_asked_for(
    analysed: MainWindow, wait: Wait
) -> None:
    box = analysed.result.explained
    analysed.resize(1024, 600)
    wait(box.visibleRegion().isEmpty)
    analysed.next_tile()
    analysed.explain_tile()
    wait(lambda: bool(box.pairs) and not box.pairs[0].visibleRegion().isEmpty())


@pytest.mark.usefixtures("no_reader")
def test_an_explanation_that_fails_costs_a_message(
    analysed: MainWindow, wait: Wait, asked: list[Question], monkeypatch: pytest.MonkeyPatch
) -> None:
    analysed.options.boxes["device"].setCurrentText("cpu")
    analysed.next_tile()
    analysed.explain_tile()
    wait(lambda: "The reader is gone." in analysed.message.words.text())
    assert analysed.queue.current.asked == ()
    assert analysed.result.explained.ask.isEnabled()
    box = analysed.options.boxes["model"]
    box.setCurrentIndex(0)
    box.removeItem(box.count() - 1)  # the model that answered is gone
    analysed.explain_tile()
    wait(lambda: "the model that answered, is not here" in analysed.message.words.text())
    assert len(asked) == 1


def test_the_process_explains_a_tile_of_a_slide_as_the_engine_does(tmp_path: Path) -> None:
    path = tmp_path / "drawn.svs"
    write_svs(path, draw_slide(1536, 1024, tissue=[(0.1, 0.1, 0.9, 0.9)]))
    box = (400, 300, 448, 448)
    question = Question(path, box, DEFAULT_MODEL, "occlusion", None, "auto")
    (visit,) = ExplainJob(question).events()
    assert isinstance(visit, Explanation)
    here = explain(path, box, model=DEFAULT_MODEL)
    assert visit.box == box
    assert visit.class_index == here.class_index
    assert np.array_equal(visit.cells, here.cells)
    (visit,) = ExplainJob(replace(question, path=tmp_path / "gone.svs")).events()
    assert isinstance(visit, Failure)
    assert "gone.svs" in visit.message


def test_the_process_explains_a_slice_of_a_series(tmp_path: Path) -> None:
    pytest.importorskip("pydicom", reason="CT series need the extra dicom")
    from tests.ct_slices import write_series

    write_series(tmp_path / "series", 3, 2.5)
    first = min((tmp_path / "series").iterdir())
    (case,) = engine.find_cases([tmp_path / "series"])
    assert len(case.files[0].parts) == 3
    with ViewedImage(first, None, 1) as image:
        side = image.info.series.side_px
    second = (side, 0, side, side)
    question = Question(first, second, "lung-ct", "occlusion", None, "auto")
    (visit,) = ExplainJob(question).events()
    assert isinstance(visit, Explanation)
    assert visit.box == second
    assert np.isfinite(visit.cells).all()
    assert visit.cells.any()
