"""What the page shows of states that are hard to meet in a test: the server's words are faked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.web.browser.browsing import Served, give, open_page, ready

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
    "confidence": 0.91, "confidence_text": "0.91", "why": "", "unspoken": "",
    "classes": [], "flags": ["A flag in words."], "counts": [["Tiles", "1"]], "files": [],
    "evidence": [],
    "words": {
        "tile": "tile", "tiles": "tiles", "share": "Share",
        "top": "Clearest", "uncertain": "Unclear",
    },
    "explanation": "/api/jobs/J/cases/1/explanation", "details": [], "downloads": [],
    "model": {"name": "m", "version": "1", "official": False, "facts": [["Accuracy", "90 %"]],
              "limits": [], "trained_on": ""},
}  # fmt: skip


TILE = Path(__file__).parents[3] / "lungscan/demo/fields/single/benign/lungn671.jpeg"
ZOOM = {
    "width": 2048, "height": 2048, "tile_size": 512, "tile_overlap": 0, "min_level": 9,
    "max_level": 11, "mpp_um": 0.5, "whole_comes_late": False, "tiles": "/api/jobs/J/tiles/",
}  # fmt: skip
MAPS = [
    {
        "next": 5,
        "classes": [
            {"name": "a", "display": "Adenocarcinoma", "color": "#d55e00", "letter": "A"},
            {"name": "n", "display": "Benign lung", "color": "#009e73", "letter": "B"},
        ],
        "tiles": [[0, 0, 512, 512, 0, 0.9, "used"]],
    },
    {"next": 9, "classes": None, "tiles": [[1024, 1024, 512, 512, 1, 0.8, "used"]]},
]


def play(page: Page, asked: list[str], state: dict[str, Any]) -> None:
    """Answer for a job ``J`` in the server's place."""
    explained = iter(["none", "working", "ready"])
    maps = iter(MAPS)

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
        elif path.endswith("/zoom/0"):
            route.fulfill(json=ZOOM)
        elif "/map" in path:
            route.fulfill(json=next(maps, {"next": 9, "classes": None, "tiles": []}))
        elif path.endswith(".jpg"):
            route.fulfill(body=TILE.read_bytes(), content_type="image/jpeg")
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


