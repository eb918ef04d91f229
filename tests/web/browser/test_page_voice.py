"""What a screen reader is told: the accessibility tree of each state, and the live region's words.

The tree is the browser's own (Playwright's aria snapshots), so hidden or unnamed parts are missing
from it as they are for a person who listens.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.web.browser.browsing import answered, give
from tests.web.browser.test_page_states import CASE, PICTURE, STATE, play

RESEARCH = "Research use only"


def tree(page: Page, part: str = "body") -> str:
    """The accessibility tree of a part of the page."""
    return page.locator(part).first.aria_snapshot()


def controls(page: Page) -> list[str]:
    """All buttons, links, fields and the like without a name."""
    bare = re.compile(r"^\s*- (?:button|link|textbox|checkbox|slider|combobox|spinbutton)\s*:?$")
    return [line for line in tree(page).splitlines() if bare.match(line)]


def test_the_beginning(page: Page) -> None:
    expect(page.locator("body")).to_match_aria_snapshot(
        """
        - link "To the content"
        - banner:
          - link "LungScan"
        - main:
          - heading /pictures/ [level=1]
          - region "Images":
            - heading "Images" [level=2]
            - button "Choose files"
          - region "Examples":
            - list:
              - listitem:
                - button /A slide/
          - region "Models, and how good they are":
            - heading /lung-/ [level=3]
            - paragraph: /95 % CI/
        - contentinfo:
          - paragraph: /Research use only/
        - status
        """
    )
    assert controls(page) == []


def test_what_is_chosen_can_be_heard_and_left_out(page: Page) -> None:
    page.locator("#pick").set_input_files([PICTURE])  # type: ignore[list-item]
    expect(page.locator("#said")).to_have_text("1 file chosen")
    expect(page.locator("main")).to_match_aria_snapshot(
        """
        - list "Chosen files":
          - listitem:
            - text: a.jpeg 1 kB
            - button "Leave out a.jpeg"
        - button "Classify 1 file"
        """
    )
    page.locator("summary", has_text="Options").click()
    page.get_by_label("Model", exact=True).select_option("lung-ct")
    expect(page.get_by_label(re.compile("Pixel size"))).to_be_visible()
    assert controls(page) == []


def test_how_far_it_is(page: Page) -> None:
    first = {**STATE["cases"][1], "n": 1, "name": "first"}
    words = "0 of 3 cases are done."
    play(page, [], {**STATE, "done": 0, "words": words, "cases": [first, *STATE["cases"][1:]]})
    give(page, [PICTURE])
    expect(page.locator("main")).to_match_aria_snapshot(
        """
        - region "Cases":
          - progressbar "Progress"
          - paragraph: 0 of 3 cases are done. 212 tiles/s, about 12 s left
          - button "Cancel"
          - list:
            - listitem:
              - button /first Being looked at/
            - listitem:
              - button /second Being looked at/
            - listitem:
              - button /third Waits/
        """
    )
    expect(page.locator("#said")).to_have_text(words)
    page.keyboard.press("n")
    expect(page.locator("#answer")).to_match_aria_snapshot(
        """
        - paragraph: In work
        - paragraph: second
        """
    )
    assert controls(page) == []


def test_an_answer_with_its_probability(page: Page, fields: dict[str, Path]) -> None:
    give(page, [fields["Benign lung"]])
    answered(page, "Benign lung")
    expect(page.locator("#said")).to_have_text(re.compile(r"^lungn671: Benign lung (> )?0\.\d\d$"))
    expect(page.locator("#answer")).to_match_aria_snapshot(
        r"""
        - paragraph: Model output
        - paragraph: Benign lung
        - paragraph: Calibrated probability
        - paragraph: /0\.\d\d/
        - region "Classes":
          - table:
            - rowgroup:
              - row /Class/
            - rowgroup:
              - row /Adenocarcinoma/:
                - rowheader /Adenocarcinoma/:
                  - checkbox "Show Adenocarcinoma on the map" [checked]
                  - text: Adenocarcinoma
        - region "To take away":
          - link "Report (PDF)"
          - link "Tiles (CSV)"
          - button "Copy the link"
        """
    )
    expect(page.locator("#more")).to_match_aria_snapshot(
        """
        - region "Quality":
          - term: Tiles
        - region "Model":
          - paragraph: /95 % CI/
        """
    )
    expect(page.locator("#view")).to_match_aria_snapshot(
        """
        - heading "Picture" [level=2]
        - group "View":
          - button "Fit"
          - button "Zoom out"
          - button "Zoom in"
          - button "Map" [pressed]
          - slider "Opacity"
        - application "Picture"
        """
    )
    assert controls(page) == []
    assert RESEARCH in tree(page, "footer")


def test_no_result_and_failure_with_their_reasons(page: Page, tmp_path: Path) -> None:
    bad = tmp_path / "slide.svs"
    bad.write_bytes(b"II*\0 not a slide")
    drawn = tmp_path / "glass.png"
    from PIL import Image

    Image.new("RGB", (300, 300), (243, 241, 243)).save(drawn)
    give(page, [bad, drawn])
    expect(page.locator('.job[data-state="finished"]')).to_have_count(1)
    messages = {"slide": ("Not classified", "Failed"), "glass": ("Model output", "No result")}
    for name, (kicker, label) in messages.items():
        page.locator(".case", has_text=name).click()
        expect(page.locator("#answer")).to_match_aria_snapshot(
            f"""
            - paragraph: {kicker}
            - paragraph: /^{label}/
            - paragraph: /\\w+ .*\\./
            """
        )
        assert controls(page) == []


def test_an_answer_is_not_talked_over_by_the_end_of_its_job(page: Page) -> None:
    play(page, [], STATE)
    done = {**STATE, "state": "finished", "words": "Done.", "cases": [CASE], "total": 1}
    page.route(
        "**/J/events",
        lambda route: route.fulfill(
            content_type="text/event-stream", body=f"event: state\ndata: {json.dumps(done)}\n\n"
        ),
    )
    give(page, [PICTURE])
    expect(page.locator('.job[data-state="finished"]')).to_have_count(1)
    expect(page.locator("#said")).to_have_text("first: Benign lung 0.91")


def test_an_end_before_the_end_is_reported(page: Page) -> None:
    play(page, [], STATE)
    give(page, [PICTURE])
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#said")).to_have_text("Cancelled")
    expect(page.locator("#queue")).to_match_aria_snapshot(
        """
        - paragraph: Cancelled
        - button "Delete"
        """
    )


def test_a_job_that_failed_is_an_alert(page: Page) -> None:
    why = "The disk of this page is full."
    failed = {**STATE, "state": "failed", "message": why, "cases": [CASE]}
    play(page, [], STATE)
    give(page, [PICTURE])
    page.route("**/api/jobs/J/cancel", lambda route: route.fulfill(json=failed))
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#alerts")).to_match_aria_snapshot(
        f"""
        - alert:
          - paragraph: {why}
          - button "Close"
        """
    )
