"""Reviewing in the window, through its front door."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from pypdf import PdfReader
from PyQt6.QtCore import QEvent, QPoint, QPointF, Qt
from PyQt6.QtGui import QMouseEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication, QFileDialog, QMessageBox
from pytestqt.qtbot import QtBot

from lungscan.errors import UsageProblem
from lungscan.layout import REVIEW
from lungscan.model.checked import read_card
from lungscan.results.review_json import Verdict, read_review
from lungscan.review.again import answer_again
from lungscan.verification.verify import State, verify
from lungscan_cli.main import main
from lungscan_gui import engine
from lungscan_gui.review.outline import simplified
from lungscan_gui.settings import Settings
from lungscan_gui.window import MainWindow
from tests.drawing import draw_slide, write_svs
from tests.gui.fixtures import Jobs

Wait = Callable[[Callable[[], bool]], None]
Answer = QMessageBox.StandardButton

pytestmark = pytest.mark.usefixtures("no_reader")


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slides") / "drawn.svs"
    write_svs(path, draw_slide(1536, 1024, tissue=[(0.1, 0.1, 0.9, 0.9)]))
    return path


@pytest.fixture
def reviewed(window: MainWindow, wait: Wait, slide: Path, quick: Jobs) -> MainWindow:
    """The window with an answer to review. At its end nothing is asked."""
    window.add_paths([slide])
    wait(lambda: window.viewer.picture is not None)
    window.analyse()
    wait(lambda: not window.analysis.running)
    return window


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked; answered with Discard unless a test says otherwise."""
    texts: list[str] = []

    def question(*words: object) -> Answer:
        texts.append(str(words[2]))
        return Answer.Discard

    monkeypatch.setattr(QMessageBox, "question", question)
    return texts


def folder(window: MainWindow) -> Path:
    case = window.queue.current
    return case.out / "cases" / case.result.key


def press(qtbot: QtBot, window: MainWindow, key: Qt.Key, *, ctrl: bool = False) -> None:
    window.activateWindow()
    modifier = Qt.KeyboardModifier.ControlModifier if ctrl else Qt.KeyboardModifier.NoModifier
    qtbot.keyClick(window.viewer, key, modifier)


def saved(window: MainWindow, wait: Wait) -> None:
    window.save_review()
    wait(lambda: not window.reviewing.unsaved)


def click(window: MainWindow, x: float, y: float) -> None:
    """A click on a position of level 0."""
    at = QPoint(*(round(value) for value in window.viewer.camera.to_screen(x, y)))
    QTest.mouseClick(window.viewer, Qt.MouseButton.LeftButton, pos=at)


def draw(window: MainWindow, *corners: tuple[float, float]) -> None:
    """A region, the last corner by a double click."""
    window.leave_out_region()
    for corner in corners[:-1]:
        click(window, *corner)
    click(window, *corners[-1])
    at = QPoint(*(round(value) for value in window.viewer.camera.to_screen(*corners[-1])))
    QTest.mouseDClick(window.viewer, Qt.MouseButton.LeftButton, pos=at)


LEFT_HALF = ((-40.0, -40.0), (768.0, -40.0), (768.0, 1100.0), (-40.0, 1100.0))


