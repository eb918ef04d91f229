"""Take the pictures of README and docs anew, on the demo's slide, with the shipped model.

    xvfb-run -s "-screen 0 2600x1600x24" python packaging/take_pictures.py [report] [window] [page]

Wants the extra ``dev``, pdftoppm and Chromium. Look at each picture before it is kept.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from lungscan.demo.making import make_demo

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
SLIDE = "images/stitched-slide.svs"  # below the scratch folder
COLOURS = 128
SEEN = {"width": 1280, "height": 800}  # the page's; pictures are kept at three quarters of it


def keep(found: Path, name: str, width: int) -> None:
    """A picture as docs keep it: small, with few colours."""
    with Image.open(found) as opened:
        height = round(opened.height * width / opened.width)
        small = opened.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    target = PICTURES / name
    # The colours of classes take few pixels: what counts pixels alone would blur them together.
    few = small.quantize(
        COLOURS, method=Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE
    )
    few.save(target, optimize=True)
    print(f"{target}: {target.stat().st_size / 1000:.0f} kB")


def report(scratch: Path) -> None:
    """The first page of the slide's report."""
    command = [sys.executable, "-m", "lungscan_cli", "classify", str(scratch / SLIDE)]
    subprocess.run([*command, "--out", str(scratch / "results")], check=True)
    (pdf,) = (scratch / "results" / "cases").glob("*/report.pdf")
    subprocess.run(
        ["pdftoppm", "-r", "150", "-l", "1", "-png", str(pdf), "page"], cwd=scratch, check=True
    )
    (page,) = scratch.glob("page-*.png")
    keep(page, "report.png", 600)


def window(scratch: Path) -> None:
    """The window with the slide's answer."""
    script = ROOT / "benchmarks" / "window_pictures.py"
    subprocess.run([sys.executable, str(script), str(scratch / "window")], check=True)
    keep(scratch / "window" / "2-analysed.png", "window.png", 960)
    keep(scratch / "window" / "5-side-by-side.png", "window-beside.png", 960)


def page(scratch: Path) -> None:
    """The page with the slide's answer and map."""
    from playwright.sync_api import expect, sync_playwright

    sys.path.insert(0, str(ROOT))
    from tests.web.browser.browsing import answered, give, open_page, serve

    field = ROOT / "lungscan/demo/fields/single/squamous/lungscc2365.jpeg"
    with sync_playwright() as playwright, serve(scratch) as served:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with open_page(browser, served, viewport=SEEN) as opened:
            give(opened, [field, scratch / SLIDE])
            answered(opened, "Squamous cell carcinoma")
            opened.get_by_role("button", name="stitched-slide").first.click()
            expect(opened.locator("#map")).to_have_attribute("data-drawn", "3")
            opened.wait_for_timeout(1500)  # its tiles come after its map
            opened.screenshot(path=scratch / "page.png")
        browser.close()
    keep(scratch / "page.png", "page.png", 960)


MAKERS = {"report": report, "window": window, "page": page}


def main(words: Sequence[str]) -> None:
    """Take those that are named, or all."""
    for word in words or MAKERS:
        with tempfile.TemporaryDirectory() as made:
            scratch = Path(made)
            make_demo((scratch / SLIDE).parent)
            MAKERS[word](scratch)


if __name__ == "__main__":
    main(sys.argv[1:])
