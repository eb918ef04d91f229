"""Starting ``lungscan web`` as people start it, and a browser's page before it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect

expect.set_options(timeout=60_000)  # CI's two cores may be busy


@dataclass(frozen=True)
class Served:
    """A running server."""

    url: str
    folder: Path  # where its private folder lies
    deleted: set[str] = field(default_factory=set)  # paths of jobs, by whichever visitor

    def __add__(self, path: str) -> str:
        return self.url + path


@contextmanager
def serve(folder: Path, *options: str) -> Iterator[Served]:
    """``lungscan web`` at a free port; its folder below ``folder``."""
    command = [sys.executable, "-m", "lungscan_cli", "web", "--port", "0", *options]
    environment = {**os.environ, "TMPDIR": str(folder), "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert server.stderr is not None
    lines = []
    for line in server.stderr:
        lines.append(line)
        if found := re.search(r"https?://[\w.\[\]:-]+:\d+", line):
            break
    else:
        raise AssertionError("the server did not start: " + "".join(lines))
    reader = threading.Thread(target=lambda: [None for _ in server.stderr or ()], daemon=True)
    reader.start()
    try:
        yield Served(found[0], folder)
    finally:
        server.terminate()
        server.wait(20)
        reader.join(5)
        server.stderr.close()


@contextmanager
def open_page(
    browser: Browser, served: Served, path: str = "/", errors: bool = False, **looks: object
) -> Iterator[Page]:
    """A visitor with cookies of their own; ``looks`` are the browser context's options.

    At the end nothing may have been asked of another address, and no script, policy or console
    error may have come up, unless ``errors`` are what is tested.
    """
    context = browser.new_context(**looks)  # type: ignore[arg-type]
    page = context.new_page()
    asked: list[str] = []
    wrong: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)
        if request.method == "DELETE":
            served.deleted.add(urlsplit(request.url).path)

    context.on("request", note)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda lines: _is_error(lines, served) and wrong.append(lines.text))
    page.goto(served + path)
    if path != "/login":
        ready(page)
    yield page
    context.close()
    assert [url for url in asked if not url.startswith((served.url, "blob:", "data:"))] == []
    if not errors and wrong:
        raise AssertionError(f"the browser's console: {wrong}")


def _is_error(lines: ConsoleMessage, served: Served) -> bool:
    """Whether the console holds an error; a refusal (404) is one that the page expects.

    OpenSeadragon adds a line to the browser's own. It is expected of a part of a picture that was
    asked for just before its job was deleted, and of no other.
    """
    text = lines.text
    late = "failed to load" in text and any(f"{job}/" in text for job in served.deleted)
    return lines.type == "error" and not (text.startswith("Failed to load resource") or late)


def ready(page: Page) -> None:
    """Wait until the page's script has filled it in."""
    expect(page.locator("body")).to_have_attribute("data-ready", "yes")


def give(page: Page, files: Iterable[Path | dict[str, object]]) -> None:
    """Choose files and press the button."""
    page.locator("#pick").set_input_files(list(files))  # type: ignore[arg-type]
    page.get_by_role("button", name=re.compile("^Classify")).click()


def answered(page: Page, words: str) -> None:
    """Wait for an answer in the first box."""
    expect(page.locator("#answer .label")).to_have_text(words)


def serious(page: Page) -> list[str]:
    """What axe-core calls serious or critical, with the element."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{one['id']}: {node['html'][:120]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]