def test_agree_disagree_with_the_class_held_right_and_undo(
    qtbot: QtBot, reviewed: MainWindow, wait: Wait
) -> None:
    panel, reviewing = reviewed.result.review, reviewed.reviewing
    assert panel.isVisible()
    assert not reviewing.sheet.unsaved
    press(qtbot, reviewed, Qt.Key.Key_A)
    assert panel.verdicts[Verdict.AGREE].isChecked()
    assert not panel.right.isVisible()
    press(qtbot, reviewed, Qt.Key.Key_D)
    assert panel.verdicts[Verdict.DISAGREE].isChecked()
    assert [panel.right.itemText(row) for row in range(panel.right.count())] == [
        "None of these, or not sure", "Benign lung", "Squamous cell carcinoma",
    ]  # fmt: skip
    panel.right.setCurrentIndex(2)
    panel.right.activated.emit(2)
    qtbot.keyClicks(panel.comment, "keratin")
    assert reviewing.sheet.history.now.right_class == "squamous"
    press(qtbot, reviewed, Qt.Key.Key_Z, ctrl=True)  # the whole word, then the class, the verdict
    assert panel.comment.toPlainText() == ""
    press(qtbot, reviewed, Qt.Key.Key_Z, ctrl=True)
    assert reviewing.sheet.history.now.right_class == ""
    press(qtbot, reviewed, Qt.Key.Key_Z, ctrl=True)
    assert panel.verdicts[Verdict.AGREE].isChecked()
    press(qtbot, reviewed, Qt.Key.Key_Z, ctrl=True)
    assert not any(button.isChecked() for button in panel.verdicts.values())
    assert not reviewing.sheet.history.can_undo
    for _ in range(4):
        press(qtbot, reviewed, Qt.Key.Key_Y, ctrl=True)
    assert panel.comment.toPlainText() == "keratin"
    assert panel.right.currentData() == "squamous"
    press(qtbot, reviewed, Qt.Key.Key_X)
    assert reviewing.sheet.history.now.verdict is Verdict.NOT_ASSESSABLE
    assert reviewing.sheet.history.now.right_class == ""  # belongs to a disagreement


@pytest.mark.usefixtures("with_reports")
def test_a_saved_review_lies_beside_the_result_and_in_its_report(
    qtbot: QtBot, reviewed: MainWindow, wait: Wait, model: Path
) -> None:
    record = (folder(reviewed) / "case.json").read_bytes()
    reviewed.next_tile()
    reviewed.next_tile()
    reviewed.disagree()
    panel = reviewed.result.review
    panel.right.setCurrentIndex(panel.right.findData("squamous"))
    panel.right.activated.emit(panel.right.currentIndex())
    qtbot.keyClicks(panel.comment, "keratin pearls")
    qtbot.keyClicks(panel.reviewer, "Dr. A. Example")
    press(qtbot, reviewed, Qt.Key.Key_S, ctrl=True)
    wait(lambda: not reviewed.reviewing.unsaved)
    assert (folder(reviewed) / "case.json").read_bytes() == record
    review = read_review(folder(reviewed))
    assert review.opinion.verdict is Verdict.DISAGREE
    assert (review.opinion.right_class, review.opinion.reviewer) == ("squamous", "Dr. A. Example")
    assert (review.seen, review.pictures) == ((0, 1), 9)
    pages = [page.extract_text() for page in PdfReader(folder(reviewed) / "report.pdf").pages]
    text = "\n".join(pages)
    assert "Disagrees; holds Squamous cell carcinoma right" in pages[0]
    assert "keratin pearls" in text
    assert "2 of 9 tiles" in text
    assert "Dr. A. Example" in text
    assert "Saved: Disagrees" in panel.state.text()
    out = reviewed.queue.current.out
    states = {check.state for check in verify(out, (), str(model))}
    assert states <= {State.SAME, State.NOT_CHECKED}


def test_a_region_left_out_gives_the_command_line_s_numbers_beside_the_first(
    qtbot: QtBot, reviewed: MainWindow, wait: Wait, model: Path, quick: Jobs
) -> None:
    asked_before = len(quick)
    result = reviewed.queue.current.result
    draw(reviewed, *LEFT_HALF)
    (region,) = reviewed.reviewing.sheet.history.now.regions
    assert len(region.points) == 4
    assert region.points[1] == pytest.approx((768, -40), abs=3)
    wait(lambda: reviewed.reviewing.sheet.second is not None)
    again = answer_again(result, read_card(model), [region])
    assert again.counts.total < result.counts.total
    assert reviewed.reviewing.sheet.second.prediction == again.prediction
    table = reviewed.result.review.second
    assert table.isVisible()
    rows = {row[0]: row[1:] for row in table.texts}
    assert rows["Tiles used"] == [
        f"{counts.used} of {counts.total}" for counts in (result.counts, again.counts)
    ]
    assert rows["Tissue"] == [f"{engine.area(c.tissue_mm2)} mm²" for c in (result, again)]
    assert len(quick) == asked_before  # nothing was computed again
    assert reviewed.result.answer.answer.text() == "Adenocarcinoma"  # the first answer stays
    press(qtbot, reviewed, Qt.Key.Key_Z, ctrl=True)
    assert not table.isVisible()
    assert reviewed.reviewing.drawing.regions == ()
    reviewed.redo_review()
    wait(table.isVisible)
    saved(reviewed, wait)
    kept = read_review(folder(reviewed))
    assert kept.second.prediction == again.prediction
    assert kept.second.tiles_left_out == result.counts.total - again.counts.total
    assert kept.opinion.verdict is None  # nothing was said of the answer


