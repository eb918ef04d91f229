"""The window through its front door, with a fake network in the place of the model."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PyQt6.QtGui import QDropEvent, QWheelEvent
from PyQt6.QtWidgets import QApplication, QFileDialog, QLabel
from pytestqt.qtbot import QtBot

from lungscan.options import ScanOptions
from lungscan_gui import engine
from lungscan_gui.cases import CaseState
from lungscan_gui.scanning.runner import Job
from lungscan_gui.settings import Settings
from lungscan_gui.window import MainWindow
from tests.drawing import draw_he, draw_slide, write_generic_tiff, write_svs
from tests.gui.fixtures import Jobs
from tests.models import FakeRuntime

Wait = Callable[[Callable[[], bool]], None]
REPORTS = {
    ".pdf": "report.pdf",
    ".csv": "tiles.csv",
    ".geojson": "tiles.geojson",
    ".png": "heatmap.png",
}

pytestmark = pytest.mark.usefixtures("no_reader")


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn slide of 0.5 µm per pixel."""
    path = tmp_path_factory.mktemp("slides") / "drawn.svs"
    write_svs(path, draw_slide(1536, 1024, tissue=[(0.1, 0.1, 0.9, 0.9)]))
    return path


def opened(window: MainWindow, wait: Wait, path: Path) -> None:
    window.add_paths([path])
    wait(lambda: window.viewer.picture is not None)


def analysed(window: MainWindow, wait: Wait) -> None:
    window.analyse()
    wait(lambda: not window.analysis.running)


def reopened(qtbot: QtBot, settings: Settings, path: Path) -> MainWindow:
    """A window of another day, into which ``path`` is dropped."""
    later = MainWindow(settings)
    qtbot.addWidget(later)
    later.show()
    later.add_paths([path])
    return later


def key(qtbot: QtBot, window: MainWindow, key: Qt.Key, **kwargs: Qt.KeyboardModifier) -> None:
    window.activateWindow()
    qtbot.keyClick(window.viewer, key, kwargs.get("modifier", Qt.KeyboardModifier.NoModifier))


def test_a_slide_is_seen_whole_with_its_scale_and_position(
    window: MainWindow, wait: Wait, slide: Path
) -> None:
    opened(window, wait, slide)
    camera = window.viewer.camera
    assert camera is not None
    assert camera.image == (1536, 1024)
    assert window.viewer.um_per_px == pytest.approx(0.5, abs=0.01)
    window.viewer.pointed.emit(100.0, 200.0)
    assert window.readout.text().startswith("x 100  y 200 px  (")
    assert "drawn" in window.viewer.accessibleDescription()


