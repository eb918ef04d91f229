"""The window's switch for explanations, and what it shows of one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from pytestqt.qtbot import QtBot

from lungscan.options import EXPLAIN_CHOICES, ScanOptions
from lungscan.types import CaseResult, Explanation
from lungscan_gui import engine
from lungscan_gui.panels.explained import ExplainedBox
from lungscan_gui.panels.options import OptionsPanel
from lungscan_gui.settings import Settings
from tests.results import drawn_tile, slide_result


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
    assert box.isHidden()
    box.show_result(result)
    assert not box.isHidden()
    assert len(box.pairs) == 2
    assert "Adenocarcinoma 0.93\nat the least 0.86 with one cell blurred" in box.pairs[0].text()
    assert "x 100" in box.pairs[1].accessibleName()
    assert "What changes the answer most when blurred" in box.words.text()
    assert not box.scale.pixmap().isNull()
    with qtbot.waitSignal(box.visited) as visit:
        box.pairs[1].click()
    assert visit.args == [result.explained[1]]  # type: ignore[index]
    box.show_result(slide_result())
    assert box.isHidden()
    assert box.pairs == []


def test_it_can_be_saved_as_the_run_does(tmp_path: Path) -> None:
    from lungscan.report.explained import render_explanation

    assert "Explanation (PNG)" not in [e.title for e in engine.exports(slide_result())]
    (export,) = [e for e in engine.exports(explained_result()) if e.title == "Explanation (PNG)"]
    export.write(tmp_path / "e.png")
    assert (tmp_path / "e.png").read_bytes() == render_explanation(explained_result())
