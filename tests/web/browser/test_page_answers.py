"""What people come for: files in, answers and reports out, in a real browser."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.web.browser.browsing import Served, answered, give, open_page

SHARED = Path(__file__).parents[4] / "shared/data"
PROBABILITY = re.compile(r"^(> 0\.99|0\.\d\d)$")


def test_a_field_is_answered_and_its_report_taken_away(
    page: Page, fields: dict[str, Path], tmp_path: Path
) -> None:
    give(page, [fields["Squamous cell carcinoma"]])
    answered(page, "Squamous cell carcinoma")
    expect(page.locator("#answer .number")).to_have_text(PROBABILITY)
    first = page.locator("#answer tr.first")
    expect(first).to_contain_text("Squamous cell carcinoma")
    for name, begin in (("report.pdf", b"%PDF-"), ("tiles.csv", b"minx,"), ("tiles.geojson", b"{")):
        with page.expect_download() as taken:
            page.locator(f'#answer a[download="{name}"]').click()
        taken.value.save_as(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(begin)
    # The card leads with what was measured, and its interval.
    expect(page.locator("#more .figure")).to_contain_text(re.compile("95 % (CI|interval)"))


def test_a_slide_is_zoomed_and_its_map_switched(page: Page, slide: Path) -> None:
    levels: set[int] = set()
    page.on("request", lambda r: levels.update(map(int, re.findall(r"/tiles/(\d+)/", r.url))))
    give(page, [slide])
    answered(page, "Adenocarcinoma")
    drawn = page.locator("#map")
    expect(drawn).to_have_attribute("data-drawn", "3")
    seen = max(levels)
    before = page.locator("#zoom").inner_text()
    for _ in range(4):
        page.get_by_role("button", name="Zoom in").click()
    expect(page.locator("#zoom")).not_to_have_text(before)
    page.wait_for_function("n => performance.getEntriesByType('resource').length > n", arg=0)
    page.wait_for_timeout(800)  # the zoom's glide, then its tiles
    assert max(levels) > seen  # sharper tiles came
    assert _paint(page) > 0
    page.get_by_label("Show Adenocarcinoma on the map").uncheck()
    expect(drawn).to_have_attribute("data-drawn", "2")
    page.keyboard.press("h")
    expect(drawn).to_have_attribute("data-drawn", "")
    assert _paint(page) == 0
    expect(page.locator("#answer .label")).to_have_text("Adenocarcinoma")  # as ever
    page.locator(".tile").first.click()  # evidence leads to its place
    expect(page.locator("#scalebar")).to_be_visible()


def _paint(page: Page) -> int:
    """Pixels of the map that are not clear."""
    count: int = page.evaluate(
        """() => {
          const canvas = document.getElementById("map");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return data.filter((value, index) => index % 4 === 3 && value > 0).length;
        }"""
    )
    return count


def test_the_map_lies_on_its_tiles(page: Page, slide: Path) -> None:
    # Above each tile the map is painted, and beside all of them it is clear, at two zooms.
    give(page, [slide])
    answered(page, "Adenocarcinoma")
    expect(page.locator("#map")).to_have_attribute("data-drawn", "3")
    for _ in range(2):
        page.wait_for_timeout(700)
        boxes = _boxes_by_pixels(page)
        assert boxes["inside"] > 0.9
        assert boxes["outside"] == 0
        page.get_by_role("button", name="Zoom out").click()


def _boxes_by_pixels(page: Page) -> dict[str, float]:
    found: dict[str, float] = page.evaluate(
        """async () => {
          const csv = document.querySelector('a[download="tiles.csv"]').href;
          const lines = (await (await fetch(csv)).text()).trim().split(/\\r?\\n/).slice(1);
          const boxes = lines.map((line) => line.split(",").slice(0, 4).map(Number));
          const viewer = OpenSeadragon.getViewer("osd");
          const item = viewer.world.getItemAt(0);
          const canvas = document.getElementById("map");
          const ratio = canvas.width / canvas.clientWidth;
          const context = canvas.getContext("2d");
          const alpha = (x, y) => {
            const at = item.imageToViewerElementCoordinates(new OpenSeadragon.Point(x, y));
            return context.getImageData(at.x * ratio, at.y * ratio, 1, 1).data[3];
          };
          const used = lines.map((line) => line.endsWith(",used"));
          const inside = boxes.filter((_, i) => used[i]);
          const middles = inside.map(([x, y, w, h]) => alpha(x + w / 2, y + h / 2));
          const left = Math.min(...boxes.map(([x]) => x)) - 40;
          const outside = boxes.map(([, y]) => alpha(left, y));
          return {
            inside: middles.filter((a) => a > 0).length / middles.length,
            outside: outside.filter((a) => a > 0).length,
          };
        }"""
    )
    return found


def test_no_result_says_why(page: Page) -> None:
    page.get_by_role("button", name=re.compile("glass|noise|drawn", re.IGNORECASE)).first.click()
    expect(page.locator("#answer .label")).to_have_text(re.compile("^(No result|Failed)"))
    expect(page.locator("#answer .output")).to_contain_text(re.compile(r"\w+ .*\."))
    expect(page.locator("#answer .number")).to_have_count(0)


def test_a_bad_file_gets_words_and_costs_the_others_nothing(
    page: Page, fields: dict[str, Path], tmp_path: Path
) -> None:
    bad = tmp_path / "slide.svs"
    bad.write_bytes(b"II*\0 not a slide")
    give(page, [bad, fields["Benign lung"]])
    expect(page.locator('.case[data-status="failed"]')).to_have_count(1)
    expect(page.locator(".case", has_text="Benign lung")).to_have_count(1)
    page.locator('.case[data-status="failed"]').click()
    answered(page, "Failed")
    expect(page.locator("#answer .kicker").first).to_have_text("Not classified")
    texts = page.locator("#answer .output p").all_inner_texts()
    assert any(words.endswith(".") and len(words) > 20 for words in texts), texts
    assert "Traceback" not in page.locator("body").inner_text()


def test_names_are_shown_as_they_are(page: Page, fields: dict[str, Path]) -> None:
    name = "<img src=x onerror=alert(1)>.jpeg"
    picture = fields["Benign lung"].read_bytes()
    give(page, [{"name": name, "mimeType": "image/jpeg", "buffer": picture}])
    answered(page, "Benign lung")
    assert page.locator("#main img[src=x]").count() == 0
    assert "img src=x onerror=alert(1)" in page.locator("#queue").inner_text()


def test_cancel(page: Page, fields: dict[str, Path], slide: Path) -> None:
    give(page, [slide, *fields.values(), *[fields["Benign lung"]] * 20])
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator('.job[data-state="cancelled"]')).to_have_count(1)
    expect(page.locator("#said")).to_have_text(re.compile("Cancelled"))
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".job")).to_have_count(0)


def test_a_job_is_deleted_while_its_picture_comes(page: Page, slide: Path) -> None:
    """The parts on their way are refused then, which the page takes for what it is."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(re.compile(r"/zoom/.*\.jpg"), hold)
    give(page, [slide])
    for _ in range(300):
        page.wait_for_timeout(100)
        if held:
            break
    assert held
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".job")).to_have_count(0)
    for route in held:
        route.continue_()
    page.wait_for_timeout(500)
    expect(page.locator(".alert")).to_have_count(0)
    expect(page.locator("#view")).to_be_hidden()


