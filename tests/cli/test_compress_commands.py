"""`lungscan compress` and `lungscan export`, over an engine that yields what it is told to."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

from lungscan.compression.onnx_file import OnnxExport
from lungscan.compression.records import (
    Agreement,
    Bounds,
    Compressed,
    CompressionEvent,
    CompressionJob,
    CompressionResult,
    Tried,
    Trying,
)
from lungscan.dataset.labelled_tiles import LabelledTiles
from lungscan.errors import MachineError, ModelError
from lungscan.evaluation.calibration_fields import Gathered
from lungscan.model.card import ModelCard
from lungscan_cli.main import main
from tests.models import CARD, tiny_model

Captured = pytest.CaptureFixture[str]

AGREEMENT = Agreement(376, 94, 0.95, 0.9474, 2, 1, 0.98, 0.98, 3, 60, 0, 0)
FIELDS = LabelledTiles(
    np.zeros((4, 64, 64, 3), np.uint8), np.zeros(4, np.int64), ("a", "a", "b", "b")
)


class FakeCompression:
    """Stands in for the engine; keeps what it was called with."""

    def __init__(self) -> None:
        self.gathered: tuple[object, ...] = ()
        self.job: CompressionJob | None = None
        self.raises: BaseException | None = None
        self.caution = ""
        self.card = CARD
        self.closed = False

    def gather(self, *given: object) -> Gathered:
        self.gathered = given[1:]
        return Gathered(FIELDS, FIELDS, ("lung_n/bad.png",))

    def compressing(
        self, job: CompressionJob, out: Path
    ) -> Generator[CompressionEvent, None, None]:
        self.job = job
        try:
            yield Trying("all layers")
            if self.raises is not None:
                raise self.raises
            yield Tried("all layers", AGREEMENT, kept=True)
            tiny_model(out, self.card)
            sizes = 8_600_000, 5_400_000
            yield Compressed(
                CompressionResult(out, "all layers", 340, AGREEMENT, *sizes, self.caution)
            )
        finally:
            self.closed = True


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: Path) -> FakeCompression:
    """Put a fake in the place of the engine, in a folder with data, a split and a model."""
    fake = FakeCompression()
    monkeypatch.setattr("lungscan.evaluation.calibration_fields.gather", fake.gather)
    monkeypatch.setattr("lungscan.compression.int8.compressing", fake.compressing)
    (tmp_path / "data").mkdir()
    (tmp_path / "split.csv").write_text("file,label,group,part\n", encoding="utf-8")
    (tmp_path / "tiny").symlink_to(model)
    monkeypatch.chdir(tmp_path)
    return fake


def test_too_few_fields_for_the_bound_are_reported(fake: FakeCompression, capsys: Captured) -> None:
    fake.caution = "CAUTION: 9 fields cannot show it."
    assert main(LINE.split()) == 0
    assert "CAUTION: 9 fields cannot show it." in capsys.readouterr().err
    assert main([*LINE.split(), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["caution"] == fake.caution


LINE = "compress tiny data --split split.csv --out small --bound 0.3 --threads 2"


def test_the_model_is_compressed_and_the_loss_reported(
    fake: FakeCompression, capsys: Captured
) -> None:
    assert main(LINE.split()) == 0
    assert fake.gathered == (Path("data"), Path("split.csv"), 2, 300)
    assert fake.job is not None
    assert fake.job.bounds == Bounds(pytest.approx(0.003), pytest.approx(0.02))
    assert len(fake.job.calibration) == 4 + 40  # counter-examples, so that they stay refused
    assert fake.job.foreign is not None
    assert fake.job.command == (
        "lungscan compress tiny data --split split.csv --out small --bound 0.3 --refusals 2 "
        "--fields 300"
    )
    assert fake.closed
    shown = capsys.readouterr()
    assert "95.00 %" in shown.out
    assert "94.74 %" in shown.out
    assert "5.4 MB" in shown.out
    assert "all layers: accuracy down 0.27 points to 94.7 %, 3 of 376 refusals changed" in shown.err
    assert "skipped, cannot be read: lung_n/bad.png" in shown.err
    assert "lungscan classify --model small`" in shown.err
    assert "Research use only" in shown.err


def test_an_unproven_model_is_told_of_with_the_flag_that_it_wants(
    fake: FakeCompression, capsys: Captured
) -> None:
    fake.card = dataclasses.replace(CARD, metrics=())
    assert main(LINE.split()) == 0
    assert "lungscan classify --model small --unproven`" in capsys.readouterr().err


@pytest.mark.usefixtures("fake")
def test_json_is_one_object_on_stdout(capsys: Captured) -> None:
    assert main([*LINE.split(), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["agreement"]["refusals_changed"] == 3
    assert data["lost"] == pytest.approx(1 / 376)


def test_a_missed_bound_is_an_error_of_the_model(fake: FakeCompression, capsys: Captured) -> None:
    fake.raises = ModelError("int8 changes tiny by more than the bounds allow.")
    assert main(LINE.split()) == 4
    assert capsys.readouterr().err.endswith("more than the bounds allow.\n")


def test_stopping_leaves_nothing(fake: FakeCompression, capsys: Captured) -> None:
    fake.raises = KeyboardInterrupt()
    assert main(LINE.split()) == 130
    assert fake.closed
    assert "Stopped; nothing was written." in capsys.readouterr().err


@pytest.mark.parametrize("change", ["--bound -1", "--fields 0", "--split no-such.csv"])
def test_wrong_usage_ends_with_2(fake: FakeCompression, change: str) -> None:
    assert main([*LINE.split(), *change.split()]) == 2
    assert fake.job is None


def test_an_export_says_how_true_it_is(
    monkeypatch: pytest.MonkeyPatch, model: Path, capsys: Captured
) -> None:
    def export(card: ModelCard, path: Path) -> OnnxExport:
        assert card.name == "tiny"
        return OnnxExport(path, 16_000_000, 6.5e-7)

    monkeypatch.setattr("lungscan.compression.onnx_file.export_onnx", export)
    assert main(["export", str(model), "--out", "lung.onnx"]) == 0
    shown = capsys.readouterr()
    assert "lung.onnx, 16.0 MB" in shown.out
    assert "6.5e-07" in shown.out
    assert "Research use only" in shown.err
    assert main(["export", str(model), "--out", "lung.onnx", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["worst_difference"] == 6.5e-7


def test_an_export_without_torch_names_the_cure(
    monkeypatch: pytest.MonkeyPatch, model: Path, capsys: Captured
) -> None:
    def export(card: ModelCard, path: Path) -> OnnxExport:
        raise MachineError('Install them with `python -m pip install "lungscan-histology[train]"`.')

    monkeypatch.setattr("lungscan.compression.onnx_file.export_onnx", export)
    assert main(["export", str(model), "--out", "lung.onnx"]) == 5
    assert "lungscan-histology[train]" in capsys.readouterr().err
