"""What every request must pass before anything else sees it, and what every answer bears.

A request for another host is refused, since a foreign site may have let its own name lead here (DNS
rebinding); so is one that another site's page sent. Answers may load nothing but our own files, and
no other site may show or read them.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lungscan_web.server.answers import refusal

log = logging.getLogger("lungscan.web")

METHODS = ("GET", "HEAD", "POST", "DELETE")
LONGEST_PATH = 1024
MOST_HEADERS, LONGEST_HEADERS = 100, 16 << 10  # bytes
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"x-robots-tag", b"noindex, nofollow"),
)
_DROPPED = {b"range", b"if-range"}  # parts of files are never asked for by our page
_HIDDEN = {b"accept-ranges", b"last-modified", b"server"}


class Guard:
    """ASGI middleware around all others."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        answer = _Answer(send)
        try:
            if (why := self._refused(scope)) is not None:
                await refusal(*why)(scope, receive, answer)
                return
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in _DROPPED]
            await self._app(scope, receive, answer)
        except Exception as error:  # noqa: BLE001  a sentence instead of a traceback with names
            # no traceback: its last line may name a file
            log.error("Unforeseen %s at %s", type(error).__name__, _place(error))  # noqa: TRY400
            if not answer.begun:
                words = "Something unforeseen happened here. Try again."
                await refusal(500, "W_UNEXPECTED", words)(scope, receive, answer)

    def _refused(self, scope: Scope) -> tuple[int, str, str] | None:
        """Status, code and words for a request that goes no further."""
        return self._malformed(scope) or self._foreign(scope)

    def _malformed(self, scope: Scope) -> tuple[int, str, str] | None:
        """What no browser sends."""
        if len(scope["headers"]) > MOST_HEADERS or _length(scope) > LONGEST_HEADERS:
            return 431, "W_LONG", "The head of that request is too long."
        if _all(scope, b"content-length") and _all(scope, b"transfer-encoding"):
            return 400, "W_FORM", "That request says in two ways how long it is."
        if scope["method"] not in METHODS:
            return 405, "W_METHOD", "That is not done here."
        path = scope["path"]
        if len(path) > LONGEST_PATH or len(scope["query_string"]) > LONGEST_PATH:
            return 414, "W_LONG", "That address is too long."
        return None

    def _foreign(self, scope: Scope) -> tuple[int, str, str] | None:
        """Who asks for another site, or from one."""
        hosts = _all(scope, b"host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return 403, "W_HOST", "This page is not reached by that name. Use its own address."
        if scope["method"] in ("POST", "DELETE") and self._from_elsewhere(scope, hosts[0]):
            return 403, "W_ORIGIN", "Another site's page may not do that here. Use this page."
        return None

    def _from_elsewhere(self, scope: Scope, host: str) -> bool:
        """Whether another site's page sent it, as far as the browser says."""
        origins = _all(scope, b"origin")
        own = {f"http://{host}".lower(), f"https://{host}".lower()}
        if any(origin.lower() not in own for origin in origins):
            return True
        sites = _all(scope, b"sec-fetch-site")
        return any(site not in ("same-origin", "none") for site in sites)


class _Answer:
    """Adds our headers to whatever is sent."""

    def __init__(self, send: Send) -> None:
        self._send, self.begun = send, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            kept = [pair for pair in message.get("headers", []) if pair[0].lower() not in _HIDDEN]
            cached = any(name.lower() == b"cache-control" for name, _ in kept)
            more = [] if cached else [(b"cache-control", b"no-store")]
            message = {**message, "headers": [*kept, *HEADERS, *more]}
        await self._send(message)


def _all(scope: MutableMapping[str, Any], name: bytes) -> list[str]:
    """All values of a header."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _length(scope: Scope) -> int:
    """Bytes of all headers."""
    return sum(len(name) + len(value) for name, value in scope["headers"])


def _place(error: Exception) -> str:
    """Where it happened, without a word of what was asked."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].name}:{frames[-1].lineno}" if frames else "?"
