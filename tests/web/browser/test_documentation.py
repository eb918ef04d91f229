"""The documentation in a real browser, opened from a disk, as without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.doc_site import NEEDS_DOCS, build_site

pytestmark = NEEDS_DOCS


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build_site(folder)
    return folder


@pytest.fixture(params=["light", "dark"])
def opened(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """An empty page that notes what it asks for and what goes wrong in it."""
    page = browser.new_page(color_scheme=request.param, viewport={"width": 1280, "height": 900})
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    page.close()
    assert asked
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert wrong == []


def test_the_search_works_from_a_disk(opened: Page, site: Path) -> None:
    # As a link to a search: what is typed before the index is there would not be looked for.
    opened.goto((site / "index.html").as_uri() + "?q=E_NO_MPP", timeout=60_000)
    found = opened.locator(".md-search-result__item").filter(has_text="Flags and error codes")
    expect(found.first).to_be_visible(timeout=60_000)
    found.first.get_by_role("link").first.click()
    expect(opened.get_by_role("heading", level=1)).to_contain_text(
        "Flags and error codes", timeout=60_000
    )


@pytest.mark.parametrize("name", ["tutorial", "api", "answers"])
def test_texts_stand_out_from_their_ground(opened: Page, site: Path, name: str) -> None:
    opened.goto((site / f"{name}.html").as_uri())
    only = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
    answer = Axe().run(opened, options=only)
    assert [
        (each["id"], node["html"])
        for each in answer.response["violations"]
        for node in each["nodes"]
    ][:10] == []


@pytest.mark.parametrize("opened", ["light"], indirect=True)
def test_no_page_is_wider_than_a_narrow_screen(opened: Page, site: Path) -> None:
    opened.set_viewport_size({"width": 400, "height": 800})
    for path in sorted(site.glob("*.html")):
        opened.goto(path.as_uri())
        width = opened.evaluate("document.documentElement.scrollWidth")
        assert width <= 400, path.name
