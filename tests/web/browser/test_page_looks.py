"""For every eye, screen and hand: accessibility, keyboard, phone to 4K, dark, errors in words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.browser.browsing import Served, answered, give, open_page, ready, serious

WIDTHS = ((390, 844), (820, 1180), (1440, 900), (3840, 2160))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    browser: Browser, served: Served, slide: Path, scheme: str, tmp_path: Path
) -> None:
    with open_page(browser, served, color_scheme=scheme) as page:
        page.locator("#options summary").click()
        assert serious(page) == []
        bad = tmp_path / "bad.svs"
        bad.write_bytes(b"nothing")
        give(page, [slide, bad])
        answered(page, "Adenocarcinoma")
        expect(page.locator("#map")).to_have_attribute("data-drawn", "3")
        page.locator("#more summary").first.click()
        assert serious(page) == []
        page.locator('.case[data-status="failed"]').click()
        answered(page, "Failed")
        assert serious(page) == []
        page.keyboard.press("?")
        expect(page.locator("#keys")).to_be_visible()
        assert serious(page) == []


def test_no_width_scrolls_sideways(browser: Browser, served: Served, slide: Path) -> None:
    with open_page(browser, served) as page:
        sideways = "document.documentElement.scrollWidth - window.innerWidth"
        for width, height in WIDTHS:
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate(sideways) <= 0, width
        give(page, [slide])
        answered(page, "Adenocarcinoma")
        expect(page.locator("#map")).to_have_attribute("data-drawn", "3")
        for width, height in WIDTHS:
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate(sideways) <= 0, width
            expect(page.locator("footer")).to_be_in_viewport()
            expect(page.locator("footer")).to_contain_text(re.compile("research use only", re.I))
            assert _cut(page) == [], width


def _cut(page: Page) -> list[str]:
    """Boxes whose content sticks out of them sideways."""
    cut: list[str] = page.evaluate(
        """() => [...document.querySelectorAll(".card, button, .button")]
          .filter((box) => box.clientWidth && box.scrollWidth > box.clientWidth + 1)
          .map((box) => box.textContent.slice(0, 60))"""
    )
    return cut


def test_dark_where_the_system_is_dark(browser: Browser, served: Served) -> None:
    def light(scheme: str) -> tuple[int, int]:
        with open_page(browser, served, color_scheme=scheme) as page:
            colours = page.evaluate(
                "['backgroundColor', 'color'].map((n) => getComputedStyle(document.body)[n])"
            )
        paper, ink = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours)
        return paper, ink

    paper, ink = light("dark")
    assert paper < 150 < 600 < ink
    paper, ink = light("light")
    assert ink < 150 < 600 < paper


def test_with_the_keyboard_alone(page: Page, fields: dict[str, Path], tmp_path: Path) -> None:
    def tab_to(found: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("s => document.activeElement.matches(s)", found):
                break
        else:
            raise AssertionError(f"Tab never comes to {found}")
        seen = page.evaluate(
            "() => { const e = document.activeElement; const w = e.closest('.drop') ?? e;"
            " return getComputedStyle(w).outlineStyle; }"
        )
        assert seen != "none", found  # the focus can be seen

    # Asked for early: a browser that is told late to hand choosers over may open one itself.
    page.once("filechooser", lambda chooser: chooser.set_files(fields["Benign lung"]))
    tab_to("#pick")
    page.keyboard.press("Enter")
    expect(page.locator("#start")).to_be_focused()
    page.keyboard.press("Enter")
    answered(page, "Benign lung")
    expect(page.locator("#said")).to_contain_text("Benign lung")  # told to a screen reader
    tab_to("#answer input[type=checkbox]")
    page.keyboard.press("Space")
    expect(page.locator("#map")).to_have_attribute("data-drawn", "2")
    tab_to('a[download="report.pdf"]')
    with page.expect_download() as taken:
        page.keyboard.press("Enter")
    taken.value.save_as(tmp_path / "report.pdf")
    tab_to(".openseadragon-canvas")
    zoom = page.locator("#zoom").inner_text()
    page.keyboard.press("+")
    expect(page.locator("#zoom")).not_to_have_text(zoom)
    page.keyboard.press("Shift+?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()


def test_errors_of_the_script_are_words(browser: Browser, served: Served) -> None:
    with open_page(browser, served, errors=True) as page:
        page.evaluate("setTimeout(() => { undefinedName() })")
        expect(page.locator("#alerts")).to_contain_text("The page's script met an error")
        page.evaluate("document.querySelector('#alerts button').click()")
        expect(page.locator("#alerts .alert")).to_have_count(0)
        page.route("**/api/examples/**", lambda route: route.abort())
        page.locator(".example").first.click()
        expect(page.locator("#alerts")).to_contain_text("The server does not answer.")


def test_without_scripts_the_page_says_so(browser: Browser, served: Served) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(served.url)
    expect(page.locator("noscript p")).to_contain_text("Allow scripts for this address")
    expect(page.locator("footer")).to_contain_text(re.compile("research use only", re.I))
    context.close()


def test_a_link_works_until_its_result_is_deleted(
    browser: Browser, served: Served, page: Page, fields: dict[str, Path]
) -> None:
    give(page, [fields["Benign lung"]])
    answered(page, "Benign lung")
    link = page.url
    assert "/results/" in link
    page.reload()
    ready(page)
    answered(page, "Benign lung")
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".job")).to_have_count(0)
    context = browser.new_context()
    other = context.new_page()
    other.goto(link)
    expect(other.locator("body")).to_contain_text("no such result")
    context.close()
