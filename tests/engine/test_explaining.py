"""Explanations: they add up, they follow the network, and they beat chance."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from PIL import Image

import lungscan
import lungscan.demo
from lungscan.errors import UsageProblem
from lungscan.explaining import load_explainer
from lungscan.explaining.affine_head import find_head
from lungscan.explaining.base import log_odds
from lungscan.explaining.cam import ClassMaps
from lungscan.explaining.deletion import deletion, order_of
from lungscan.explaining.occlusion import Occlusion, blurred, cells_along, windows
from lungscan.model.card import ModelCard
from lungscan.model.checked import find_model
from lungscan.model.graph import read_graph
from lungscan.options import ScanOptions
from lungscan.results.case_json import from_json, to_json
from lungscan.runtimes import Runtime, load_runtime
from lungscan.runtimes.openvino import OpenVinoRuntime, check_graph
from lungscan.types import CaseStatus, FloatArray, RgbArray, RgbBatch, TileState
from tests.engine.scanning import files_below, make_field, make_slide, options, results, run, stored
from tests.models import copy_model

HISTOLOGY = "lung-histology"  # a GhostNet, whose head has a layer with ReLU
HEADS = (HISTOLOGY, "lung-ct")
FIELDS = Path(lungscan.demo.__file__).parent / "fields" / "single"
ADENO, BENIGN = 0, 1


@cache
def card_of(name: str) -> ModelCard:
    return find_model(name)


@cache
def runtime_of(name: str) -> Runtime:
    return load_runtime(card_of(name), "cpu-fp32", 1)


@cache
def field(name: str, side: int = 192) -> RgbArray:
    """A training field of the demo at a network's size."""
    with Image.open(next(FIELDS.parent.glob(f"*/*/{name}.jpeg"))) as opened:
        small = opened.convert("RGB").resize((side, side), Image.Resampling.BOX)
    return np.asarray(small)


@cache
def all_fields(side: int) -> tuple[RgbArray, ...]:
    return tuple(field(path.stem, side) for path in sorted(FIELDS.glob("*/*.jpeg")))


def softmax(logits: FloatArray) -> FloatArray:
    odds = np.exp(logits.astype(np.float64) - logits.max())
    return (odds / odds.sum()).astype(np.float32)


# Class maps -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HEADS)  # on any pixels, be they of the model's kind or not
def test_the_cells_and_the_rest_are_the_logit(name: str) -> None:
    maps = ClassMaps(card_of(name))
    for tile in all_fields(card_of(name).patch_size_pixels):
        logits, probs = maps.logits(tile)
        assert softmax(logits) == pytest.approx(probs, abs=1e-5)
        known = runtime_of(name).predict(tile[None])[0][0]
        assert probs == pytest.approx(known, abs=1e-5)  # they are those of the network that answers
        for answer in range(3):
            cells = maps.explain(tile, answer)
            others = np.delete(np.log(known.astype(np.float64)), answer).mean()
            expected = float(np.log(known[answer])) - others
            assert cells.rest is not None
            assert float(cells.values.sum()) + cells.rest == pytest.approx(expected, abs=1e-3)
            assert cells.score == pytest.approx(expected, abs=1e-3)


def test_the_ghostnet_has_a_layer_that_a_plain_product_would_miss() -> None:
    graph = read_graph(ov.Core(), card_of(HISTOLOGY).folder)
    check_graph(graph, card_of(HISTOLOGY))
    head = find_head(graph, "ghostnet")
    kinds = [type(step).__name__ for step in head.steps]
    assert kinds[:3] == ["Affine", "Each", "Cut"]  # convolution, its bias, ReLU
    rng = np.random.default_rng(0)
    one, other = rng.random(960), rng.random(960) * 3
    assert np.abs(head.at(one).weight - head.at(other).weight).max() > 1e-3  # other units are on


