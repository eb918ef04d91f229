"""What the page shows of states that are hard to meet in a test: the server's words are faked."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.web.browser.browsing import give

PICTURE = {"name": "a.jpeg", "mimeType": "image/jpeg", "buffer": b"not looked at"}
CASE = {
    "n": 1, "name": "first", "file": "first.jpeg", "state": "ended", "status": "ok",
    "headline": "Benign lung", "confidence_text": "0.91", "color": "", "kind": "field",
    "thumbnail": None,
}  # fmt: skip
STATE = {
    "job": "J", "state": "running", "mine": True, "url": "/results/J", "model": "auto",
    "names": ["first.jpeg", "second.svs", "third.jpeg"], "place": 0, "done": 1, "total": 3,
    "tiles_done": 120, "tiles_total": 400, "rate_text": "212 tiles/s",
    "left_text": "about 12 s left", "left_seconds": 12.0, "words": "1 of 3 cases are done.",
    "message": "", "code": "", "notices": ["A notice for people."],
    "cases": [
        CASE,
        {**CASE, "n": 2, "name": "second", "state": "running", "status": "", "headline": ""},
        {**CASE, "n": 3, "name": "third", "state": "waiting", "status": "", "headline": ""},
    ],
    "downloads": [], "ends_in_seconds": None, "deleted_in_seconds": None,
}  # fmt: skip
ANSWER: dict[str, Any] = {
    "job": "J", "case": 1, "name": "first", "file": "first.jpeg", "kind": "field", "status": "ok",
    "headline": "Benign lung", "answer_line": "Benign lung", "label": "lung_n",
    "confidence": 0.91, "confidence_text": "0.91", "why": "", "cure": "", "classes": [],
    "flags": ["A flag in words."], "counts": [["Tiles", "1"]], "files": [], "evidence": [],
    "explanation": "/api/jobs/J/cases/1/explanation", "details": [], "downloads": [],
    "model": {"name": "m", "version": "1", "official": False, "facts": [["Accuracy", "90 %"]],
              "limits": [], "trained_on": ""},
}  # fmt: skip


def play(page: Page, asked: list[str], state: dict[str, Any]) -> None:
    """Answer for a job ``J`` in the server's place."""
    explained = iter(["none", "working", "ready"])

    def answer(route: Route) -> None:
        request = route.request
        path = request.url.partition("/api/jobs")[2]
        asked.append(f"{request.method} {path}")
        if request.method == "POST" and path == "":
            route.fulfill(status=201, json={"job": "J", "url": "/results/J"})
        elif path == "/J/events":
            event = f"event: state\ndata: {json.dumps(state)}\n\n"
            route.fulfill(content_type="text/event-stream", body=event)
        elif path == "/J/cancel":
            route.fulfill(json={**state, "state": "cancelled", "words": "Cancelled."})
        elif path.endswith("/explanation"):
            pictures = [{"title": "Occlusion", "url": "/static/icon.svg", "words": "What counts."}]
            explanation_state = "working" if request.method == "POST" else next(explained, "ready")
            route.fulfill(
                status=202 if request.method == "POST" else 200,
                json={"state": explanation_state, "message": "", "pictures": pictures},
            )
        elif path == "/J/cases/1":
            route.fulfill(json=ANSWER)
        elif path == "/J":
            route.fulfill(json=state)
        else:
            route.fulfill(status=404, json={"error": {"code": "W", "message": "Not here."}})

    page.route("**/api/jobs", answer)
    page.route("**/api/jobs/**", answer)


def test_a_queue_says_how_far_how_fast_and_how_long_yet(page: Page) -> None:
    asked: list[str] = []
    play(page, asked, STATE)
    give(page, [PICTURE])
    job = page.locator(".job")
    expect(job.locator(".pace")).to_have_text("1 of 3 cases are done. 212 tiles/s, about 12 s left")
    progress = job.locator("progress").first
    expect(progress).to_have_attribute("max", "3")
    assert float(progress.get_attribute("value") or 0) == 1.3  # a case, and 120 of 400 tiles
    expect(job).to_contain_text("A notice for people.")
    expect(job.locator('[data-status="running"]')).to_contain_text("second")
    expect(job.locator('[data-status="waiting"]')).to_contain_text("third")
    page.keyboard.press("n")  # to the second case
    expect(page.locator("#answer .kicker")).to_have_text("In work")
    job.get_by_role("button", name="Cancel").click()
    expect(page.locator('.job[data-state="cancelled"]')).to_have_count(1)
    assert "POST /J/cancel" in asked


def test_an_explanation_comes_on_request(page: Page) -> None:
    asked: list[str] = []
    play(page, asked, {**STATE, "state": "finished", "cases": [CASE], "total": 1})
    give(page, [PICTURE])
    expect(page.locator("#answer .label")).to_have_text("Benign lung")
    expect(page.locator("#more")).to_contain_text("A flag in words.")
    expect(page.locator("#more .figure")).to_have_text("90 %")
    expect(page.locator("#more")).to_contain_text("not an official model")
    assert not any(one.startswith("POST /J/cases") for one in asked)  # only when asked for
    page.get_by_role("button", name="Explain this answer").click()
    expect(page.get_by_alt_text("Occlusion")).to_be_visible()
    expect(page.locator("figcaption")).to_contain_text("What counts.")
    expect(page.locator("#said")).to_have_text("The explanation is there.")


def test_what_the_server_refuses_is_reported_in_its_words(page: Page) -> None:
    refusal = {"error": {"code": "W_TOO_MANY", "message": "You have 4 jobs under way."}}
    page.route("**/api/jobs", lambda route: route.fulfill(status=429, json=refusal))
    give(page, [PICTURE])
    expect(page.locator("#alerts")).to_contain_text("You have 4 jobs under way.")
    expect(page.locator("#start")).to_have_text("Classify 1 file")  # can be tried again


def test_too_many_files_are_reported_before_they_are_sent(page: Page) -> None:
    many = [{**PICTURE, "name": f"{number}.jpeg"} for number in range(51)]
    page.locator("#pick").set_input_files(many)  # type: ignore[arg-type]
    expect(page.locator("#alerts")).to_contain_text("the page takes 50 at once")
    expect(page.locator("#start")).to_be_disabled()
    page.get_by_role("button", name="Leave out 50.jpeg").click()
    expect(page.locator("#start")).to_be_enabled()
    expect(page.locator("#alerts .alert")).to_have_count(0)
