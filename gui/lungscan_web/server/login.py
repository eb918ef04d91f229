"""Who a request is from, and whether they may: sessions, login, the token against forged requests.

Nothing is open unless it is named here: a route that is forgotten is closed.
"""

from __future__ import annotations

from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lungscan_web.access.sessions import Session, Sessions, csrf_fits
from lungscan_web.server.answers import refusal
from lungscan_web.server.settings import WebSettings

COOKIE = "lungscan"
OPEN = ("/static/", "/login", "/healthz")  # without a login
FORMS = ("/login", "/logout")  # which bring the token in a field
_LONGEST_COOKIE = 4096


class Door:
    """ASGI middleware: finds the session, and lets nobody in who has to log in first."""

    def __init__(self, app: ASGIApp, sessions: Sessions, *, locked: bool) -> None:
        """``locked``: one has to log in."""
        self._app, self._sessions, self._locked = app, sessions, locked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        session = self._sessions.find(token_of(request))
        scope.setdefault("state", {})["session"] = session
        answer = self._refusal(request, session)
        await (answer or self._app)(scope, receive, send)

    def _refusal(self, request: Request, session: Session | None) -> Response | None:
        path = request.scope["path"]
        public = path.startswith(OPEN)
        if self._locked and not public and (session is None or not session.user):
            if path.startswith("/api/") or request.method not in ("GET", "HEAD"):
                return refusal(401, "W_LOGIN", "Log in first: this page asks for a password.")
            return RedirectResponse("/login", 302)
        if path.startswith("/api/") and session is None:
            return refusal(401, "W_SESSION", "Open the page itself first, then try again.")
        if request.method in ("POST", "DELETE") and path not in FORMS:
            token = request.headers.get("x-csrf-token", "")
            if session is None or not csrf_fits(session, token):
                return refusal(
                    403, "W_CSRF", "The page is out of date. Load it again, then try once more."
                )
        return None


def token_of(request: Request) -> str:
    """The token that the browser brings; "" when it brings none, or several."""
    headers = request.headers.getlist("cookie")
    if len(headers) != 1 or len(headers[0]) > _LONGEST_COOKIE:
        return ""
    try:
        morsel = SimpleCookie(headers[0]).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def session_of(request: Request) -> Session:
    """The session, on routes that nobody reaches without one."""
    session: Session = request.state.session
    return session


def visitor_of(request: Request) -> str:
    """Who owns what is asked for: the person who logged in, else the browser."""
    session = session_of(request)
    return f"user:{session.user}" if session.user else session.visitor


def address_of(request: Request, settings: WebSettings) -> str:
    """From which address a request comes, as far as it can be known.

    Of our own proxy the last address in ``X-Forwarded-For`` is taken, which is the one that the
    proxy itself adds; those before it are what the browser claims.
    """
    peer = _peer(request)
    if settings.believes(peer):
        hops = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
        with suppress(ValueError):
            return str(ip_address(hops[-1].strip()))
    return peer


def is_encrypted(request: Request, settings: WebSettings) -> bool:
    """Whether what travels between browser and page is encrypted, here or by a proxy with TLS."""
    forwarded = request.headers.get("x-forwarded-proto", "")
    by_proxy = settings.believes(_peer(request)) and forwarded.strip().lower() == "https"
    return settings.secure or by_proxy


def _peer(request: Request) -> str:
    """The address that the connection comes from: a browser's or a proxy's."""
    return request.client.host if request.client else ""


def set_cookie(answer: Response, session: Session, *, secure: bool) -> None:
    """Give a browser its session; no script can read it, no other site sends it with a form."""
    answer.set_cookie(COOKIE, session.token, path="/", httponly=True, samesite="lax", secure=secure)
