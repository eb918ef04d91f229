"""Explanations on torch and of an int8 model, whose graph has other nodes and other names."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="compression needs the extra train")
pytest.importorskip("timm", reason="compression needs the extra train")
pytest.importorskip("nncf", reason="compression needs the extra train")

from lungscan.explaining.cam import ClassMaps
from lungscan.explaining.occlusion import Occlusion
from lungscan.runtimes import load_runtime
from tests.small_model import draw_tiles, small_int8, small_model


def test_torch_and_openvino_explain_alike() -> None:
    card, tile = small_model(), draw_tiles(5, 1).pixels[0]
    one, other = (
        Occlusion(load_runtime(card, device, 1)).explain(tile, 1)
        for device in ("cpu-fp32", "torch-cpu")
    )
    assert one.values == pytest.approx(other.values, abs=0.01)
    assert one.probability == pytest.approx(other.probability, abs=1e-3)


def test_an_int8_model_is_explained_by_its_own_graph() -> None:
    card = small_int8()
    runtime, maps = load_runtime(card, "cpu", 1), ClassMaps(card)
    for tile in draw_tiles(5, 2).pixels:
        cells = Occlusion(runtime).explain(tile, 0)
        assert np.isfinite(cells.values).all()
        assert np.abs(cells.values).max() > 0
        logits, probs = maps.logits(tile)
        odds = np.exp(logits - logits.max())
        assert odds / odds.sum() == pytest.approx(probs, abs=1e-5)
        assert probs == pytest.approx(runtime.predict(tile[None])[0][0], abs=0.02)
        explained = maps.explain(tile, 0)
        assert explained.rest is not None
        assert float(explained.values.sum()) + explained.rest == pytest.approx(
            explained.score, abs=1e-4
        )
