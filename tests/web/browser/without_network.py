"""Run inside a network namespace of its own: the page, a browser, one field, one answer."""

from __future__ import annotations

import fcntl
import json
import socket
import struct
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from playwright.sync_api import sync_playwright

from tests.web.browser.browsing import answered, give, ready, serve

SIOCSIFFLAGS, UP_AND_RUNNING = 0x8914, 0x41


def loopback_up() -> None:
    """A new namespace's loopback is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", UP_AND_RUNNING))


def reachable() -> bool:
    """Whether any other address can be reached (one for documentation, RFC 5737)."""
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=2).close()
    except OSError:
        return False
    return True


def main(picture: Path, browser: str) -> None:
    """Print what happened as JSON."""
    loopback_up()
    outside: list[str] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Path(folder)) as served,
        sync_playwright() as playwright,
    ):
        started = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = started.new_page()
        page.on(
            "request", lambda r: r.url.startswith((served.url, "blob:")) or outside.append(r.url)
        )
        page.goto(served.url)
        ready(page)
        give(page, [picture])
        answered(page, "Squamous cell carcinoma")
        answer = page.locator("#answer .label").inner_text()
        started.close()
    found = {"reachable": reachable(), "answer": answer, "outside": outside}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
