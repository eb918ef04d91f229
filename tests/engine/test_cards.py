"""Model folders: complete, unchanged, and nothing in them that could run code."""

from __future__ import annotations

import json
import pickle
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

import lungscan
from lungscan.errors import ModelError
from lungscan.model.card import FILES, ModelCard, write_card
from lungscan.model.checked import RENAMED, find_model, list_models, read_card
from lungscan.model.folder import read_golden
from lungscan.model.novelty import load_novelty
from lungscan.options import DEFAULT_MODEL
from lungscan.runtimes import load_runtime
from tests.models import CARD, SHIPPED, tiny_model

ACCURACY = {"name": "accuracy", "value": 0.9, "low": None, "high": None, "n": 9, "groups": 3}


class Canary:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "executed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_model(tmp_path / "m")
    return tmp_path / "m"


def change_card(folder: Path, **changes: object) -> None:
    """Write other values into the card as JSON; None removes a field."""
    path = folder / "card.json"
    values = json.loads(path.read_bytes()) | changes
    path.write_text(json.dumps({k: v for k, v in values.items() if v is not None}))


def test_a_card_survives_writing_and_reading(folder: Path) -> None:
    card = read_card(folder)
    assert (card.name, card.class_names, card.tumour) == ("tiny", CARD.class_names, CARD.tumour)
    assert set(card.files) == set(FILES)
    assert card.folder == folder
    assert not card.official
    stamp = card.stamp()
    assert (stamp.sha256, stamp.official, stamp.limits) == (card.sha256, False, CARD.limits)


def test_shipped_models_are_found_by_name_and_unchanged() -> None:
    names = [card.name for card in list_models()]
    assert SHIPPED.name in [card.folder.name for card in list_models()]
    assert find_model(SHIPPED.name).sha256 == read_card(SHIPPED).sha256
    assert names[0] == SHIPPED.name  # then its kin, then all others by name


@pytest.mark.parametrize("name", [*FILES, "card.json"])
def test_a_changed_byte_anywhere_is_refused_or_makes_another_model(folder: Path, name: str) -> None:
    before = read_card(folder)
    path = folder / name
    data = path.read_bytes()
    places = [0, len(data) - 1, *random.Random(0).sample(range(len(data)), 40)]
    for place in places:
        changed = bytearray(data)
        changed[place] ^= 0x01
        path.write_bytes(changed)
        if name == "card.json":
            # The card pins the others and is pinned by its own hash: it is never the same model.
            try:
                card = read_card(folder)
            except ModelError:
                continue
            assert card.sha256 != before.sha256
        else:
            with pytest.raises(ModelError, match=rf"{name} of the model m is not the file"):
                read_card(folder)


def test_a_cut_or_lengthened_file_is_refused(folder: Path) -> None:
    path = folder / "weights.safetensors"
    data = path.read_bytes()
    for other in (data[:-1], data + b"\0", b""):
        path.write_bytes(other)
        with pytest.raises(ModelError, match="SHA-256 differs"):
            read_card(folder)


@pytest.mark.parametrize("name", [*FILES, "card.json"])
def test_an_incomplete_folder_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=name):
        find_model(str(folder))


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": 2},
        {"schema": None},
        {"name": None},
        {"name": 5},
        {"surprise": 1},
        {"class_names": ["a"]},
        {"class_names": ["a", "a", "b"]},
        {"class_names": ["a", "b", 3]},
        {"colors": ["#000000"]},
        {"colors": ["red", "#009e73", "#0072b2"]},
        {"tumour": [1, 0, 1]},
        {"patch_size_pixels": 7},
        {"patch_size_pixels": 224.5},
        {"patch_size_pixels": True},
        {"spacing_um_px": 0},
        {"temperature": -1},
        {"temperature": "1"},
        {"temperature": float("nan")},
        {"confidence_threshold": float("inf")},
        {"tumour_limit_mm2": -1},
        {"files": []},
        {"metrics": [{"x": 1}]},
        {"metrics": [{**ACCURACY, "groups": 1.5}]},
        {"metrics": [{**ACCURACY, "groups": -1}]},
        {"metrics": [{**ACCURACY, "n": True}]},
    ],
    ids=repr,
)
def test_a_card_that_makes_no_sense_is_refused(folder: Path, changes: dict[str, object]) -> None:
    change_card(folder, **changes)
    with pytest.raises(ModelError):
        read_card(folder)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"null", b'{"schema": 1}', b"\xff\xfe", b"[" * 100_000, b"{"]
)
def test_what_is_no_card_is_refused(folder: Path, text: bytes) -> None:
    (folder / "card.json").write_bytes(text)
    with pytest.raises(ModelError):
        read_card(folder)


def test_an_unknown_model_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'no-such'.*lung-histology") as caught:
        find_model("no-such")
    assert caught.value.exit_code == 4
    for name in ("", ".", "..", "../x", str(tmp_path / "none")):
        with pytest.raises(ModelError):
            find_model(name)


def test_a_model_that_was_renamed_is_named_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for earlier, now in RENAMED.items():
        with pytest.raises(ModelError, match=f"{earlier} is called {now} now"):
            find_model(earlier)
        assert find_model(now).name == now
    tiny_model(tmp_path / "lung-histology-ghostnet")  # a folder of one's own keeps its name
    assert find_model("lung-histology-ghostnet").name == "tiny"


def test_the_default_model_is_a_ghostnet_and_comes_first() -> None:
    first = lungscan.models()[0]
    assert (first.name, first.architecture) == (DEFAULT_MODEL, "ghostnet_100")


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pkl", ".ckpt", ".zip", ".onnx", ".PT", ""])
def test_a_file_that_could_run_code_is_never_opened(tmp_path: Path, suffix: str) -> None:
    path, canary = tmp_path / f"model{suffix}", tmp_path / "canary"
    path.write_bytes(pickle.dumps(Canary(canary)))
    with pytest.raises(ModelError):
        find_model(str(path))
    assert not canary.exists()


@pytest.mark.parametrize("device", ["cpu", "torch-cpu"])
@pytest.mark.parametrize("name", FILES)
def test_a_pickle_in_the_place_of_a_file_is_never_executed(
    real_model: ModelCard, tmp_path: Path, name: str, device: str
) -> None:
    if device == "torch-cpu":
        pytest.importorskip("torch")
        pytest.importorskip("timm")
    folder, canary = tmp_path / "m", tmp_path / "canary"
    shutil.copytree(real_model.folder, folder)
    (folder / name).write_bytes(pickle.dumps(Canary(canary)))
    # Whoever changes a file can also write a card that names it, so the loaders must be safe too.
    write_card(real_model, folder)
    card = read_card(folder)
    loaded = 0
    for load in (
        lambda: load_runtime(card, device, 1, 1),
        lambda: load_novelty(folder / "novelty.safetensors"),
        lambda: read_golden(card),
    ):
        try:
            load()
            loaded += 1
        except ModelError:
            pass
    unused = name == "graph.xml" and device == "torch-cpu"
    assert loaded == (3 if unused else 2)
    assert not canary.exists()


def test_only_an_unchanged_shipped_model_is_official(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = tiny_model(tmp_path / "tiny")
    monkeypatch.setattr("lungscan_models.shipped_models", lambda: tmp_path)
    assert not find_model("tiny").official
    (tmp_path / "official.json").write_text(json.dumps({"tiny": card.sha256}))
    assert find_model("tiny").official
    assert [model.official for model in list_models()] == [True]
    change_card(tmp_path / "tiny", summary="Better than it is.")
    assert not find_model("tiny").official
