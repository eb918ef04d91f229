"""Tables of the docs that list what the program has are whole: pages, columns, functions."""

from __future__ import annotations

import re
from pathlib import Path

import lungscan
from lungscan.report.cases_csv import columns
from lungscan.report.tiles_csv import _APPEARANCE, _BOX, _MEASURES
from lungscan.review.reviews_table import _COLUMNS, _OF_MODEL

DOCS = Path(__file__).parents[1] / "docs"


def names_in(page: str, head: str) -> list[str]:
    """What stands in backquotes in the first cells of the table with this head."""
    _, found, rest = (DOCS / page).read_text(encoding="utf-8").partition(f"\n| {head} |")
    assert found, head
    rows = rest.partition("\n\n")[0].splitlines()[2:]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


def test_the_first_page_leads_to_every_other() -> None:
    text = (DOCS / "README.md").read_text(encoding="utf-8")
    links = set(re.findall(r"\]\(([\w-]+\.md)", text))
    assert {path.name for path in DOCS.glob("*.md")} - {"README.md"} == links


def test_the_columns_of_the_tables_are_all_explained() -> None:
    assert set(names_in("using.md", "columns | meaning")) == set(columns(("<class>",)))
    of_tiles = (*_BOX, "prob_<class>", *_MEASURES, _APPEARANCE, "state", "file")
    assert tuple(names_in("formats.md", "columns | meaning")) == of_tiles
    of_reviews = [*(name for name, _ in _COLUMNS), *_OF_MODEL]
    assert names_in("review.md", "columns | meaning") == of_reviews


def test_every_function_of_the_door_is_named() -> None:
    functions = {name for name in lungscan.__all__ if callable(getattr(lungscan, name))}
    assert set(names_in("api.md", "function | for")) == functions
