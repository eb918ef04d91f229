"""Logging in and out, and that nothing is asked of any other address."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.web.browser.browsing import Served, answered, give, open_page, ready, serious, serve
from tests.web.browser.conftest import browser_path

PASSWORD = "four plain words here"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("locked")
    passwords = folder / "passwords"
    subprocess.run(
        [sys.executable, "-m", "lungscan_cli", "web", "--auth", passwords, "--add-user", "anna"],
        input=f"{PASSWORD}\n{PASSWORD}\n", text=True, check=True, capture_output=True,
    )  # fmt: skip
    with serve(folder, "--auth", str(passwords)) as running:
        yield running


def test_log_in_and_out(browser: Browser, locked: Served, fields: dict[str, Path]) -> None:
    with open_page(browser, locked, "/login") as page:
        page.goto(locked.url)
        expect(page).to_have_url(re.compile("/login"))
        assert serious(page) == []
        page.get_by_label("Name").fill("anna")
        page.get_by_label("Password").fill("a wrong one")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert").filter(has_text=re.compile(r"\w+\."))).to_be_visible()
        page.get_by_label("Name").fill("anna")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        ready(page)
        give(page, [fields["Benign lung"]])
        answered(page, "Benign lung")
        link = page.url
        page.get_by_role("button", name="Log out").click()
        expect(page).to_have_url(re.compile("/login"))
        page.goto(link)  # the cookie is worth nothing now
        expect(page).to_have_url(re.compile("/login"))


def _may_unshare() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.call(["unshare", "-rn", "true"], stderr=subprocess.DEVNULL) == 0


@pytest.mark.skipif(not _may_unshare(), reason="network namespaces are not permitted here")
def test_all_of_it_works_without_any_network(browser: Browser, fields: dict[str, Path]) -> None:
    # Server and browser share a network namespace that holds nothing but its own loopback.
    program = Path(__file__).with_name("without_network.py")
    picture = fields["Squamous cell carcinoma"]
    done = subprocess.run(
        ["unshare", "-rn", sys.executable, program, picture, browser_path() or ""],
        capture_output=True, text=True, timeout=180, check=False, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "reachable": False,
        "answer": "Squamous cell carcinoma",
        "outside": [],
    }
