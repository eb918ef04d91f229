"""A trained model folder becomes an official one by copying it, not by saying so."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path

import pytest

import lungscan_models
from lungscan.model.checked import find_model, read_card

ROOT = Path(__file__).parents[1]


def ship_module():  # type: ignore[no-untyped-def]
    spec = importlib.util.spec_from_file_location("ship_model", ROOT / "packaging/ship_model.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_shipping_leaves_checkpoints_behind_and_makes_it_official(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = tmp_path / "trained"
    shutil.copytree(find_model("lung-histology").folder, trained)
    (trained / "training").mkdir()
    (trained / "training" / "teacher.pt").write_bytes(b"never shipped")
    shipped = tmp_path / "shipped"
    monkeypatch.setattr(lungscan_models, "shipped_models", lambda: shipped)

    digest = ship_module().ship(trained, shipped)

    card = read_card(shipped / "lung-histology")
    assert card.official
    assert card.sha256 == digest
    assert not (shipped / "lung-histology" / "training").exists()
    assert json.loads((shipped / "official.json").read_text()) == {"lung-histology": digest}


def test_a_changed_card_is_no_longer_official(tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(find_model("lung-histology").folder, folder)
    text = (folder / "card.json").read_text(encoding="utf-8")
    (folder / "card.json").write_text(text.replace('"licence"', ' "licence"'), encoding="utf-8")
    assert not read_card(folder).official


def test_the_shipped_model_is_official() -> None:
    assert find_model("lung-histology").official


@pytest.mark.skipif(
    shutil.which("git") is None or not (ROOT / ".git").exists(), reason="no clone of the repository"
)
def test_a_clone_on_windows_holds_the_very_bytes(tmp_path: Path) -> None:
    """Git for Windows ends lines as Windows does, unless told otherwise: no SHA-256 would hold."""
    shipped, made = find_model("lung-histology").folder, tmp_path / "made"
    shutil.copytree(shipped, made)
    attributes = ROOT / ".gitattributes"
    if attributes.exists():
        shutil.copy(attributes, made)
    git = ("git", "-c", "core.autocrlf=true", "-c", "user.name=x", "-c", "user.email=x@y.z")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "all")):
        subprocess.run([*git, *words], cwd=made, check=True, capture_output=True)
    clone = tmp_path / "lung-histology"
    subprocess.run([*git, "clone", "-q", made, clone], check=True, capture_output=True)
    assert read_card(clone).official