def test_where_no_answer_is_given_the_likeliest_class_is_called_none(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "The rule would have named Benign lung. This is not an answer."
    refused = {"label": None, "answer_line": "No result: too uncertain", "unspoken": words}
    for key, value in refused.items():
        monkeypatch.setitem(ANSWER, key, value)
    play(page, [], STATE)
    give(page, [PICTURE])
    expect(page.locator("#answer .output")).to_contain_text(words)


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


@pytest.mark.parametrize("typed", ["0.5", "0,5"])
def test_the_pixel_size_goes_as_it_was_typed(page: Page, typed: str) -> None:
    """A box for numbers made 05 of "0,5", ten times the size, without a word."""
    sent: list[bytes] = []
    refusal = {"error": {"code": "W_TOO_MANY", "message": "Later."}}

    def answer(route: Route) -> None:
        sent.append(route.request.post_data_buffer or b"")
        route.fulfill(status=429, json=refusal)

    page.route("**/api/jobs", answer)
    page.locator("#options summary").click()
    page.locator("#mpp").click()
    page.keyboard.type(typed)
    give(page, [PICTURE])
    expect(page.locator("#alerts")).to_contain_text("Later.")
    assert f'name="mpp"\r\n\r\n{typed}\r\n'.encode() in sent[0]


@pytest.mark.parametrize("typed", ["25", "0.25 µm"])
def test_a_pixel_size_that_is_none_is_reported_before_gigabytes_are_sent(
    page: Page, typed: str
) -> None:
    sent: list[str] = []

    def answer(route: Route) -> None:
        sent.append(route.request.method)
        route.fulfill(status=429, json={"error": {"code": "W_TOO_MANY", "message": "Later."}})

    page.route("**/api/jobs", answer)
    page.locator("#options summary").click()
    page.locator("#mpp").fill(typed)
    give(page, [PICTURE])
    expect(page.locator("#alerts")).to_contain_text("must be a number from 0.05 to 10 µm")
    expect(page.locator("#mpp")).to_be_focused()
    assert not sent


def test_too_many_files_are_reported_before_they_are_sent(page: Page) -> None:
    many = [{**PICTURE, "name": f"{number}.jpeg"} for number in range(51)]
    page.locator("#pick").set_input_files(many)  # type: ignore[arg-type]
    expect(page.locator("#alerts")).to_contain_text("the page takes 50 at once")
    expect(page.locator("#start")).to_be_disabled()
    page.get_by_role("button", name="Leave out 50.jpeg").click()
    expect(page.locator("#start")).to_be_enabled()
    expect(page.locator("#alerts .alert")).to_have_count(0)


def test_jobs_in_work_are_followed_from_the_front_page_and_after_one_has_ended(
    browser: Browser, served: Served
) -> None:
    def state(job: str, **more: Any) -> dict[str, Any]:
        return {**STATE, "job": job, "url": f"/results/{job}", "names": [f"{job}.png"], **more}

    followed: list[str] = []
    going = {"A": True, "B": True}

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path.removeprefix("/api/jobs")
        job = path.strip("/").partition("/")[0]
        now = state(job) if going.get(job) else state(job, state="finished")
        if path == "":
            route.fulfill(json={"jobs": [state("A"), state("B")]})
        elif path.endswith("/events"):
            followed.append(job)
            going[job] = len(followed) > 1  # the first one ends at once
            now = state(job) if going[job] else state(job, state="finished")
            event = f"retry: 60000\nevent: state\ndata: {json.dumps(now)}\n\n"
            route.fulfill(content_type="text/event-stream", body=event)
        else:
            route.fulfill(json=now)

    with open_page(browser, served, "/login") as page:
        page.route("**/api/jobs", answer)
        page.route("**/api/jobs/**", answer)
        page.goto(served.url)  # as by the link at the head of the page
        expect(page.locator(".job")).to_have_count(2)
        expect(page.locator('.job[data-state="finished"]')).to_have_count(1)
        expect(page.locator('.job[data-state="running"]')).to_be_visible()
        page.wait_for_timeout(300)
    assert len(followed) == 2
    assert set(followed) == {"A", "B"}


def test_a_job_that_the_server_no_longer_knows_is_over(page: Page) -> None:
    asked: list[str] = []
    play(page, asked, STATE)
    give(page, [PICTURE])
    expect(page.locator(".job .pace")).to_contain_text("1 of 3 cases are done.")
    gone = {"error": {"code": "W_NOT_HERE", "message": "This result is not kept any more."}}
    page.route("**/api/jobs/J**", lambda route: route.fulfill(status=404, json=gone))
    page.route("**/api/jobs/J/**", lambda route: route.fulfill(status=404, json=gone))
    expect(page.locator(".job .pace")).to_have_text("This result is not kept any more.")
    expect(page.locator('.job[data-state="failed"]')).to_have_count(1)
    questions: list[str] = []
    page.on("request", lambda request: questions.append(request.url))
    page.wait_for_timeout(2500)  # longer than the page's own rounds
    assert not [url for url in questions if "/api/jobs/J" in url]


def drop(page: Page, *paths: Path) -> None:
    """Drop files or folders, as from another program."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        place = {"type": kind, "x": 200, "y": 300, "data": data}
        session.send("Input.dispatchDragEvent", place)


def test_a_dropped_folder_is_given_file_by_file(page: Page, tmp_path: Path) -> None:
    folder = tmp_path / "series"
    for name in ("10.dcm", "2.dcm", "1.dcm", "more/3.dcm", ".hidden"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    drop(page, folder)
    expect(page.locator("#chosen .name")).to_have_text(["1.dcm", "2.dcm", "10.dcm", "3.dcm"])
    for number in range(60):
        (folder / "more" / f"{number}.dcm").write_bytes(b"x")
    page.reload()
    ready(page)
    drop(page, folder)
    # Half a series could get another answer than the whole, so none of it is taken.
    expect(page.locator("#alerts")).to_contain_text("The folder holds more than 50 files")
    expect(page.locator("#chosen li")).to_have_count(0)
    expect(page.locator("#start")).to_be_hidden()


def test_a_file_that_no_model_was_shown_says_why(page: Page) -> None:
    broken = {**CASE, "n": 2, "name": "b.zip", "status": "failed", "headline": "Failed"}
    broken |= {"confidence_text": "", "kind": "", "why": "The ZIP archive is damaged."}
    asked: list[str] = []
    play(page, asked, {**STATE, "state": "finished", "cases": [CASE, broken]})
    give(page, [PICTURE])
    page.locator(".case", has_text="b.zip").click()
    expect(page.locator("#answer")).to_contain_text("The ZIP archive is damaged.")
    expect(page.locator("#answer .label")).to_have_text("Failed")
    expect(page.locator("#more")).to_be_empty()
    assert not [path for path in asked if path.endswith("/cases/2")]
    page.locator(".case", has_text="first").click()
    expect(page.locator("#answer .label")).to_have_text("Benign lung")


def test_many_skipped_files_are_folded_away_and_count_as_no_cases(page: Page) -> None:
    skipped = [
        {**CASE, "n": n, "name": f"file {n}", "status": "skipped", "headline": "Skipped"}
        for n in range(2, 7)
    ]
    state = {**STATE, "state": "finished", "cases": [CASE, *skipped]}
    play(page, [], state)
    give(page, [PICTURE])
    expect(page.locator(".job .pace")).to_have_text("1 case, 5 files skipped")
    expect(page.locator(".queue summary")).to_have_text("5 files skipped")
    expect(page.locator(".case", has_text="file 2")).to_be_hidden()
    page.locator(".queue summary").click()
    page.locator(".case", has_text="file 3").click()  # which draws the list anew
    expect(page.locator(".case", has_text="file 2")).to_be_visible()


def test_stepping_on_is_heard_and_keeps_the_focus_in_the_answer(page: Page) -> None:
    second = {**CASE, "n": 2, "name": "second", "headline": "Adenocarcinoma"}
    play(page, [], {**STATE, "state": "finished", "cases": [CASE, second]})
    other = {**ANSWER, "case": 2, "name": "second", "answer_line": "Adenocarcinoma"}
    page.route("**/api/jobs/J/cases/2", lambda route: route.fulfill(json=other))
    give(page, [PICTURE])
    page.get_by_role("button", name="Copy the link").focus()
    page.keyboard.press("n")
    expect(page.locator("#answer .label")).to_have_text("Adenocarcinoma")
    expect(page.locator("#said")).to_have_text("second Adenocarcinoma 0.91")
    expect(page.locator("#answer")).to_be_focused()


def test_slices_among_the_evidence_bear_their_numbers(page: Page) -> None:
    tile = {"role": "top", "file": 0, "box": [0, 0, 9, 9], "picture": "/static/icon.svg"}
    shown = [{**tile, "caption": "Malignant 0.99", "slice": at} for at in (4, 11)]
    answer = {**ANSWER, "kind": "series", "evidence": [*shown, {**shown[0], "slice": None}]}
    play(page, [], {**STATE, "state": "finished", "cases": [CASE]})
    page.route("**/api/jobs/J/cases/1", lambda route: route.fulfill(json=answer))
    give(page, [PICTURE])
    expect(page.locator(".tile")).to_have_text(
        ["Malignant 0.99Slice 5", "Malignant 0.99Slice 12", "Malignant 0.99"]
    )


def test_how_long_a_result_is_kept_is_said_once_its_job_has_ended(page: Page) -> None:
    play(page, [], {**STATE, "cases": [CASE]})
    give(page, [PICTURE])
    expect(page.locator("#answer .label")).to_have_text("Benign lung")
    expect(page.locator("#until")).to_be_hidden()
    page.unroute_all()
    play(page, [], {**STATE, "state": "finished", "cases": [CASE], "deleted_in_seconds": 3600})
    expect(page.locator("#until")).to_contain_text("works for 60 min more")


def test_a_model_is_chosen_among_those_of_its_kind(page: Page) -> None:
    card = {"version": "1", "facts": [["Accuracy", "93 %"]], "limits": [], "official": True}
    models = [
        {**card, "name": "lung-histology", "judged": "tissue", "summary": "The default."},
        {**card, "name": "lung-histology-fast", "judged": "tissue", "summary": "Faster."},
        {**card, "name": "lung-ct", "judged": "chest CT", "summary": "CT."},
    ]
    auto = {"series": "lung-ct", "slide": "lung-histology"}
    page.route("**/api/models", lambda route: route.fulfill(json={"models": models, "auto": auto}))
    page.reload()
    ready(page)
    page.locator("#options summary").click()
    expect(page.locator("#model")).to_have_value("auto")
    expect(page.locator("#model-about")).to_contain_text("slides to lung-histology;")
    groups = page.locator("#model optgroup")
    expect(groups).to_have_count(2)
    expect(groups.first.locator("option")).to_have_text(["lung-histology", "lung-histology-fast"])
    page.locator("#model").select_option("lung-histology-fast")
    expect(page.locator("#model-about")).to_have_text("Faster. Accuracy: 93 %.")


def test_a_file_that_is_gone_is_not_blamed_on_the_server(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "a.jpeg"
    path.write_bytes(b"x" * 100)
    page.locator("#pick").set_input_files([path])
    path.unlink()
    page.get_by_role("button", name="Classify 1 file").click()
    expect(page.locator("#alerts")).to_contain_text("Your browser cannot read a.jpeg")


RUNNING = {**CASE, "state": "running", "status": "", "headline": "", "kind": "slide"}


def test_the_map_fills_while_tiles_are_scored(page: Page) -> None:
    asked: list[str] = []
    play(page, asked, {**STATE, "cases": [RUNNING], "total": 1, "done": 0})
    give(page, [PICTURE])
    expect(page.locator("#map")).to_have_attribute("data-drawn", "2")  # both classes are shown
    expect(page.locator("#more")).to_contain_text("The map fills while tiles are looked at.")
    expect(page.locator("#more .legend").first).to_have_text("AAdenocarcinomaBBenign lung")
    # Each state brings what has been scored since; the stream is faked, so it ends and comes again.
    page.wait_for_function("() => document.getElementById('map').dataset.tiles === '2'")
    assert _alpha(page, 256, 256) > 0
    assert _alpha(page, 1280, 1280) > 0
    assert _alpha(page, 1280, 256) == 0  # not looked at yet
    begins = [one for one in asked if "/map" in one]
    assert begins[:2] == ["GET /J/cases/1/map?begin=0", "GET /J/cases/1/map?begin=5"]
    page.keyboard.press("h")
    expect(page.locator("#map")).to_have_attribute("data-drawn", "")


def _alpha(page: Page, x: int, y: int) -> int:
    """How much the map covers a point of level 0."""
    alpha: int = page.evaluate(
        """([x, y]) => {
          const item = OpenSeadragon.getViewer("osd").world.getItemAt(0);
          const at = item.imageToViewerElementCoordinates(new OpenSeadragon.Point(x, y));
          const canvas = document.getElementById("map");
          const ratio = canvas.width / canvas.clientWidth;
          return canvas.getContext("2d").getImageData(at.x * ratio, at.y * ratio, 1, 1).data[3];
        }""",
        [x, y],
    )
    return alpha


def test_a_slide_without_small_levels_shows_its_middle_first(page: Page) -> None:
    asked: list[str] = []
    play(page, asked, {**STATE, "cases": [RUNNING], "total": 1, "done": 0})
    page.route(
        "**/J/cases/1/zoom/0",
        lambda route: route.fulfill(json={**ZOOM, "width": 20000, "height": 20000,
                                          "max_level": 15, "whole_comes_late": True}),
    )  # fmt: skip
    whole: list[Route] = []

    def take_its_time(route: Route) -> None:
        whole.append(route)

    page.route("**/J/tiles/9/0_0.jpg", take_its_time)
    give(page, [PICTURE])
    expect(page.locator("#wait")).to_contain_text("holds no small picture of itself")
    expect(page.locator("#zoom")).to_have_text("20x")  # a pixel of 0.5 µm for each of the screen
    for route in whole:
        route.fulfill(body=TILE.read_bytes(), content_type="image/jpeg")
    expect(page.locator("#wait")).to_have_text("")
    expect(page.locator("#zoom")).not_to_have_text("20x")
