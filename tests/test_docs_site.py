"""The documentation as a site: it builds without a warning, and asks nobody for anything."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.doc_site import NEEDS_DOCS, build_site

ROOT = Path(__file__).parents[1]
LOADS = {  # attributes whose value a browser fetches without being asked
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "link": "href",
}

pytestmark = NEEDS_DOCS


class Page(HTMLParser):
    """What a page loads, links to and names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if "id" in values:
            self.names.add(values["id"])
        if tag in LOADS and LOADS[tag] in values and values.get("rel") != "canonical":
            self.loads.append(values[LOADS[tag]])
        if tag == "a" and "href" in values:
            self.links.append(values["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as the documentation says, into a folder of the tests."""
    folder = tmp_path_factory.mktemp("site")
    build_site(folder)
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def test_every_page_of_docs_is_in_the_site(pages: dict[Path, Page], site: Path) -> None:
    for source in (ROOT / "docs").glob("*.md"):
        name = "index" if source.stem == "README" else source.stem
        assert site / f"{name}.html" in pages
    for source in (ROOT / "docs/decisions").glob("*.md"):
        assert site / f"decisions/{source.stem}.html" in pages


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page], site: Path) -> None:
    loads = {load for page in pages.values() for load in page.loads}
    assert any(load.endswith(".css") for load in loads)
    assert [load for load in loads if urlsplit(load).netloc] == []
    for sheet in site.rglob("*.css"):
        fetched = re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", sheet.read_text("utf-8"))
        assert fetched == [], sheet


def test_every_link_inside_the_site_leads_somewhere(pages: dict[Path, Page], site: Path) -> None:
    lost = []
    for path, page in pages.items():
        if path.name == "404.html":  # it stands for any address
            continue
        for link in page.links + page.loads:
            there = urlsplit(link)
            if there.scheme or there.netloc or link.startswith("javascript"):
                continue
            target = (path.parent / unquote(there.path)).resolve() if there.path else path
            target = target / "index.html" if target.is_dir() else target
            known = pages[target].names if target in pages else set()
            if not target.is_file() or (
                there.fragment and target in pages and unquote(there.fragment) not in known
            ):
                lost.append(f"{path.relative_to(site)}: {link}")
    assert lost == []


def test_the_search_knows_the_pages(site: Path) -> None:
    index = (site / "search/search_index.js").read_text(encoding="utf-8")  # for sites on a disk
    assert "tutorial.html" in index
    assert "api.html#lungscan" in index


def test_the_api_tells_of_every_function_of_the_door(site: Path, pages: dict[Path, Page]) -> None:
    import lungscan

    functions = [name for name in lungscan.__all__ if callable(getattr(lungscan, name))]
    assert len(functions) > 15
    named = {name.rpartition(".")[2] for name in pages[site / "api.html"].names if "door" in name}
    assert set(functions) <= named


def test_the_api_tells_of_every_public_error_and_event(site: Path, pages: dict[Path, Page]) -> None:
    from lungscan import errors, events, options
    from lungscan.door import jobs

    for module in (errors, events, jobs, options):
        public = {
            f"{module.__name__}.{name}"
            for name, value in vars(module).items()
            if isinstance(value, type) and value.__module__ == module.__name__ and name[0] != "_"
        }
        assert public
        assert public <= pages[site / "api.html"].names