def with_shuffled_classifier(card: ModelCard, seed: int) -> ov.Model:
    """The card's network with the inputs of its last layer dealt anew."""
    graph = read_graph(ov.Core(), card.folder)
    check_graph(graph, card)
    last = [op for op in graph.get_ordered_ops() if op.get_type_name() == "MatMul"][-1]
    part = ov.Model([last.input_value(1)], [], "weight")
    weight = ov.Core().compile_model(part, "CPU")({})[0].astype(np.float32)
    mixed = np.random.default_rng(seed).permuted(weight, axis=1)
    last.input(1).replace_source_output(ov.opset13.constant(mixed).output(0))
    return graph


def test_another_classifier_gives_another_map() -> None:
    card, tile = card_of(HISTOLOGY), field("lungaca102")
    plain = ClassMaps(card).explain(tile, ADENO).values
    alike = []
    for seed in range(3):
        maps = ClassMaps(card, with_shuffled_classifier(card, seed))
        logits, probs = maps.logits(tile)
        assert softmax(logits) == pytest.approx(probs, abs=1e-5)
        mixed = maps.explain(tile, ADENO).values
        alike.append(abs(float(np.corrcoef(plain.ravel(), mixed.ravel())[0, 1])))
        assert np.abs(mixed - plain).max() > 0.05
    assert min(alike) < 0.7


def test_another_classifier_gives_other_occlusions() -> None:
    card, alike = card_of(HISTOLOGY), []
    tiles = [field(name) for name in named("adenocarcinoma")[:4]]
    plain = [Occlusion(runtime_of(HISTOLOGY)).explain(tile, ADENO).values for tile in tiles]
    for seed in range(3):
        mixed = Occlusion(OpenVinoRuntime(with_shuffled_classifier(card, seed), 1, 16, "f32"))
        for tile, before in zip(tiles, plain, strict=True):
            after = mixed.explain(tile, ADENO).values
            alike.append(abs(float(np.corrcoef(before.ravel(), after.ravel())[0, 1])))
    assert np.mean(alike) < 0.7


def test_a_head_that_is_not_affine_is_refused() -> None:
    source = ov.opset13.parameter([1, 8, 8, 3], np.uint8)
    turned = ov.opset13.transpose(ov.opset13.convert(source, "f32"), [0, 3, 1, 2])
    pooled = ov.opset13.reduce_mean(turned, [2, 3], keep_dims=False)
    bent = ov.opset13.tanh(pooled)
    model = ov.Model([ov.opset13.softmax(bent, 1), pooled], [source], "bent")
    with pytest.raises(UsageProblem, match=r"not exact for bent.*Tanh.*--explain occlusion"):
        find_head(model, "bent")
    other = ov.Model([bent, pooled], [source], "no softmax")
    with pytest.raises(UsageProblem, match="no softmax"):
        find_head(other, "other")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda x: ov.opset13.add(x, np.float32([1, 2, 3])), [2, 4, 6]),
        (lambda x: ov.opset13.subtract(x, np.float32([1, 2, 3])), [0, 0, 0]),
        (lambda x: ov.opset13.subtract(np.float32([1, 2, 3]), x), [0, 0, 0]),
        (lambda x: ov.opset13.multiply(x, np.float32([2])), [2, 4, 6]),
        (lambda x: ov.opset13.divide(x, np.float32([2])), [0.5, 1, 1.5]),
        (lambda x: ov.opset13.clamp(x, 0.0, 2.5), [1, 2, 2.5]),
        (lambda x: ov.opset13.relu(ov.opset13.subtract(x, np.float32([2]))), [0, 0, 1]),
        (lambda x: ov.opset13.matmul(x, np.eye(3, dtype=np.float32)[:, ::-1], False, False),
         [3, 2, 1]),
        (lambda x: ov.opset13.matmul(x, np.float32([[1, 1, 0], [0, 0, 1]]), False, True), [3, 3]),
    ],
)  # fmt: skip
def test_each_kind_of_step(make: Any, expected: list[float]) -> None:
    maps = ov.opset13.parameter([1, 3, 2, 2], np.float32)
    pooled = ov.opset13.reduce_mean(maps, [2, 3], keep_dims=False)
    model = ov.Model([ov.opset13.softmax(make(pooled), 1), pooled], [maps], "steps")
    vector = np.array([1.0, 2.0, 3.0])
    function = find_head(model, "steps").at(vector)
    assert function.weight @ vector + function.bias == pytest.approx(expected)