def test_regions_are_drawn_by_keyboard_and_corners_taken_back(
    qtbot: QtBot, reviewed: MainWindow, wait: Wait
) -> None:
    drawing = reviewed.reviewing.drawing
    press(qtbot, reviewed, Qt.Key.Key_R)
    assert drawing.active
    assert reviewed.result.review.draw.isChecked()
    reviewed.viewer.magnify(40)
    press(qtbot, reviewed, Qt.Key.Key_Space)
    press(qtbot, reviewed, Qt.Key.Key_Right)
    press(qtbot, reviewed, Qt.Key.Key_Space)
    press(qtbot, reviewed, Qt.Key.Key_Return)  # two corners are no region
    assert drawing.active
    press(qtbot, reviewed, Qt.Key.Key_Down)
    press(qtbot, reviewed, Qt.Key.Key_Space)
    press(qtbot, reviewed, Qt.Key.Key_Left)
    press(qtbot, reviewed, Qt.Key.Key_Space)
    press(qtbot, reviewed, Qt.Key.Key_Backspace)
    assert len(drawing.corners) == 3
    press(qtbot, reviewed, Qt.Key.Key_Return)
    assert not drawing.active
    assert len(reviewed.reviewing.sheet.history.now.regions) == 1
    press(qtbot, reviewed, Qt.Key.Key_R)
    press(qtbot, reviewed, Qt.Key.Key_Space)
    press(qtbot, reviewed, Qt.Key.Key_Escape)  # gives the region up, cancels nothing else
    assert not drawing.active
    assert len(reviewed.reviewing.sheet.history.now.regions) == 1
    assert not reviewed.result.review.draw.isChecked()


def test_a_drag_pans_while_a_region_is_drawn_and_the_first_corner_closes_it(
    qtbot: QtBot, reviewed: MainWindow
) -> None:
    viewer, drawing = reviewed.viewer, reviewed.reviewing.drawing
    viewer.magnify(20)
    reviewed.leave_out_region()
    centre = viewer.camera.centre
    QTest.mousePress(viewer, Qt.MouseButton.LeftButton, pos=QPoint(200, 200))
    QTest.mouseMove(viewer, QPoint(150, 170))
    QTest.mouseRelease(viewer, Qt.MouseButton.LeftButton, pos=QPoint(150, 170))
    assert drawing.corners == []
    assert viewer.camera.centre != centre
    for at in ((100, 100), (200, 100), (200, 200), (102, 101)):
        QTest.mouseClick(viewer, Qt.MouseButton.LeftButton, pos=QPoint(*at))
    assert not drawing.active
    assert len(reviewed.reviewing.sheet.history.now.regions[0].points) == 3
    camera = viewer.camera
    qtbot.mouseDClick(viewer, Qt.MouseButton.LeftButton)  # a double click fits again
    assert viewer.camera != camera


def stroke(window: MainWindow, *points: tuple[int, int]) -> None:
    """Draw by hand: points of the screen, with steps between them."""
    viewer = window.viewer
    QTest.mousePress(viewer, Qt.MouseButton.LeftButton, pos=QPoint(*points[0]))
    for (x0, y0), (x1, y1) in pairwise(points):
        for step in range(1, 21):
            at = QPointF(x0 + (x1 - x0) * step / 20, y0 + (y1 - y0) * step / 20)
            event = QMouseEvent(
                QEvent.Type.MouseMove, at, viewer.mapToGlobal(at), Qt.MouseButton.NoButton,
                Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
            )  # fmt: skip
            QApplication.sendEvent(viewer, event)
    QTest.mouseRelease(viewer, Qt.MouseButton.LeftButton, pos=QPoint(*points[-1]))