def test_two_visitors_at_once(browser: Browser, served: Served, fields: dict[str, Path]) -> None:
    with open_page(browser, served) as anna, open_page(browser, served) as ben:
        give(anna, [fields["Adenocarcinoma"]])
        give(ben, [fields["Benign lung"]])
        answered(ben, "Benign lung")
        answered(anna, "Adenocarcinoma")
        assert anna.locator(".case").count() == ben.locator(".case").count() == 1
        # Ben has the link: he may look, but end nothing.
        ben.goto(anna.url)
        answered(ben, "Adenocarcinoma")
        assert (
            ben.locator(".job", has_text="lungaca102").get_by_role("button", name="Delete").count()
            == 0
        )
        anna.get_by_role("button", name="Delete").click()
        expect(anna.locator(".job")).to_have_count(0)


def test_a_series_has_a_slider(page: Page, tmp_path: Path) -> None:
    files = sorted((SHARED / "ct-dicom/ricord").glob("*.dcm"))
    if not files:
        pytest.skip("no DICOM series: ../shared/data/ct-dicom/ricord is missing")
    models = page.evaluate("async () => (await (await fetch('/api/models')).json()).models")
    if not any(model["modality"] == "chest-ct" for model in models):
        pytest.skip("no model of CT is shipped")
    archive = tmp_path / "series.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in files:
            packed.write(path, path.name)
    asked: list[str] = []
    page.on("request", lambda request: "/series/" in request.url and asked.append(request.url))
    give(page, [archive])
    of = page.locator("#slice-of")
    expect(of).to_have_text(re.compile(rf"^\d+ of {len(files)}\b"))
    page.locator("#slice").focus()
    page.keyboard.press("Home")
    expect(of).to_have_text(re.compile("^1 of"))
    page.keyboard.press("ArrowRight")
    expect(of).to_have_text(re.compile("^2 of"))
    page.keyboard.press(".")
    page.keyboard.press(",")
    page.keyboard.press(",")
    expect(of).to_have_text(re.compile("^1 of"))
    expect(page.locator("#wait")).to_have_text("")
    assert any(url.endswith("/0.png") for url in asked)
    expect(page.locator("#window")).to_contain_text("HU")
    expect(page.locator("#answer .number")).to_have_text(PROBABILITY)
    expect(page.locator("#more")).to_contain_text("Most suspicious slices")
    expect(page.locator("#more")).to_contain_text(re.compile(r"Slices\s*\d+"))
    texts = page.locator("#answer, #more").all_inner_texts()
    assert [word for text in texts for word in ("Tiles", "tissue") if word in text] == [], texts
    with page.expect_download() as taken:
        page.locator('#answer a[download="slices.csv"]').click()
    taken.value.save_as(tmp_path / "slices.csv")
    assert len((tmp_path / "slices.csv").read_text().splitlines()) == len(files) + 1
    page.get_by_role("button", name="Explain this answer").click()
    expect(page.locator("#more figcaption")).to_contain_text("when blurred")


