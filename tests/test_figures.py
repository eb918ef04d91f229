"""Figures of the shipped model in README and docs are those of its card."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from lungscan.model.checked import find_model
from lungscan.options import DEFAULT_MODEL

ROOT = Path(__file__).parents[1]
CURE = "python packaging/refresh_figures.py"


@pytest.fixture(scope="module")
def refresh() -> ModuleType:
    path = ROOT / "packaging/refresh_figures.py"
    spec = importlib.util.spec_from_file_location("refresh_figures", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pages_under(root: Path) -> list[Path]:
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """README and docs as they are."""
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "README.md", tmp_path)
    return tmp_path


def test_the_figures_in_the_pages_are_those_of_the_card(refresh: ModuleType, copied: Path) -> None:
    refresh.write_cards(refresh.shipped(), copied)
    stale = [
        page.name
        for page, made in zip(pages_under(ROOT), pages_under(copied), strict=True)
        if page.read_text(encoding="utf-8") != made.read_text(encoding="utf-8")
    ]
    assert stale == [], CURE


def test_another_card_changes_what_stands_between_the_marks_alone(
    refresh: ModuleType, copied: Path
) -> None:
    card = find_model(DEFAULT_MODEL)
    metrics = [dataclasses.replace(metric, value=0.123) for metric in card.metrics]
    other = dataclasses.replace(
        card, metrics=tuple(metrics), recipe=card.recipe | {"folds": 5, "fold": ""}
    )
    refresh.write_cards((other, *refresh.shipped()[1:]), copied)
    mark = re.compile(r"<!-- figures [^>]+ -->.*?<!-- /figures -->", re.DOTALL)
    text = (copied / "README.md").read_text(encoding="utf-8")
    assert "| all fields, one class each | 12.3 %" in text
    assert "5 folds by group, each field judged by a network that never saw its group" in text
    assert mark.sub("", text) == mark.sub("", (ROOT / "README.md").read_text(encoding="utf-8"))


def test_every_mark_is_written_by_somebody(refresh: ModuleType) -> None:
    code = (ROOT / "packaging/refresh_figures.py").read_text(encoding="utf-8")
    for page in pages_under(ROOT):
        text = page.read_text(encoding="utf-8")
        names = re.findall(r"<!-- figures ([^>]+) -->", text)
        assert text.count("<!-- /figures -->") == len(names) == len(set(names)), page.name
        for name in names:
            assert f'"{name.split()[0]}"' in code
            assert page.name in code


def test_a_page_without_its_marks_is_named(refresh: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("nothing here", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"page.md has 0 places for the figures quality"):
        refresh.put(tmp_path / "page.md", "quality", "text")


def test_adapting_is_reported_over_all_draws(refresh: ModuleType) -> None:
    def row(source: str, mode: str, fields: int, answered: int, right: int) -> dict[str, object]:
        return {
            "source": source, "mode": mode, "fields": fields, "answered": answered,
            "classed_answered": answered if source == refresh.WSSS else 0, "right_answered": right,
        }  # fmt: skip

    rows = [
        row(refresh.WSSS, "as it is", 40, 4, 1),
        row(refresh.WSSS, "as it is", 60, 6, 4),
        row(refresh.WSSS, "adapted without labels", 40, 40, 30),
        row(refresh.WSSS, "adapted without labels", 60, 40, 34),
        row(refresh.WSSS, "adapted with labels", 50, 40, 30),
        row(refresh.STAS, "as it is", 20, 5, 0),
        row(refresh.STAS, "adapted without labels", 20, 15, 0),
    ]
    table = refresh.adapted_table(rows).splitlines()
    assert table[2].endswith("| 10 % | 80 %, 80 % | 80 %, 75 % |")
    assert table[3].endswith("| 25 % | 75 % | – |")
    words = " ".join(refresh.adapted_words(rows).split())
    assert "answers 10 % as it is" in words
    assert "answers 80 % of the other half, 80 % of those rightly" in words