# Occlusion --------------------------------------------------------------------------------------


class SeesOneCell:
    """Sure of a class by the contrast of one cell alone; the other cells change nothing."""

    device, batch_size = "fake", 5

    def __init__(self, cell: int) -> None:
        self.cell = cell

    def predict(self, batch: RgbBatch) -> tuple[FloatArray, FloatArray]:
        assert len(batch) <= self.batch_size
        rows, columns = windows(batch.shape[1])[self.cell]
        contrast = batch[:, rows, columns].astype(np.float32).std((1, 2)).mean(1)
        first = np.clip(contrast / 100, 0.01, 0.99)
        probs = np.stack([first, (1 - first) * 0.75, (1 - first) * 0.25], 1)
        return probs.astype(np.float32), np.zeros((len(batch), 2), np.float32)


@pytest.mark.parametrize("cell", [0, 9, 35])
def test_the_one_cell_that_matters_is_found(cell: int) -> None:
    tile = np.random.default_rng(0).integers(0, 256, (192, 192, 3), np.uint8)
    runtime = SeesOneCell(cell)
    cells = Occlusion(runtime).explain(tile, 0)
    assert cells.values.shape == (6, 6)
    assert int(cells.values.argmax()) == cell
    assert np.count_nonzero(cells.values) == 1
    before = runtime.predict(tile[None])[0]
    copy = tile.copy()
    copy[windows(192)[cell]] = blurred(tile)[windows(192)[cell]]
    after = runtime.predict(copy[None])[0]
    fall = log_odds(before, 0) - log_odds(after, 0)
    assert cells.values.ravel()[cell] == pytest.approx(float(fall[0]))
    assert cells.lowest == pytest.approx(float(after[0, 0]))
    assert cells.probability == pytest.approx(float(before[0, 0]))


def test_cells_cover_the_tile_once() -> None:
    for side, along in ((192, 6), (224, 8), (64, 2), (300, 10)):
        seen = np.zeros((side, side), int)
        assert cells_along(side) == along
        for cell in windows(side):
            seen[cell] += 1
        assert (seen == 1).all()


def test_odds_near_certainty_keep_their_digits() -> None:
    probs = np.array([[1.0, 1e-9, 0.0], [1.0, 3e-9, 0.0]], np.float32)
    sure, less = log_odds(probs, 0)
    assert sure - less == pytest.approx(np.log(3), abs=1e-2)


def named(kind: str) -> list[str]:
    """The names of the demo's fields of a class."""
    return [path.stem for path in sorted(FIELDS.parent.glob(f"*/{kind}/*.jpeg"))]


@pytest.mark.parametrize("method", ["occlusion", "cam"])
def test_a_pasted_patch_lights_up(method: Any) -> None:
    explainer = load_explainer(method, card_of(HISTOLOGY), runtime_of(HISTOLOGY))
    more = []  # inside of the patch than outside of it
    for benign, tumour in zip(named("benign")[:6], named("adenocarcinoma"), strict=False):
        for at in (0, 3):
            tile = field(benign).copy()
            tile[32 * at : 32 * at + 96, 32 * at : 32 * at + 96] = field(tumour)[:96, :96]
            values = explainer.explain(tile, ADENO).values
            pasted = np.zeros((6, 6), bool)
            pasted[at : at + 3, at : at + 3] = True
            more.append(values[pasted].mean() - values[~pasted].mean())
    assert len(more) == 12
    assert np.mean(more) > 0.05
    assert np.mean(np.array(more) > 0) >= 0.75