def test_a_region_is_drawn_with_one_stroke_and_nothing_pans(
    qtbot: QtBot, reviewed: MainWindow, wait: Wait
) -> None:
    viewer, drawing = reviewed.viewer, reviewed.reviewing.drawing
    press(qtbot, reviewed, Qt.Key.Key_L)
    assert drawing.active
    assert reviewed.result.review.freehand.isChecked()
    assert not reviewed.result.review.draw.isChecked()
    before = viewer.camera
    QTest.mouseClick(viewer, Qt.MouseButton.LeftButton, pos=QPoint(50, 50))
    assert drawing.active  # a click is no region
    assert drawing.corners == []
    corners = [(40, 60), (240, 60), (240, 220), (40, 220)]
    stroke(reviewed, *corners, (41, 64))
    assert not drawing.active
    assert not reviewed.result.review.freehand.isChecked()
    assert viewer.camera == before
    (region,) = reviewed.reviewing.sheet.history.now.regions
    assert len(region.points) == 5  # straight lines need no more
    for drawn, at in zip(region.points, corners, strict=False):
        assert drawn == pytest.approx(before.to_image(*at), abs=4 / before.zoom)
    wait(lambda: reviewed.reviewing.sheet.second is not None)
    press(qtbot, reviewed, Qt.Key.Key_Z, ctrl=True)
    assert reviewed.reviewing.sheet.history.now.regions == ()
    press(qtbot, reviewed, Qt.Key.Key_L)
    press(qtbot, reviewed, Qt.Key.Key_R)  # by corners after all
    assert drawing.active
    assert not drawing.freehand
    press(qtbot, reviewed, Qt.Key.Key_L)
    press(qtbot, reviewed, Qt.Key.Key_Plus)  # the view still moves
    assert viewer.camera != before
    press(qtbot, reviewed, Qt.Key.Key_Escape)
    assert not drawing.active


@limits(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=3, max_size=60))
def test_a_simplified_line_is_never_farther_off_than_allowed(
    points: list[tuple[float, float]],
) -> None:
    kept = simplified(points, 2.0)
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert set(kept) <= set(points)
    starts, ends = np.array(kept[:-1]), np.array(kept[1:])
    along = ends - starts
    length = np.maximum((along**2).sum(1), 1e-300)
    for at in points:
        share = np.clip(((np.array(at) - starts) * along).sum(1) / length, 0, 1)
        nearest = starts + share[:, None] * along
        assert np.hypot(*(nearest - at).T).min() <= 2.0 + 1e-9


def test_a_reviewed_case_is_marked_in_the_list(
    qtbot: QtBot, reviewed: MainWindow, wait: Wait, settings: Settings
) -> None:
    case = reviewed.queue.current
    plain = reviewed.queue.view.grab().toImage()
    assert case.verdict is None
    reviewed.agree()
    assert case.verdict is None  # not saved yet
    saved(reviewed, wait)
    assert case.verdict is Verdict.AGREE
    index = reviewed.queue.model.index(0)
    texts = reviewed.queue.model.data(index, Qt.ItemDataRole.AccessibleTextRole)
    assert texts == "drawn: Adenocarcinoma · reviewed: agrees"
    assert reviewed.queue.view.grab().toImage() != plain
    later = MainWindow(settings)
    qtbot.addWidget(later)
    later.add_paths([case.out])
    wait(lambda: bool(later.queue.model.cases))
    assert later.queue.model.cases[0].verdict is Verdict.AGREE
    later.close()
    reviewed.analyse()  # the same answer keeps its review
    wait(lambda: not reviewed.analysis.running)
    assert case.verdict is Verdict.AGREE


