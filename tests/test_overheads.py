"""The benchmark of what runs beside the network: that it measures every step; nothing is timed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1] / "benchmarks"


def test_every_step_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(HERE)  # the scripts import each other by name
    import drawing
    import overheads

    slide = drawing.draw_slide(tmp_path / "drawn.svs", 1120)
    report = tmp_path / "report.json"
    arguments = [str(slide), "--repeats", "1", "--json", str(report)]
    monkeypatch.setattr(sys, "argv", ["overheads.py", *arguments])
    overheads.main()
    written, shown = json.loads(report.read_text()), capsys.readouterr().out
    steps = written["milliseconds"]
    assert {"tissue mask", "grid", "quality", "novelty", "heatmap.png", "report.pdf"} <= set(steps)
    assert min(steps.values()) >= 0
    assert f"drawn.svs: {written['tiles']} tiles" in shown
    assert all(step in shown for step in steps)
    assert 10 <= written["tiles"] <= 25