def test_the_slices_of_an_answer_are_a_press_away(page: Page, fields: dict[str, Path]) -> None:
    # The server's series is faked at the browser's border, so that the slider stands by itself.
    picture = fields["Benign lung"].read_bytes()

    def answer(route: Route) -> None:
        real = json.loads(route.fetch().text())
        real["files"][0]["series"] = "/api/fake/series/0"
        route.fulfill(json={**real, "kind": "series", "evidence": []})

    def series(route: Route) -> None:
        if route.request.url.endswith(".png"):
            route.fulfill(body=picture, content_type="image/jpeg")
            return
        route.fulfill(json={
            "count": 30, "side_px": 512, "positions_mm": None, "spacing_mm": None,
            "window": {"level": -600, "width": 1500}, "slices": "/api/fake/series/0/",
            "marked": [{"slice": 11, "caption": "Malignant 0.93", "role": "top"}],
        })  # fmt: skip

    page.route(re.compile(r"/cases/1$"), answer)
    page.route("**/api/fake/series/**", series)
    give(page, [fields["Benign lung"]])
    answered(page, "Benign lung")
    expect(page.locator("#slice-of")).to_have_text("12 of 30")  # begins where the answer comes from
    page.locator("#slice").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#slice-of")).to_have_text("13 of 30")
    page.get_by_role("button", name="12: Malignant 0.93").click()
    expect(page.locator("#slice-of")).to_have_text("12 of 30")


def test_all_that_is_given_together_goes_to_its_model(
    page: Page, fields: dict[str, Path], slide: Path, tmp_path: Path
) -> None:
    slices = SHARED / "iq-oth-nccd"
    series = sorted((SHARED / "ct-dicom/ricord").glob("*.dcm"))
    if not slices.is_dir() or not series:
        pytest.skip("no CT: ../shared/data/iq-oth-nccd and ../shared/data/ct-dicom are missing")
    archive = tmp_path / "series.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in series:
            packed.write(path, f"chest/{path.name}")
    ct = {
        "Malignant": slices / "malignant/Malignant case (1).jpg",
        "Normal": slices / "normal/Normal case (1).jpg",
    }
    give(page, [fields["Squamous cell carcinoma"], slide, archive, *ct.values()])
    expect(page.locator('.job[data-state="finished"]')).to_have_count(1)
    for answer, name in (
        ("Squamous cell carcinoma", fields["Squamous cell carcinoma"].stem),
        ("Adenocarcinoma", slide.stem),
    ):
        expect(page.locator(".case", has_text=name)).to_contain_text(answer)
    for path in ct.values():
        page.locator(".case", has_text=path.stem).click()
        expect(page.locator("#more .model")).to_contain_text("lung-ct")
        expect(page.locator("#answer .label")).to_have_text(
            re.compile("Malignant|Benign|Normal|No result")
        )
    page.locator(".case", has_text="chest").click()
    expect(page.locator("#slice-of")).to_contain_text(f"of {len(series)}")
    tables = page.locator(".job a[download]").all_inner_texts()
    assert [name for name in tables if "lung-ct" in name]
