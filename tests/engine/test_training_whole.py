"""From a laboratory's plain folder of classes to answers, by both models that training makes."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra train")
pytest.importorskip("timm", reason="training needs the extra train")
pytest.importorskip("nncf", reason="training needs the extra train")

from lungscan.events import CaseFinished
from lungscan.model.checked import read_card
from lungscan.options import ScanOptions
from lungscan.scanning.scan import scan
from lungscan.training.options import Fit, Phase, TrainOptions
from lungscan.training.train import train
from tests.training_data import SIDE, draw_data

FIT = Fit((Phase(6, 48, (48, 64)),), 8, 5e-3, ema_decay=0.8, mixup=0.0, warmup_epochs=1.0)


def test_a_folder_of_classes_becomes_two_models_that_classify(tmp_path: Path) -> None:
    draw_data(tmp_path / "lab", groups=12, clear=True)
    (tmp_path / "lab" / "groups.csv").unlink()
    options = TrainOptions(
        name="lab",
        teacher="test_efficientnet",
        student="test_efficientnet",
        drawn_examples=8,
        field_px=SIDE,
        spacing_um_px=2.0,
        device="cpu",
        threads=1,
        teacher_fit=FIT,
        student_fit=FIT,
        int8=True,
        int8_bound=0.5,  # of a few drawn tiles; the bound itself is tested with the compression
    )
    out = tmp_path / "model"
    events = [str(event) for event in train(options, tmp_path / "lab", out)]
    assert (out / "evaluation" / "evaluation.md").exists()
    assert (out / "int8" / "card.json").exists(), events[-1]
    assert read_card(out).data["leaking_groups"] == 0
    for model in (out, out / "int8"):
        results = tmp_path / f"results-{model.name}"
        asked = ScanOptions((tmp_path / "lab",), results, model=str(model), abstain="never")
        cases = [event.result for event in scan(asked) if isinstance(event, CaseFinished)]
        answers = [(c.relative_paths[0], c.prediction.label) for c in cases if c.prediction]
        right = [label == Path(path).parent.name for path, label in answers]
        assert len(right) == 3 * 24
        assert sum(right) > 0.75 * len(right)  # by chance a third; 71 or 72 on each processor tried
