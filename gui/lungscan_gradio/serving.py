"""The application, with all that Gradio leaves open closed; see docs/decisions/0043-gradio.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import gradio as gr
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from lungscan import models
from lungscan_gradio.face import build
from lungscan_web.jobs.desk import Desk
from lungscan_web.jobs.models import AUTO

CLOSED = (  # beginnings of paths that tell of the inside, lead elsewhere, or never end
    "/config", "/docs", "/redoc", "/openapi.json", "/monitoring", "/proxy=",
    "/gradio_api/dev", "/gradio_api/info", "/gradio_api/openapi.json", "/gradio_api/proxy=",
)  # fmt: skip
Accept = Callable[[str, str], bool]
THIS_MACHINE = ("localhost", "127.0.0.1", "[::1]")


class Closed:
    """Refuses what nobody needs, and requests that another site's page sends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            if scope["path"].startswith(CLOSED):
                return await PlainTextResponse("Not here.", 404)(scope, receive, send)
            if origin is not None and urlsplit(origin).netloc != headers.get("host"):
                words = "Another site sent this request."
                return await PlainTextResponse(words, 403)(scope, receive, send)
        return await self._app(scope, receive, send)


def application(
    desk: Desk, hosts: Iterable[str] = THIS_MACHINE, accept: Accept | None = None
) -> ASGIApp:
    """The page, answering to the names ``hosts`` alone; ``accept`` looks at names and passwords."""
    app = Starlette()
    page = build(desk, (AUTO, *(card.name for card in models())))
    gr.mount_gradio_app(
        app, page, path="/", allowed_paths=[], max_file_size=desk.limits.upload_bytes,
        ssr_mode=False, run_history=False, enable_monitoring=False, mcp_server=False,
        show_error=False, pwa=False, footer_links=[], auth=accept,
    )  # fmt: skip
    return TrustedHostMiddleware(Closed(app), allowed_hosts=list(hosts))