def test_earlier_reviews_open_with_their_results(
    qtbot: QtBot, reviewed: MainWindow, wait: Wait, settings: Settings
) -> None:
    reviewed.agree()
    draw(reviewed, *LEFT_HALF)
    reviewed.result.review.reviewer.setText("First")
    reviewed.result.review.reviewer.textEdited.emit("First")
    reviewed.next_tile()
    saved(reviewed, wait)
    later = MainWindow(settings)
    qtbot.addWidget(later)
    later.show()
    later.add_paths([reviewed.queue.current.out])
    wait(lambda: later.reviewing.sheet is not None)
    sheet = later.reviewing.sheet
    assert sheet.history.now == reviewed.reviewing.sheet.history.now
    assert not sheet.unsaved
    assert later.evidence.counter.text().startswith("Evidence: looked at 1 of 9")
    assert later.result.review.second.isVisible()
    later.disagree()
    panel = later.result.review
    panel.reviewer.setText("Second")
    panel.reviewer.textEdited.emit("Second")
    saved(later, wait)
    kept = read_review(folder(later))
    assert kept.opinion.reviewer == "Second"
    assert [(one.reviewer, one.verdict) for one in kept.earlier] == [("First", Verdict.AGREE)]
    later.close()


def test_a_saved_region_can_count_again_and_a_word_saved_elsewhere_is_kept(
    qtbot: QtBot, reviewed: MainWindow, wait: Wait, settings: Settings
) -> None:
    draw(reviewed, *LEFT_HALF)
    saved(reviewed, wait)
    later = MainWindow(settings)
    qtbot.addWidget(later)
    later.show()
    later.add_paths([reviewed.queue.current.out])
    wait(lambda: later.reviewing.sheet is not None)
    assert not later.reviewing.sheet.history.can_undo
    later.remove_region()
    assert later.reviewing.drawing.regions == ()
    assert not later.result.review.remove.isVisible()
    later.undo_review()
    assert len(later.reviewing.drawing.regions) == 1
    later.redo_review()
    later.disagree()
    later.result.review.reviewer.textEdited.emit("Second")
    saved(later, wait)
    later.close()
    assert read_review(folder(reviewed)).regions == ()
    reviewed.agree()  # this window knows nothing of it
    saved(reviewed, wait)
    kept = read_review(folder(reviewed))
    assert kept.opinion.verdict is Verdict.AGREE
    assert [one.verdict for one in kept.earlier] == [Verdict.DISAGREE]


def test_an_unsaved_review_is_asked_about_on_close(
    reviewed: MainWindow, wait: Wait, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reviewed.next_tile()  # to look is nothing to lose
    assert reviewed.reviewing.may_close()
    assert not asked
    reviewed.agree()
    answers = [Answer.Cancel, Answer.Save]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answers.pop(0))
    reviewed.close()
    assert reviewed.isVisible()
    assert not (folder(reviewed) / REVIEW).exists()
    reviewed.close()
    assert not reviewed.isVisible()
    assert read_review(folder(reviewed)).opinion.verdict is Verdict.AGREE
    assert reviewed.close()  # and nothing more is asked