def test_occlusion_beats_chance() -> None:
    runtime, rng = runtime_of(HISTOLOGY), np.random.default_rng(0)
    best, chance = [], []
    for path in sorted(FIELDS.parent.glob("slide/*/*.jpeg")):
        tile = field(path.stem)
        answer = int(runtime.predict(tile[None])[0].argmax())
        order = order_of(Occlusion(runtime).explain(tile, answer).values, 192)
        best.append(deletion(runtime, tile, answer, order))
        chance.append(deletion(runtime, tile, answer, rng.permutation(36)))
    assert np.mean(best) < np.mean(chance) - 0.01


# In a run ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_model(tmp_path_factory.mktemp("explained") / "model").folder


def test_a_field_is_explained_in_its_record_and_folder(model: Path, tmp_path: Path) -> None:
    picture = make_field(tmp_path / "in" / "a.png")
    chosen = options(model, tmp_path / "out", picture, explain="occlusion", pdf="auto")
    chosen = replace(chosen, abstain="flag")
    (result,) = results(run(chosen)).values()
    assert result.prediction is not None
    assert result.explained is not None
    (part,) = result.explained
    assert (part.method, part.file_index, part.box) == ("occlusion", 0, (0, 0, 200, 200))
    assert result.model.class_names[part.class_index] == result.prediction.label
    assert part.probability == pytest.approx(result.prediction.confidence, abs=1e-6)
    assert part.cells.shape == (6, 6)
    assert np.abs(part.cells).max() > 0
    names = files_below(tmp_path / "out" / "cases" / result.key)
    assert {"explanation.png", "report.pdf"} <= names
    (kept,) = stored(tmp_path / "out").values()
    assert kept.explained is not None
    assert np.allclose(kept.explained[0].cells, part.cells, atol=1e-6)
    assert dict(kept.settings)["explain"] == "occlusion"


def test_no_word_of_it_without_the_option(model: Path, tmp_path: Path) -> None:
    picture = make_field(tmp_path / "in" / "a.png")
    run(options(model, tmp_path / "out", picture, pdf="auto"))
    (record,) = (tmp_path / "out").glob("cases/*/case.json")
    assert b"explain" not in record.read_bytes()
    assert not list((tmp_path / "out").rglob("explanation*"))


def test_the_other_files_are_the_same_with_and_without(model: Path, tmp_path: Path) -> None:
    picture = make_field(tmp_path / "in" / "a.png")
    run(options(model, tmp_path / "plain", picture, geojson=True))
    run(options(model, tmp_path / "explained", picture, geojson=True, explain="cam"))
    for name in ("tiles.csv", "tiles.geojson"):
        one, other = (next((tmp_path / out).rglob(name)) for out in ("plain", "explained"))
        assert one.read_bytes() == other.read_bytes()


def test_a_run_that_is_to_explain_does_not_take_one_that_was_not(
    model: Path, tmp_path: Path
) -> None:
    picture = make_field(tmp_path / "in" / "a.png")
    run(options(model, tmp_path / "out", picture, abstain="flag"))
    run(options(model, tmp_path / "out", picture, abstain="flag", explain="occlusion"))
    (kept,) = stored(tmp_path / "out").values()
    assert kept.explained
    again = run(options(model, tmp_path / "out", picture, abstain="flag", explain="occlusion"))
    assert getattr(again[-1], "ok", 0) + getattr(again[-1], "no_result", 0) == 1
    picture_file = next((tmp_path / "out").rglob("explanation.png"))
    picture_file.unlink()
    run(options(model, tmp_path / "out", picture, abstain="flag", explain="occlusion"))
    assert picture_file.exists()  # what a stopped run left out is made up for


