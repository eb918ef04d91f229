<<<<<<< HEAD
"""A real browser before a real server: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
=======
"""The page's tests: a server on a real port, and jobs that a fake process answers at once."""

from __future__ import annotations

>>>>>>> wp-b
from collections.abc import Iterator
from pathlib import Path

import pytest
<<<<<<< HEAD
from playwright.sync_api import Browser, Page, sync_playwright

from lungscan.demo.making import make_demo
from tests.web.browsing import Served, open_page, serve

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
    folder = Path(__file__).parents[2] / "lungscan/demo/fields/single"
    return {
        "Adenocarcinoma": folder / "adenocarcinoma/lungaca102.jpeg",
        "Benign lung": folder / "benign/lungn671.jpeg",
        "Squamous cell carcinoma": folder / "squamous/lungscc2365.jpeg",
    }
=======

try:
    import jinja2  # noqa: F401
    import python_multipart  # noqa: F401
    import starlette  # noqa: F401
    import uvicorn  # noqa: F401
except ImportError as error:
    REASON = f"the page needs the extra `web`: {error}"
else:
    REASON = ""
    from tests.web.browsing import Page, Rehearsal


class Unavailable(pytest.Module):
    """A file of tests that cannot even be imported."""

    def collect(self) -> Iterator[pytest.Item]:
        """Skip it."""
        pytest.skip(REASON, allow_module_level=True)


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    """Without the extra there is nothing to import."""
    return Unavailable.from_parent(parent, path=module_path) if REASON else None


@pytest.fixture
def rehearsal() -> Rehearsal:
    """What fake processes do, and which there were."""
    return Rehearsal()


@pytest.fixture
def page(rehearsal: Rehearsal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A page with small limits whose jobs are answered by fakes."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Page(rehearsal) as opened:
        yield opened
>>>>>>> wp-b