def test_a_review_that_cannot_be_saved_costs_a_message_and_stays(
    reviewed: MainWindow, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = folder(reviewed) / "case.json"
    record.write_bytes(record.read_bytes().replace(b'"device":"', b'"device":"x'))
    reviewed.agree()
    reviewed.save_review()
    wait(lambda: "were changed since" in reviewed.message.words.text())
    assert reviewed.reviewing.unsaved
    monkeypatch.setattr(QMessageBox, "question", lambda *_: Answer.Save)
    reviewed.close()
    assert reviewed.isVisible()  # it would be lost
    monkeypatch.setattr(QMessageBox, "question", lambda *_: Answer.Discard)


@pytest.mark.usefixtures("with_reports")
def test_a_review_can_be_saved_again_where_its_report_was_open_elsewhere(
    reviewed: MainWindow, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows; the message asks for just that."""
    panel, honest = reviewed.result.review, Path.replace
    report = folder(reviewed) / "report.pdf"
    before = report.read_bytes()

    def replace_unless_open(path: Path, to: Path) -> Path:
        if to.name == report.name:
            raise PermissionError(13, "another program has it open")
        return honest(path, to)

    reviewed.agree()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace_unless_open)
        saved(reviewed, wait)
    wait(lambda: "save the review again" in reviewed.message.words.text())
    stored = read_review(folder(reviewed))
    assert report.read_bytes() == before
    assert panel.save.isEnabled()
    reviewed.save_review()
    wait(lambda: not panel.save.isEnabled())
    assert report.read_bytes() != before
    assert read_review(folder(reviewed)) == stored


@pytest.mark.usefixtures("with_reports")
def test_an_exported_report_says_what_was_looked_at_and_saves_the_review(
    reviewed: MainWindow, wait: Wait, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "filed.pdf"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    for _ in range(3):
        reviewed.next_tile()
    reviewed.export_report()
    wait(lambda: "is written" in reviewed.message.words.text())
    text = "\n".join(page.extract_text() for page in PdfReader(target).pages)
    assert "Evidence looked at: 3 of 9 tiles" in text
    assert "Not assessable" in text  # the block to fill in by hand
    assert not (folder(reviewed) / REVIEW).exists()
    reviewed.agree()
    reviewed.message.hide()
    reviewed.message.words.clear()
    reviewed.export_report()
    wait(lambda: "is written" in reviewed.message.words.text())
    wait(lambda: not reviewed.reviewing.unsaved)
    assert "Agrees" in PdfReader(target).pages[0].extract_text()
    assert target.read_bytes() == (folder(reviewed) / "report.pdf").read_bytes()


def test_a_report_has_the_review_of_the_case_for_which_it_was_asked(
    reviewed: MainWindow, wait: Wait, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_svs(tmp_path / "other.svs", draw_slide(1536, 1024, tissue=[(0.2, 0.2, 0.8, 0.8)]))
    reviewed.add_paths([tmp_path / "other.svs"])
    wait(lambda: len(reviewed.queue.model.cases) == 2)
    reviewed.analyse()
    wait(lambda: not reviewed.analysis.running)
    reviewed.reviewing.panel.comment.setPlainText("of the other one")
    reviewed.agree()
    saved(reviewed, wait)
    reviewed.queue.choose(0)
    reviewed.disagree()
    target = tmp_path / "filed.pdf"

    def meanwhile(*_: object) -> tuple[str, str]:
        reviewed.queue.choose(1)  # as when a search ends that puts a case into the list
        return str(target), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", meanwhile)
    reviewed.export_report()
    wait(lambda: "is written" in reviewed.message.words.text())
    text = "\n".join(page.extract_text() for page in PdfReader(target).pages)
    assert "Disagrees" in text
    assert "of the other one" not in text
    first, other = reviewed.queue.model.cases
    kept = read_review(first.out / "cases" / first.result.key)
    assert kept.opinion.verdict is Verdict.DISAGREE
    with pytest.raises(UsageProblem, match="another answer"):
        engine.report_of(other.result, engine.Beside(kept))


def test_all_reviews_are_one_table_from_window_and_shell(
    reviewed: MainWindow, wait: Wait, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviewed.agree()
    saved(reviewed, wait)
    root, target = reviewed.settings.results, tmp_path / "all.csv"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(root))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    reviewed.export_reviews()
    wait(lambda: "1 reviews are in" in reviewed.message.words.text())
    assert "Agreement with tiny 1.0: 100.0 % (20.7 to 100.0 %)" in reviewed.message.words.text()
    assert main(["reviews", str(root), "--out", str(tmp_path / "shell.csv"), "-q"]) == 0
    assert target.read_bytes() == (tmp_path / "shell.csv").read_bytes()
    (row,) = csv.DictReader(io.StringIO(target.read_text(encoding="utf-8")))
    assert (row["answer"], row["verdict"], row["held_right"]) == ("adeno", "agree", "adeno")
    assert (row["agrees"], row["model_agreement"], row["agreement_low"]) == (
        "1",
        "1.0000",
        "0.2065",
    )


def test_a_case_without_an_answer_cannot_be_reviewed(
    qtbot: QtBot, window: MainWindow, wait: Wait, slide: Path
) -> None:
    window.add_paths([slide])
    wait(lambda: window.viewer.picture is not None)
    assert not window.result.review.isVisible()
    for act in (window.agree, window.leave_out_region, window.undo_review, window.save_review):
        act()
    assert not window.reviewing.drawing.active
    assert not window.reviewing.unsaved