def test_the_surest_tiles_of_a_slide_are_explained(model: Path, tmp_path: Path) -> None:
    slide = make_slide(tmp_path / "in" / "a.svs")
    chosen = options(model, tmp_path / "out", slide, explain="cam", abstain="never")
    (result,) = results(run(chosen)).values()
    assert result.prediction is not None
    assert result.explained is not None
    (scores,) = result.scores
    answer = result.model.class_names.index(str(result.prediction.label))
    used = [row for row, state in enumerate(scores.state) if state is TileState.USED]
    used = used or list(range(len(scores.state)))
    surest = sorted(used, key=lambda row: (-float(scores.probs[row, answer]), row))[:3]
    assert [part.box for part in result.explained] == [
        tuple(scores.boxes[row].tolist()) for row in surest
    ]
    for part in result.explained:
        assert part.class_index == answer
        assert part.rest is not None
        assert float(part.cells.sum()) + part.rest == pytest.approx(part.score, abs=1e-4)


def test_a_case_without_an_answer_has_nothing_to_explain(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "in" / "white.png"
    path.parent.mkdir()
    Image.new("RGB", (200, 200), "white").save(path)
    (result,) = results(run(options(model, tmp_path / "out", path, explain="occlusion"))).values()
    assert result.status is CaseStatus.NO_RESULT
    assert result.explained == ()
    assert from_json(to_json(result)).explained == ()
    assert not list((tmp_path / "out").rglob("explanation.png"))


def test_it_is_the_same_in_child_processes(model: Path, tmp_path: Path) -> None:
    picture = make_field(tmp_path / "in" / "a.png")
    cells = []
    for isolate in (False, True):
        out = tmp_path / str(isolate)
        chosen = options(model, out, picture, explain="occlusion", abstain="flag", isolate=isolate)
        (result,) = results(run(chosen)).values()
        assert result.explained
        cells.append(result.explained[0].cells)
    assert (cells[0] == cells[1]).all()


def test_a_method_that_is_not_exact_is_refused_before_anything_is_lost(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = make_field(tmp_path / "in" / "a.png")
    run(options(model, tmp_path / "out", picture))
    before = files_below(tmp_path / "out")

    def refuse(*_: object) -> None:
        raise UsageProblem("not exact")

    monkeypatch.setattr("lungscan.explaining.cam.find_head", refuse)
    with pytest.raises(UsageProblem, match="not exact"):
        run(options(model, tmp_path / "out", picture, explain="cam", fresh=True))
    assert files_below(tmp_path / "out") == before


def test_an_unknown_method_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="--explain cannot be 'magic'"):
        ScanOptions((tmp_path,), tmp_path, explain="magic")  # type: ignore[arg-type]


# On the spot ------------------------------------------------------------------------------------


def test_one_field_on_the_spot(tmp_path: Path) -> None:
    path = next(FIELDS.glob("adenocarcinoma/*.jpeg"))
    part = lungscan.explain(path, device="cpu-fp32")
    assert part.class_index == ADENO
    expected = Occlusion(runtime_of(HISTOLOGY))
    explained = lungscan.explain(
        path, part.box, device="cpu-fp32"
    )  # read by its box: the same pixels
    assert np.allclose(explained.cells, part.cells, atol=1e-4)
    asked = lungscan.explain(path, label="lung_n", method="cam", device="cpu-fp32")
    assert (asked.class_index, asked.method) == (BENIGN, "cam")
    assert expected.method == part.method == "occlusion"


def test_one_tile_of_a_slide_on_the_spot(tmp_path: Path) -> None:
    slide = make_slide(tmp_path / "a.svs")
    part = lungscan.explain(slide, (100, 200, 224, 224), method="cam")
    assert part.box == (100, 200, 224, 224)
    with pytest.raises(UsageProblem, match="which tile"):
        lungscan.explain(slide)
    with pytest.raises(UsageProblem, match="no class 'liver'"):
        lungscan.explain(slide, (100, 200, 224, 224), label="liver")
    with pytest.raises(UsageProblem, match="at least one pixel"):
        lungscan.explain(slide, (100, 200, 0, 224))
    with pytest.raises(UsageProblem, match="'off'"):
        lungscan.explain(slide, (100, 200, 224, 224), method="off")
