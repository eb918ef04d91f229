"""int8: the same answers and refusals within a bound, a folder that works, or nothing at all."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from PIL import Image

pytest.importorskip("torch", reason="compression needs the extra train")
pytest.importorskip("timm", reason="compression needs the extra train")
pytest.importorskip("nncf", reason="compression needs the extra train")

from lungscan.compression import int8
from lungscan.compression.comparison import LOST, most_lost
from lungscan.compression.int8 import compress, compressing
from lungscan.compression.quantizing import quantize
from lungscan.compression.records import Bounds, Compressed, Tried, Trying
from lungscan.compression.wording import all_changes, caution
from lungscan.errors import MachineError, ModelError, UsageProblem
from lungscan.model.card import INT8, Metric, write_card
from lungscan.model.checked import read_card
from lungscan.model.folder import read_golden
from lungscan.model.graph import count_parameters, read_graph
from lungscan.runtimes import load_runtime
from lungscan.runtimes import runtime as base
from lungscan.self_check import REDUCED_TOLERANCE, compare
from tests.engine.scanning import options, results, run
from tests.small_model import (
    SIDE,
    compression_job,
    draw_tiles,
    small_int8,
    small_model,
)

ROOT = Path(__file__).parents[2]


def test_the_folder_is_a_model_of_its_own() -> None:
    source, card = small_model(), small_int8()
    assert (card.precision, source.precision) == (INT8, "fp16")
    assert card.name == "small-int8"
    assert card.sha256 != source.sha256
    assert card.temperature == source.temperature
    assert card.compression["source_sha256"] == source.sha256
    assert card.compression["parameters"] == count_parameters(source.folder)
    assert card.compression["command"] == "lungscan compress small"
    names = {metric.name: metric for metric in card.metrics}
    assert names["accuracy student"].note == "distilled; measured before int8"
    assert names["accuracy int8"].groups == 15
    assert card.facts[-1][0] == "int8"
    readme = (card.folder / "README.md").read_text(encoding="utf-8")
    assert readme.startswith("# small-int8 1.0\n")
    assert readme.endswith("A drawn model.\n")


def test_weights_are_stored_in_eight_bits() -> None:
    source, card = small_model(), small_int8()
    before, after = ((c.folder / "weights.safetensors").stat().st_size for c in (source, card))
    assert after < 0.75 * before
    core = ov.Core()
    kinds = [
        op.get_element_type().get_type_name()
        for op in read_graph(core, card.folder).get_ops()
        if op.get_type_name() == "Constant" and op.get_output_size() == 1
    ]
    assert "i8" in kinds


def test_answers_and_refusals_are_those_of_the_source() -> None:
    tiles = draw_tiles(5, 8)
    probs, features = load_runtime(small_int8(), "cpu", 1).predict(tiles.pixels)
    expected, parts = load_runtime(small_model(), "cpu-fp32", 1).predict(tiles.pixels)
    assert features.shape == parts.shape
    assert (probs.argmax(1) == expected.argmax(1)).all()
    agreement = small_int8().compression["agreement"]
    assert agreement["foreign_answered_after"] == 0
    assert agreement["refusals_changed"] <= 1


def test_both_precisions_of_openvino_repeat_the_golden_answers() -> None:
    card = small_int8()
    for device in ("cpu-fp32", "cpu"):
        runtime = load_runtime(card, device, 1)
        assert "int8" in runtime.device
        assert compare(runtime, read_golden(card), REDUCED_TOLERANCE) == ""


def test_an_answer_depends_on_its_tile_alone() -> None:
    tiles = draw_tiles(7, 3).pixels
    expected = load_runtime(small_int8(), "cpu", 1, 1).predict(tiles)
    found = load_runtime(small_int8(), "cpu", 2, 8).predict(tiles[::-1])
    for one, other in zip(found, expected, strict=True):
        assert one[::-1].tobytes() == other.tobytes()


def test_what_computed_it_is_reported() -> None:
    card = small_int8()
    device = load_runtime(card, "cpu", 1).device
    assert "int8 with" in device
    assert card.compression["agreement"]["device"] == device
    assert f"({device})" in dict(card.facts)["int8"]
    assert device in (card.folder / "README.md").read_text(encoding="utf-8")


def test_classification_takes_the_folder_at_once(tmp_path: Path) -> None:
    field = tmp_path / "field.png"
    Image.fromarray(draw_tiles(6, 1).pixels[0]).save(field)
    events = run(options(small_int8().folder, tmp_path / "out", field, abstain="never"))
    (result,) = results(events).values()
    assert result.model.name == "small-int8"
    assert "int8" in result.device


@pytest.mark.parametrize("device", ["torch-cpu", "cuda", "mps"])
def test_torch_refuses_an_int8_model(device: str) -> None:
    with pytest.raises(UsageProblem, match="only OpenVINO can compute"):
        load_runtime(small_int8(), device)


def test_a_gpu_does_not_draw_an_int8_model_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "cuda_works", lambda: True)
    assert "OpenVINO" in load_runtime(small_int8(), "auto", 1).device


def test_a_card_of_an_unknown_precision_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(small_model().folder, folder)
    write_card(dataclasses.replace(small_model(), precision="int4"), folder)
    with pytest.raises(ModelError, match="int4"):
        read_card(folder)


def _ruined(setting: int8.Setting) -> ov.Model:
    """Ranges measured on nothing but black cut off all that tissue shows."""
    black = np.zeros((4, SIDE, SIDE, 3), np.uint8)
    return quantize(setting.model, black, depthwise=True)


def test_the_first_method_within_the_bounds_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    better = int8.METHODS["all but depthwise layers"]
    monkeypatch.setattr(int8, "METHODS", {"ruined": _ruined, "better": better, "never": _ruined})
    events = list(compressing(compression_job(small_model()), tmp_path / "model"))
    assert [type(event) for event in events] == [Trying, Tried, Trying, Tried, Compressed]
    first, second = (event for event in events if isinstance(event, Tried))
    assert not first.kept
    assert first.agreement.lost > 0.005
    assert second.kept
    assert read_card(tmp_path / "model").compression["method"] == "better"


def test_nothing_is_written_when_the_bound_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8, "METHODS", {"ruined": _ruined})
    with pytest.raises(ModelError, match=r"0\.5 points of accuracy.*nothing was written.*ruined"):
        compress(compression_job(small_model()), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_sensitive_layers_get_their_precision_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = {"sensitive": int8.METHODS["all but sensitive layers"]}
    monkeypatch.setattr(int8, "METHODS", method)
    black = np.zeros((4, SIDE, SIDE, 3), np.uint8)
    job = compression_job(small_model(), calibration=black, foreign=None, tiles=draw_tiles(4, 6))
    assert compress(job, tmp_path / "model").agreement.within(job.bounds)


def test_only_an_int8_model_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("important", encoding="utf-8")
    job = compression_job(small_model())
    for place in (tmp_path / "mine", small_model().folder):
        with pytest.raises(UsageProblem, match="is not replaced"):
            compress(job, place)
    out = tmp_path / "model"
    shutil.copytree(small_int8().folder, out)
    (out / "old.txt").write_text("of the earlier model", encoding="utf-8")
    compress(job, out)
    assert read_card(out).precision == INT8
    assert not (out / "old.txt").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "model"]


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    job = compression_job(small_model())
    none = dataclasses.replace(draw_tiles(4), pixels=job.tiles.pixels[:0], labels=np.zeros(0, int))
    for wrong, hint in (
        (dataclasses.replace(job, source=small_int8()), "int8 model already"),
        (dataclasses.replace(job, calibration=job.calibration[:0]), "fields to calibrate on"),
        (dataclasses.replace(job, tiles=none), "others to judge it by"),
        (dataclasses.replace(job, bounds=Bounds(accuracy=-0.1)), "from 0 up"),
    ):
        with pytest.raises(UsageProblem, match=hint):
            compress(wrong, tmp_path / "model")


def test_without_nncf_the_cure_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(MachineError, match=r"lungscan-histology\[train\]"):
        compress(compression_job(small_model()), tmp_path / "model")


def test_the_bounds_count_accuracy_refusals_and_counter_examples() -> None:
    agreement = Tried("", int8_agreement(), kept=True).agreement
    bounds = Bounds(accuracy=0.01, refusals=0.02)
    assert agreement.within(bounds)
    assert not dataclasses.replace(agreement, became_wrong=4).within(bounds)
    assert dataclasses.replace(agreement, became_wrong=4, became_right=2).within(bounds)
    assert dataclasses.replace(agreement, refusals_changed=4).within(bounds)
    assert not dataclasses.replace(agreement, refusals_changed=5).within(bounds)
    assert dataclasses.replace(agreement, refusals_changed=1).within(Bounds(0.01, 0.0))
    let_in = dataclasses.replace(agreement, foreign_answered_after=3)
    assert not let_in.within(bounds)
    assert all_changes(let_in).endswith("3 more of 50 counter-examples answered")
    assert (
        all_changes(agreement) == "accuracy down 1.00 points to 89.0 %, 0 of 200 refusals changed"
    )


def int8_agreement() -> int8.Agreement:
    """Two of 200 answers lost."""
    return int8.Agreement(
        tiles=200,
        groups=40,
        accuracy_before=0.9,
        accuracy_after=0.89,
        became_wrong=3,
        became_right=1,
        answered_before=0.95,
        answered_after=0.95,
        refusals_changed=0,
        foreign=50,
        foreign_answered_before=0,
        foreign_answered_after=0,
    )


@pytest.mark.parametrize(
    ("fields", "most", "least"),
    [(9, "28.3", "598"), (100, "3.0", "598"), (376, "0.8", "598"), (597, "0.5", "598")],
)
def test_few_fields_cannot_vouch_for_the_bound(fields: int, most: str, least: str) -> None:
    """Even where no answer changes, as with 9 fields against a bound of 0.5 points."""
    agreement = dataclasses.replace(
        int8_agreement(), tiles=fields, groups=fields, became_wrong=0, became_right=0
    )
    unchanged = Metric(LOST, 0.0, 0.0, 0.0, fields, fields)
    text = caution(agreement, Bounds(), most_lost(agreement, unchanged))
    assert text.startswith(f"CAUTION: {fields} fields in {fields} groups cannot show")
    assert f"up to {most} (95 % limit)" in text
    assert f"Judge it on {least} fields or more." in text


def test_enough_fields_need_no_caution() -> None:
    agreement = dataclasses.replace(int8_agreement(), tiles=598, became_wrong=0, became_right=0)
    unchanged = Metric(LOST, 0.0, 0.0, 0.0, 598, 40)
    assert caution(agreement, Bounds(), most_lost(agreement, unchanged)) == ""
    assert caution(agreement, Bounds(accuracy=0.0), 0.001)  # a bound of nothing proves nothing
    # Squares of few pictures are no more than these pictures.
    few = dataclasses.replace(agreement, tiles=5000, pictures=9)
    assert "9 fields" in caution(few, Bounds(), most_lost(few, unchanged))
    # Enough fields, but losses that differ from group to group.
    uneven = Metric(LOST, 0.003, 0.0, 0.012, 598, 6)
    text = caution(agreement, Bounds(), most_lost(agreement, uneven))
    assert text.endswith("it may lose up to 1.2 (95 % limit).")


def test_the_caution_stands_in_result_card_and_readme(tmp_path: Path) -> None:
    job = dataclasses.replace(compression_job(small_model()), note="Most were learnt.")
    assert len(job.tiles.labels) == 30
    result = compress(job, tmp_path / "model")
    assert "CAUTION: 30 fields in 15 groups" in result.caution
    assert result.caution.endswith(" Most were learnt.")
    card = read_card(tmp_path / "model")
    assert card.compression["caution"] == result.caution
    assert card.limits[0] == result.caution
    assert f"**{result.caution}**" in (card.folder / "README.md").read_text(encoding="utf-8")
    assert "CAUTION: 30 fields" in dict(card.facts)["int8"]
    wide = dataclasses.replace(job, note="", bounds=Bounds(accuracy=0.3, refusals=0.3))
    kept = compress(wide, tmp_path / "wide")
    card = read_card(tmp_path / "wide")
    assert (kept.caution, card.limits) == ("", small_model().limits)
    assert "CAUTION" not in (card.folder / "README.md").read_text(encoding="utf-8")


def test_nothing_is_reported_to_the_makers_of_the_libraries(tmp_path: Path) -> None:
    code = (
        "import sys, lungscan.runtimes.openvino, lungscan.compression.int8\n"
        "import nncf\n"
        "print([name for name in sys.modules if name.startswith('openvino_telemetry.')])"
    )
    home = {"HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path), "USERPROFILE": str(tmp_path)}
    path = os.pathsep.join([str(ROOT), str(ROOT / "models")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | home | {"PYTHONPATH": path},
    )
    assert done.stdout.strip() == "[]"
    assert not (tmp_path / "intel").exists()
