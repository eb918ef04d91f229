"""The pages themselves, login and logout."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync
from jinja2 import Environment, FileSystemLoader
from python_multipart.multipart import parse_options_header
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from lungscan import RESEARCH_USE, __version__
from lungscan.report.quantities import duration
from lungscan_web.access.sessions import Session, csrf_fits
from lungscan_web.server.answers import Denied, refusal
from lungscan_web.server.login import address_of, is_encrypted, set_cookie
from lungscan_web.server.services import services_of

log = logging.getLogger("lungscan.web")

TEMPLATES = Path(__file__).parents[1] / "templates"
LONGEST_FORM = 4096  # bytes of the login form
WRONG = "Name or password is wrong."

_templates = Environment(
    loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


def show(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page; all values are escaped."""
    text = _templates.get_template(template).render(
        version=__version__, research_use=RESEARCH_USE, **values
    )
    return HTMLResponse(text, status)


async def page(request: Request) -> Response:
    """The page, empty or with a kept result. Raises NotHere when that is gone."""
    services = services_of(request)
    if number := request.path_params.get("job"):
        services.desk.job(number)
    session = _session(request)
    answer = show(
        "page.html",
        csrf=session.csrf,
        user=session.user,
        auth=services.passwords is not None,
        job=number or "",
        kept=duration(services.settings.limits.kept_seconds),
    )
    return _with_cookie(request, answer, session)


async def health(_: Request) -> Response:
    """Whether the page answers, for whoever watches over it."""
    return PlainTextResponse("ok\n")


async def login_form(request: Request) -> Response:
    """The form."""
    if services_of(request).passwords is None:
        return RedirectResponse("/", 302)
    session = _session(request)
    return _with_cookie(request, _login(session, ""), session)


async def log_in(request: Request) -> Response:
    """Take a name and a password; a right one gets a session that nobody has seen before."""
    services, session = services_of(request), request.state.session
    if services.passwords is None:
        return RedirectResponse("/", 303)
    form = await short_form(request)
    if session is None or not csrf_fits(session, form.get("csrf", "")):
        fresh = _session(request)
        answer = _login(fresh, "The form was out of date. Log in once more.", 403)
        return _with_cookie(request, answer, fresh)
    name, address = form.get("name", ""), address_of(request, services.settings)
    if wait := services.tries.begin(address, name):
        log.warning("Login from %s refused: too many tries", address)
        words = f"Too many tries. Wait {duration(wait)}, then try again."
        answer = _login(session, words, 429)
        answer.headers["retry-after"] = str(wait)
        return answer
    if not await run_sync(services.passwords.accept, name, form.get("password", "")):
        log.warning("Login from %s refused: wrong name or password", address)
        return _login(session, WRONG, 403)
    services.tries.right(address, name)
    entered = services.sessions.log_in(session, name)
    return _with_cookie(request, RedirectResponse("/", 303), entered)


async def log_out(request: Request) -> Response:
    """End the session; what was given stays until its time is over."""
    services, session = services_of(request), request.state.session
    form = await short_form(request)
    if session is None or not csrf_fits(session, form.get("csrf", "")):
        return refusal(403, "W_CSRF", "The page is out of date. Load it again, then log out.")
    services.sessions.end(session)
    answer = RedirectResponse("/login" if services.passwords else "/", 303)
    answer.delete_cookie("lungscan", path="/", httponly=True, samesite="lax")
    return answer


async def short_form(request: Request) -> dict[str, str]:
    """The fields of a short form. Raises Denied."""
    from urllib.parse import parse_qsl

    kind, _ = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"application/x-www-form-urlencoded":
        raise Denied(415, "W_FORM", "That form is not understood here.")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FORM:
            raise Denied(413, "W_TOO_LARGE", "The form is too long.")
    return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=10))


def _login(session: Session, message: str, status: int = 200) -> HTMLResponse:
    return show("login.html", status, csrf=session.csrf, message=message)


def _session(request: Request) -> Session:
    """The browser's session, or a new one."""
    found: Session | None = request.state.session
    return found or services_of(request).sessions.new()


def _with_cookie(request: Request, answer: Response, session: Session) -> Response:
    if request.state.session is not session:
        secure = is_encrypted(request, services_of(request).settings)
        set_cookie(answer, session, secure=secure)
    return answer