def test_wheel_and_keys_move_the_view(
    qtbot: QtBot, window: MainWindow, wait: Wait, slide: Path
) -> None:
    opened(window, wait, slide)
    viewer = window.viewer
    fit = viewer.camera
    assert fit is not None
    at = QPointF(viewer.width() / 3, viewer.height() / 2)
    before = fit.to_image(at.x(), at.y())
    wheel = QWheelEvent(
        at, viewer.mapToGlobal(at), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(viewer, wheel)
    assert viewer.camera.zoom > fit.zoom
    assert viewer.camera.to_image(at.x(), at.y()) == pytest.approx(before)
    key(qtbot, window, Qt.Key.Key_5)
    assert viewer.power == pytest.approx(40, rel=0.01)
    centre = viewer.camera.centre
    key(qtbot, window, Qt.Key.Key_Right)
    assert viewer.camera.centre[0] > centre[0]
    key(qtbot, window, Qt.Key.Key_F)
    assert viewer.camera == fit


def test_tiles_come_and_the_view_is_sharp(window: MainWindow, wait: Wait, slide: Path) -> None:
    opened(window, wait, slide)
    window.viewer.magnify(40)
    viewer = window.viewer
    wait(lambda: viewer.picture.is_sharp(viewer.camera, viewer.devicePixelRatioF()))
    assert len(viewer.picture.cache) > 0


def test_the_overview_jumps(qtbot: QtBot, window: MainWindow, wait: Wait, slide: Path) -> None:
    opened(window, wait, slide)
    assert not window.minimap.isVisible()  # all is seen
    window.viewer.magnify(40)
    assert window.minimap.isVisible()
    corner = QPoint(window.minimap.width() - 1, 1)
    qtbot.mouseClick(window.minimap, Qt.MouseButton.LeftButton, pos=corner)
    x, y = window.viewer.camera.centre
    assert x > 1500
    assert y < 30


def test_the_map_fills_live_and_the_answer_comes(
    qtbot: QtBot, window: MainWindow, wait: Wait, slide: Path, quick: Jobs
) -> None:
    opened(window, wait, slide)
    seen: list[int] = []
    window.analysis.runner.mapped.connect(lambda case, _file, _rows: seen.append(case.done))
    key(qtbot, window, Qt.Key.Key_Return, modifier=Qt.KeyboardModifier.ControlModifier)
    assert window.analysis.running
    wait(lambda: not window.analysis.running)
    case = window.queue.current
    assert seen
    assert seen == sorted(seen)
    assert case.state is CaseState.FINISHED
    assert window.result.answer.answer.text() == "Adenocarcinoma"
    assert window.result.answer.number.text() == "0.90"
    assert window.display.overlay is not None
    rows = [label.text() for label in window.result.classes.switches]
    assert rows == ["Adenocarcinoma", "Benign lung", "Squamous cell carcinoma"]
    texts = [label.text() for label in window.statusBar().findChildren(QLabel)]
    assert "RESEARCH USE ONLY. Not for use in diagnostic procedures." in texts


@pytest.mark.usefixtures("with_reports")
def test_the_folder_is_the_one_that_the_command_line_writes(
    window: MainWindow, wait: Wait, slide: Path, quick: Jobs, tmp_path: Path
) -> None:
    from dataclasses import replace

    from lungscan.scanning.scan import scan

    opened(window, wait, slide)
    analysed(window, wait)
    out = window.queue.current.out
    assert out is not None
    twin = tmp_path / "command-line"
    list(scan(replace(quick[0].options, out=twin)))
    ours = {p.relative_to(out): p for p in out.rglob("*") if p.is_file()}
    theirs = {p.relative_to(twin) for p in twin.rglob("*") if p.is_file()}
    assert set(ours) == theirs
    for name in ("tiles.csv", "tiles.geojson", "heatmap.png"):
        (made,) = [path for path in ours if path.name == name]
        assert ours[made].read_bytes() == (twin / made).read_bytes(), name


def test_cancel_keeps_what_is_done_and_goes_on_from_there(
    qtbot: QtBot, window: MainWindow, wait: Wait, slide: Path, quick: Jobs, fake: FakeRuntime
) -> None:
    opened(window, wait, slide)
    window.options.overlap.setValue(0.5)
    window.analyse()
    wait(lambda: bool(quick))
    quick[0].let_on.clear()
    case = window.queue.current
    wait(lambda: case.done > 0)
    key(qtbot, window, Qt.Key.Key_Escape)
    wait(lambda: not window.analysis.running)
    assert case.state is CaseState.STOPPED
    assert case.done < case.total
    assert window.run.start.text() == "Go on"
    journals = list(window.settings.results.rglob(".tiles-0.journal"))
    assert len(journals) == 1
    scored: list[int] = []
    window.analysis.runner.mapped.connect(lambda case, _file, _rows: scored.append(case.done))
    before = fake.tiles
    window.analyse()
    wait(lambda: not window.analysis.running)
    assert case.state is CaseState.FINISHED
    assert fake.tiles - before == case.total - scored[0] < case.total


def test_a_slide_without_a_scale_is_asked_about_in_plain_words(
    window: MainWindow, wait: Wait, quick: Jobs, tmp_path: Path
) -> None:
    path = tmp_path / "bare.svs"
    write_svs(path, draw_slide(1536, 1024, tissue=[(0.1, 0.1, 0.9, 0.9)]), mpp=None, power=None)
    opened(window, wait, path)
    assert window.viewer.um_per_px is None
    assert not window.viewbar.powers[20].isEnabled()
    case = window.queue.current
    assert window.result.question.isVisible()  # before anything is asked for
    window.analyse()
    assert not quick
    assert "with which objective" in window.message.words.text()
    window.analyse_all()  # a list is not held up by questions
    wait(lambda: not window.analysis.running)
    assert case.result.error_code == "E_NO_MPP"
    assert window.result.question.isVisible()
    window.result.question.answered.emit(0.5)  # the button "20x"
    wait(lambda: not window.analysis.running)
    assert case.result.prediction is not None
    assert not window.result.question.isVisible()
    wait(lambda: window.viewer.um_per_px == 0.5)


def test_twenty_cases_with_three_broken_ones(
    window: MainWindow, wait: Wait, quick: Jobs, tmp_path: Path
) -> None:
    from PIL import Image

    folder = tmp_path / "fields"
    folder.mkdir()
    for number in range(17):
        Image.fromarray(draw_he(96, 96, number)).save(folder / f"field-{number:02}.png")
    for number in range(3):
        (folder / f"broken-{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    window.add_paths([folder])
    wait(lambda: len(window.queue.model.cases) == 20)
    window.analyse_all()
    wait(lambda: not window.analysis.running)
    cases = window.queue.model.cases
    assert sum(case.failed for case in cases) == 3
    assert all(case.state is CaseState.FINISHED for case in cases)
    assert len(quick) == 1  # one run, one folder
    row = next(row for row, case in enumerate(cases) if case.failed)
    window.queue.choose(row)
    assert window.result.answer.answer.text() == "Failed"
    assert "save it as" in window.result.answer.why.text()
    assert not window.result.answer.unspoken.text(), "the message has an advice of its own"
    assert window.queue.buttons["retry"].isVisible()
    for case in cases:
        if case.failed:
            Image.fromarray(draw_he(96, 96, 40)).save(case.path)
    window.retry_failed()
    wait(lambda: not window.analysis.running)
    assert not any(case.failed for case in cases)


def test_results_of_a_dropped_folder_bear_the_names_of_the_list(
    window: MainWindow, wait: Wait, quick: Jobs, tmp_path: Path
) -> None:
    from PIL import Image

    study = tmp_path / "study"
    for number, patient in enumerate(("P01", "P02")):
        (study / patient).mkdir(parents=True)
        Image.fromarray(draw_he(96, 96, number)).save(study / patient / "field.png")
    window.add_paths([study])
    wait(lambda: len(window.queue.model.cases) == 2)
    names = [case.name for case in window.queue.model.cases]
    assert names == ["study/P01/field.png", "study/P02/field.png"]
    window.analyse_all()
    wait(lambda: not window.analysis.running)
    cases = window.queue.model.cases
    assert [case.result.case_id for case in cases] == names
    assert [case.result.relative_paths for case in cases] == [(name,) for name in names]
    keys = {case.key for case in engine.find_cases([study])}  # of the command line on the folder
    assert {case.result.key for case in cases} == keys
    window.queue.choose(1)
    window.analyse()  # again, and alone
    wait(lambda: not window.analysis.running)
    assert cases[1].result.case_id == names[1]


def test_cases_can_be_moved_and_removed_but_not_while_they_run(
    window: MainWindow, wait: Wait, quick: Jobs, tmp_path: Path, slide: Path
) -> None:
    for name in ("a.svs", "b.svs", "c.svs"):
        shutil.copyfile(slide, tmp_path / name)
    window.add_paths([tmp_path / name for name in ("a.svs", "b.svs", "c.svs")])
    wait(lambda: len(window.queue.model.cases) == 3)
    names = lambda: [case.name for case in window.queue.model.cases]  # noqa: E731
    window.queue.choose(2)
    window.move_up()
    assert names() == ["a", "c", "b"]
    window.queue.choose(0)
    window.remove_case()
    assert names() == ["c", "b"]
    assert (tmp_path / "a.svs").exists()
    window.analyse()
    wait(lambda: window.queue.current.state is CaseState.RUNNING)
    window.remove_case()
    assert len(names()) == 2
    wait(lambda: not window.analysis.running)


def test_a_case_removed_while_it_waits_is_not_analysed_and_one_of_the_run_stays(
    window: MainWindow, wait: Wait, quick: Jobs, tmp_path: Path
) -> None:
    from PIL import Image

    def field(name: str) -> Path:
        Image.fromarray(draw_he(96, 96, len(name))).save(tmp_path / name)
        return tmp_path / name

    make, hold = window.analysis.runner.make_job, threading.Event()

    def held(options: ScanOptions) -> Job:
        hold.wait(30)
        return make(options)

    window.analysis.runner.make_job = held
    window.add_paths([field("first.png"), field("second.png")])
    wait(lambda: len(window.queue.model.cases) == 2)
    window.analyse_all()  # this run has begun
    window.add_paths([field("third one.png"), field("the fourth.png")])
    wait(lambda: len(window.queue.model.cases) == 4)
    window.analyse_all()  # and this one waits
    window.queue.choose(2)
    window.remove_case()
    window.queue.choose(1)
    window.remove_case()
    assert "second belongs to the run in progress" in window.message.words.text()
    names = [case.name for case in window.queue.model.cases]
    assert names == ["first", "second", "the fourth"]
    hold.set()
    wait(lambda: not window.analysis.running)
    asked = [[path.name for path in job.options.paths] for job in quick]
    assert asked == [["first.png", "second.png"], ["the fourth.png"]]
    alone = window.queue.model.cases[2]
    assert alone.out == engine.results_folder(window.settings.results, quick[1].options)
    assert all(case.result is not None for case in window.queue.model.cases)


def test_what_waits_runs_in_the_order_of_the_list(
    window: MainWindow, wait: Wait, quick: Jobs, tmp_path: Path, slide: Path
) -> None:
    names = ("a.svs", "b.svs", "c.svs")
    for name in names:
        shutil.copyfile(slide, tmp_path / name)
    window.add_paths([tmp_path / name for name in names])
    wait(lambda: len(window.queue.model.cases) == 3)
    for row in range(3):
        window.queue.choose(row)
        window.analyse()
    window.move_up()  # c before b; a runs already
    wait(lambda: not window.analysis.running)
    assert [job.options.paths[0].name for job in quick] == ["a.svs", "c.svs", "b.svs"]


def test_a_finished_folder_opens_without_computing_and_shows_its_picture(
    qtbot: QtBot, window: MainWindow, wait: Wait, quick: Jobs, slide: Path, settings: Settings,
    tmp_path: Path,
) -> None:  # fmt: skip
    opened(window, wait, slide)
    analysed(window, wait)
    out = window.queue.current.out
    later = reopened(qtbot, settings, out)
    wait(lambda: later.viewer.picture is not None)
    case = later.queue.current
    assert case.state is CaseState.FINISHED
    assert later.result.answer.answer.text() == "Adenocarcinoma"
    assert later.viewer.picture.loader is None  # of the result's own overview
    assert "was not found" in later.message.words.text()
    later.add_paths([slide])  # drop the slide: it is looked at closely
    wait(lambda: later.viewer.picture is not None and later.viewer.picture.loader is not None)
    assert len(later.queue.model.cases) == 1
    assert later.display.overlay is not None
    later.close()


def test_files_can_be_dropped(window: MainWindow, wait: Wait, slide: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(slide))])
    event = QDropEvent(
        QPointF(50, 50), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    window.dropEvent(event)
    wait(lambda: window.viewer.picture is not None)
    assert window.queue.current.path == slide
    assert window.settings.recent == [slide]


def test_what_cannot_be_opened_costs_a_message(
    window: MainWindow, wait: Wait, tmp_path: Path, slide: Path
) -> None:
    bad = tmp_path / "bad.svs"
    bad.write_bytes(b"II*\0 this is no slide")
    window.add_paths([bad])
    wait(lambda: "bad.svs" in window.message.words.text())
    assert window.viewer.picture is None
    window.add_paths([tmp_path / "nowhere.svs"])
    wait(lambda: "nowhere.svs" in window.message.words.text())
    opened(window, wait, slide)  # and all else goes on


def test_a_model_that_is_gone_is_reported(
    window: MainWindow, wait: Wait, quick: Jobs, slide: Path, tmp_path: Path
) -> None:
    opened(window, wait, slide)
    window.options.boxes["model"].addItem(str(tmp_path / "gone"))
    window.options.boxes["model"].setCurrentText(str(tmp_path / "gone"))
    analysed(window, wait)
    assert "There is no model" in window.message.words.text()
    assert window.queue.current.state is CaseState.STOPPED
    assert window.queue.current.failed


def test_evidence_is_stepped_through_and_counted(
    qtbot: QtBot, window: MainWindow, wait: Wait, quick: Jobs, slide: Path
) -> None:
    opened(window, wait, slide)
    analysed(window, wait)
    pictures = window.evidence.pictures
    assert len(pictures) == 9
    key(qtbot, window, Qt.Key.Key_N)
    assert window.viewer.power == pytest.approx(20, rel=0.01)
    x, y, width, height = pictures[0].box
    assert window.viewer.camera.centre == pytest.approx((x + width / 2, y + height / 2))
    key(qtbot, window, Qt.Key.Key_N)
    key(qtbot, window, Qt.Key.Key_P)
    assert window.evidence.list.currentRow() == 0
    assert window.evidence.counter.text().startswith("Evidence: looked at 2 of 9 tiles")


def test_the_map_can_be_hidden_thinned_and_switched_without_a_change_of_the_answer(
    qtbot: QtBot, window: MainWindow, wait: Wait, quick: Jobs, slide: Path
) -> None:
    opened(window, wait, slide)
    analysed(window, wait)
    result = window.queue.current.result
    overlay = window.display.overlay
    key(qtbot, window, Qt.Key.Key_H)
    assert not overlay.look.visible
    key(qtbot, window, Qt.Key.Key_H)
    window.result.map.threshold.setValue(95)
    assert window.result.map.number.text() == "0.95"
    assert (overlay.tiles.shown_classes(overlay.look) == -1).all()
    window.result.map.threshold.setValue(0)
    window.result.classes.switches[0].setChecked(False)
    assert overlay.look.shown == (False, True, True)
    assert window.queue.current.result is result
    assert "not the answer" in window.result.map.note.text()


@pytest.mark.usefixtures("with_reports")
def test_reports_are_exported_with_the_bytes_of_the_run(
    window: MainWindow, wait: Wait, quick: Jobs, slide: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    opened(window, wait, slide)
    analysed(window, wait)
    case = window.queue.current
    kept = case.out / "cases" / case.result.key
    files = dict(REPORTS)
    for export in engine.exports(case.result):
        export.write(tmp_path / f"it{export.suffix}")
        made = (tmp_path / f"it{export.suffix}").read_bytes()
        assert made == (kept / files.pop(export.suffix)).read_bytes()
    assert not files
    target = tmp_path / "filed.pdf"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    window.export_report()
    wait(lambda: "is written" in window.message.words.text())
    assert target.read_bytes() == (kept / "report.pdf").read_bytes()
    honest = Path.replace

    def replace_unless_open(path: Path, to: Path) -> Path:
        if to == target:
            raise PermissionError(13, "Windows: another program has it open")
        return honest(path, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace_unless_open)
        window.export_report()
        wait(lambda: "the new one is filed (1).pdf" in window.message.words.text())
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("/proc/no/filed.pdf", ""))
    window.export_report()
    wait(lambda: "could not be written" in window.message.words.text())


def test_the_picture_is_copied(window: MainWindow, wait: Wait, slide: Path) -> None:
    opened(window, wait, slide)
    window.copy_picture()
    assert QApplication.clipboard().pixmap().width() >= window.viewer.width()


def test_every_action_has_words_and_the_keys_are_on_one_page(window: MainWindow) -> None:
    from lungscan_gui.actions import COMMANDS, keys_html

    keys = [name for command in COMMANDS for name in command.keys]
    assert len(keys) == len(set(keys))
    page = keys_html()
    for command in COMMANDS:
        assert command.keys == () or command.text in page
        assert callable(getattr(window, command.name))
    window.show_keys()
    window.show_card()
    assert window.message.words.text() == ""


def test_options_have_the_engine_s_names_and_only_differences_are_kept(
    qtbot: QtBot, window: MainWindow, settings: Settings, tmp_path: Path
) -> None:
    from lungscan.options import ScanOptions

    plain = window.options.options((tmp_path,), tmp_path, None)
    assert plain == ScanOptions((tmp_path,), tmp_path)
    window.options.boxes["rule"].setCurrentText("mean")
    window.options.overlap.setValue(0.25)
    settings.flush()
    text = (tmp_path / "settings.ini").read_text()
    assert "rule=mean" in text
    assert "abstain" not in text
    other = MainWindow(Settings(tmp_path / "settings.ini"))
    qtbot.addWidget(other)
    assert other.options.options((tmp_path,), tmp_path, None).rule == "mean"
    other.options.restore()
    assert other.options.options((tmp_path,), tmp_path, None) == plain
    settings.flush()
    other.close()


def test_a_plain_tiff_without_a_scale_shows_scale_unknown(
    window: MainWindow, wait: Wait, tmp_path: Path
) -> None:
    from lungscan_gui.viewer.scale import scale_text

    path = tmp_path / "plain.tif"
    write_generic_tiff(path, draw_slide(2048, 1024))
    opened(window, wait, path)
    assert scale_text(window.viewer.camera, window.viewer.um_per_px) == "Scale unknown"


def test_what_was_opened_lately_is_in_a_menu(window: MainWindow, wait: Wait, slide: Path) -> None:
    opened(window, wait, slide)
    window.recent.aboutToShow.emit()
    (action,) = window.recent.actions()
    assert action.text() == str(slide)
    window.queue.remove()
    assert window.viewer.picture is None
    action.trigger()
    wait(lambda: window.viewer.picture is not None)


def test_another_image_of_that_name_is_not_laid_under_a_map(
    qtbot: QtBot, window: MainWindow, wait: Wait, quick: Jobs, slide: Path, settings: Settings,
    tmp_path: Path,
) -> None:  # fmt: skip
    opened(window, wait, slide)
    analysed(window, wait)
    out = window.queue.current.out
    write_svs(out.parent / "drawn.svs", draw_slide(800, 700))
    later = reopened(qtbot, settings, out)
    wait(lambda: "another size" in later.message.words.text())
    assert later.viewer.picture.size == (1536, 1024)
    assert later.viewer.picture.loader is None
    later.close()


def test_another_image_of_that_name_and_size_is_a_case_of_its_own(
    qtbot: QtBot, window: MainWindow, wait: Wait, quick: Jobs, slide: Path, settings: Settings,
    tmp_path: Path,
) -> None:  # fmt: skip
    opened(window, wait, slide)
    analysed(window, wait)
    out = window.queue.current.out
    later = reopened(qtbot, settings, out)
    wait(lambda: "was not found" in later.message.words.text())
    other = tmp_path / "other patient" / "drawn.svs"
    other.parent.mkdir()
    write_svs(other, draw_slide(1536, 1024, tissue=[(0.2, 0.3, 0.8, 0.7)]))
    later.add_paths([other])
    wait(lambda: len(later.queue.model.cases) == 2)
    first, fresh = later.queue.model.cases
    assert first.path is None
    assert fresh.path == other
    assert fresh.result is None
    assert later.message.isVisible()
    assert "another image" in later.message.words.text()
    later.queue.choose(0)
    later.add_paths([slide])  # and the image itself is still taken
    wait(lambda: later.queue.model.cases[0].path == slide)
    assert len(later.queue.model.cases) == 2
    later.close()


def test_a_slide_beside_old_results_is_shown_only_if_it_is_the_analysed_one(
    qtbot: QtBot, window: MainWindow, wait: Wait, quick: Jobs, slide: Path, settings: Settings
) -> None:
    opened(window, wait, slide)
    analysed(window, wait)
    out = window.queue.current.out
    write_svs(out.parent / "drawn.svs", draw_slide(1536, 1024, tissue=[(0.2, 0.3, 0.8, 0.7)]))
    later = reopened(qtbot, settings, out)
    wait(lambda: "another content" in later.message.words.text())
    assert later.viewer.picture.loader is None  # the overview of the result
    later.close()


def test_earlier_results_of_a_slide_in_the_list_become_its_own(
    qtbot: QtBot, window: MainWindow, wait: Wait, quick: Jobs, slide: Path, settings: Settings
) -> None:
    opened(window, wait, slide)
    analysed(window, wait)
    out = window.queue.current.out
    shutil.copyfile(slide, out.parent / "drawn.svs")  # where the window looks for it
    later = reopened(qtbot, settings, out.parent / "drawn.svs")
    wait(lambda: later.viewer.picture is not None)
    assert later.queue.current.state is CaseState.WAITING
    later.add_paths([out])
    wait(lambda: later.queue.current.state is CaseState.FINISHED)
    assert len(later.queue.model.cases) == 1
    assert later.display.overlay is not None
    later.add_paths([out])
    qtbot.wait(200)
    assert len(later.queue.model.cases) == 1
    later.close()


def test_the_images_of_a_whole_run_are_found_again_when_their_folder_is_dropped(
    window: MainWindow, wait: Wait, quick: Jobs, tmp_path: Path
) -> None:
    from PIL import Image

    folder = tmp_path / "there" / "fields"
    folder.mkdir(parents=True)
    for name in "abc":
        Image.fromarray(draw_he(96, 96, ord(name))).save(folder / f"{name}.png")
    window.add_paths([folder])
    wait(lambda: len(window.queue.model.cases) == 3)
    window.analyse_all()
    wait(lambda: not window.analysis.running)
    out = window.queue.model.cases[0].out
    for _ in "abc":
        window.remove_case()
    (tmp_path / "elsewhere").mkdir()
    folder.rename(tmp_path / "elsewhere" / "fields")
    window.add_paths([out])
    wait(lambda: len(window.queue.model.cases) == 3)
    window.add_paths([tmp_path / "elsewhere"])
    wait(lambda: window.queue.model.cases[0].path is not None)
    cases = window.queue.model.cases
    assert [case.path.name for case in cases] == ["a.png", "b.png", "c.png"]
    assert all(case.result is not None for case in cases)


def test_without_image_and_overview_it_is_said_that_the_image_was_not_found(
    window: MainWindow, wait: Wait, quick: Jobs, slide: Path
) -> None:
    opened(window, wait, slide)
    analysed(window, wait)
    case = window.queue.current
    bare = [engine.replace(file, thumbnail_jpeg=None) for file in case.result.files]
    case.result, case.path = engine.replace(case.result, files=tuple(bare)), None
    window.reopen()
    assert "was not found" in window.viewer.message


def test_opened_results_say_what_of_their_run_is_not_to_be_seen(
    qtbot: QtBot, window: MainWindow, wait: Wait, tmp_path: Path, model: Path, fake: FakeRuntime
) -> None:
    from PIL import Image

    from lungscan.scanning.scan import scan

    fields = tmp_path / "fields"
    fields.mkdir()
    Image.fromarray(draw_he(96, 96, 1)).save(fields / "field.png")
    (fields / "notes.txt").touch()
    options = ScanOptions((fields,), tmp_path / "out", model=str(model), isolate=False)
    list(scan(options))
    window.add_paths([tmp_path / "out"])
    wait(lambda: len(window.queue.model.cases) == 1)
    assert "so not listed: 1." in window.message.words.text()
    assert "has not ended" not in window.message.words.text()
    (tmp_path / "out" / "run.json").unlink()  # as after a run that was stopped
    window.remove_case()
    window.add_paths([tmp_path / "out"])
    wait(lambda: len(window.queue.model.cases) == 1)
    assert "answered so far: 1." in window.message.words.text()
