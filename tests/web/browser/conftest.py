"""A real browser before a real server: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from lungscan.demo.making import make_demo
from tests.web.browser.browsing import Served, open_page, serve

REQUIRED = "LUNGSCAN_BROWSER"  # set by `.ci/run` to the browser's path: nothing is skipped then


def browser_path() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get(REQUIRED) or next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = browser_path()
    if path is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        # A container's root may not use the browser's sandbox; only our own pages are opened.
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The page for this machine alone."""
    with serve(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """The page in a browser of its own, which sends nothing elsewhere and meets no error."""
    with open_page(browser, served) as opened:
        yield opened


@pytest.fixture(scope="session")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's stitched slide."""
    folder = tmp_path_factory.mktemp("demo")
    make_demo(folder)
    return folder / "stitched-slide.svs"


@pytest.fixture(scope="session")
def fields() -> dict[str, Path]:
    """A field of each class, by what the page must answer."""
    folder = Path(__file__).parents[3] / "lungscan/demo/fields/single"
    return {
        "Adenocarcinoma": folder / "adenocarcinoma/lungaca102.jpeg",
        "Benign lung": folder / "benign/lungn671.jpeg",
        "Squamous cell carcinoma": folder / "squamous/lungscc2365.jpeg",
    }
