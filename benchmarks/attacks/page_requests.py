"""Hostile requests that carry no file: paths, hosts, forged actions, sessions, broken HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from urllib.parse import quote

from attacks.page_client import KIND, Answer, Site, form, part

Send = Callable[[Site], Answer]
Fits = Callable[[Answer], bool]

FORM = "application/x-www-form-urlencoded"
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Hostile:
    """A request, and what its answer must be."""

    name: str
    send: Send
    fits: Fits


def refused(*statuses: int) -> Fits:
    """One of these refusals, or, without any, every one; or the line was closed."""
    return lambda answer: (
        answer.status in statuses if statuses else answer.status == 0 or 400 <= answer.status < 500
    )


def plain(answer: Answer) -> bool:
    """An ordinary answer, as if the trick had not been tried."""
    return answer.status == 200


def requests() -> Iterator[Hostile]:
    """All of them."""
    yield from _paths()
    yield from _hosts()
    yield from _forged()
    yield from _sessions()
    yield from _broken()
    yield from _ranges()
    yield from _large()


def _get(path: str, **headers: str) -> Send:
    return lambda site: site.ask("GET", path.replace("JOB", site.job), **headers)


def _paths() -> Iterator[Hostile]:
    case = "/api/jobs/JOB/cases/1"
    paths = (
        "/static/../../../../../../etc/passwd",
        "/static/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/static/..%5c..%5c..%5cetc%5cpasswd",
        "/static//etc/passwd",
        "/static/%00/../../etc/passwd",
        "/static/",
        "/../../../../etc/passwd",
        "//etc/passwd",
        "/results/..%2f..%2f..%2fetc%2fpasswd",
        "/results/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/api/jobs/..%2f..%2f..%2fetc",
        case + "/files/..%2f..%2f..%2f..%2fetc%2fpasswd",
        case + "/files/%2fetc%2fpasswd",
        case + "/files/case.json%00.pdf",
        case + "/files/.lock",
        case + "/pictures/answer.json",
        case + "/pictures/..%2fanswer.json",
        case + "/pictures/thumbnail-0.jpg%2f..%2fanswer.json",
        "/api/jobs/JOB/runs/1/files/..%2fin%2f0001%2fa.png",
        "/api/jobs/JOB/cases/-1",
        "/api/jobs/JOB/cases/99999999999999999999",
        case + "/zoom/0/tiles/99999/0_0.jpg",
        case + "/zoom/0/tiles/0/-1_-1.jpg",
        case + "/map?begin=..%2f..%2fcase.json",
        "/api/examples/..%2f..%2fetc%2fpasswd/thumbnail.jpg",
        "/openapi.json",
        "/docs",
        "/.git/config",
        "/api/",
    )
    for path in paths:
        yield Hostile(f"path {path}", _get(path), refused(404))
    yield Hostile("an address without an end", _get("/" + "a" * 9000), refused())
    yield Hostile("a query without an end", _get("/?" + "a" * 9000), refused())


def _hosts() -> Iterator[Hostile]:
    def host(text: str) -> Hostile:
        def send(site: Site) -> Answer:
            return site.ask("GET", "/", Host=text.replace("PORT", str(site.port)))

        return Hostile(f"Host {text}", send, refused(400, 403))

    for name in ("evil.example", "evil.example:PORT", "127.0.0.1.evil.example:PORT",
                 "127.0.0.1:PORT@evil.example", "127.0.0.1:PORT/evil", "2130706433:PORT",
                 "localhost:1"):  # fmt: skip
        yield host(name)
    yield Hostile("no Host", lambda s: s.raw(b"GET / HTTP/1.0\r\n\r\n"), refused())
    yield Hostile(
        "two Hosts",
        lambda s: s.raw(f"GET / HTTP/1.1\r\nHost: {s.host}\r\nHost: evil.example\r\n\r\n".encode()),
        refused(400, 403),
    )
    forwarded = _get("/", X_Forwarded_Host="evil.example", X_Forwarded_Proto="gopher",
                     Forwarded="host=evil.example", X_Original_URL="/etc/passwd")  # fmt: skip
    yield Hostile("a forwarded Host is not heard", forwarded, plain)


def _forged() -> Iterator[Hostile]:
    """What another site's page could have a browser send."""

    def cancel(**headers: str) -> Send:
        return lambda site: site.act(f"/api/jobs/{site.job}/cancel", **headers)

    body = form(("x.png", _PNG))
    yield Hostile("cancel without the token", cancel(X_CSRF_Token=""), refused(403))
    yield Hostile("cancel with a made-up token", cancel(X_CSRF_Token="A" * 43), refused(403))
    yield Hostile(
        "cancel with another's token",
        lambda s: s.act(f"/api/jobs/{s.job}/cancel", X_CSRF_Token=s.other.csrf if s.other else ""),
        refused(403),
    )
    yield Hostile("cancel from another site", cancel(Origin="https://evil.example"), refused(403))
    yield Hostile("cancel from a sandboxed frame", cancel(Origin="null"), refused(403))
    yield Hostile("cancel, cross-site by Fetch", cancel(Sec_Fetch_Site="cross-site"), refused(403))
    yield Hostile(
        "upload by a foreign form",
        lambda s: s.ask("POST", "/api/jobs", body, Content_Type=KIND, Origin="http://evil.example"),
        refused(403),
    )
    yield Hostile(
        "upload as plain text",
        lambda s: s.act("/api/jobs", body, Content_Type="text/plain"),
        refused(415),
    )
    yield Hostile("cancel by GET", _get("/api/jobs/JOB/cancel"), refused(404, 405))
    yield Hostile(
        "delete by an overridden method",
        lambda s: s.ask("GET", f"/api/jobs/{s.job}", X_HTTP_Method_Override="DELETE"),
        plain,
    )
    yield Hostile(
        "delete another's job",
        lambda s: (s.other or s).act(f"/api/jobs/{s.job}", method="DELETE"),
        refused(404),
    )
    preflight = {"Origin": "https://evil.example", "Access_Control_Request_Method": "POST"}
    yield Hostile(
        "a preflight is not answered",
        lambda s: s.ask("OPTIONS", "/api/jobs", **preflight),
        lambda a: a.status == 405 and "access-control-allow-origin" not in a.headers,
    )
    yield Hostile(
        "a foreign reader is told no secret",
        _get("/api/session", Origin="https://evil.example", Cookie=""),
        refused(401),
    )


def _sessions() -> Iterator[Hostile]:
    def at_locked(act: Send) -> Send:
        return lambda site: act(site.locked or site)

    def login(**fields: str) -> Send:
        def send(site: Site) -> Answer:
            given = {"csrf": site.csrf, "name": "kim", "password": "wrong"} | fields
            body = "&".join(f"{name}={quote(value)}" for name, value in given.items())
            return site.ask("POST", "/login", body.encode(), Content_Type=FORM)

        return at_locked(send)

    yield Hostile("locked: the page", at_locked(_get("/")), lambda a: a.status == 302)
    yield Hostile("locked: a job", at_locked(_get("/api/jobs/x")), refused(401))
    picture = form(("x.png", _PNG))
    yield Hostile(
        "locked: an upload",
        at_locked(lambda s: s.act("/api/jobs", picture, Content_Type=KIND)),
        refused(401),
    )
    yield Hostile(
        "locked: a path that looks open", at_locked(_get("/static/../api/jobs")), refused(401, 404)
    )
    yield Hostile("login with a wrong password", login(), refused(403))
    yield Hostile("login without the token", login(csrf=""), refused(403))
    yield Hostile("login as nobody", login(name="' OR 1=1 --"), refused(403))
    yield Hostile("login with a password of 1 MB", login(password="x" * 1_000_000), refused(413))

    def guess(site: Site) -> Answer:
        answers = [login()(site) for _ in range(12)]
        return answers[-1]

    fixed = "lungscan=" + "A" * 43
    yield Hostile(
        "a session that a stranger chose", _get("/api/session", Cookie=fixed), refused(401)
    )
    yield Hostile(
        "a cookie without an end", _get("/api/session", Cookie="lungscan=" + "A" * 8000), refused()
    )
    yield Hostile(
        "two cookies of one name",
        lambda s: s.ask("GET", "/api/session", Cookie="lungscan=x; lungscan=y"),
        refused(401),
    )
    yield Hostile(
        "a new session takes no name from the browser",
        _get("/", Cookie=fixed),
        lambda a: a.status == 200 and "A" * 43 not in a.headers.get("set-cookie", ""),
    )
    yield Hostile("twelve guesses of a password", guess, refused(429))


def _broken() -> Iterator[Hostile]:
    """What is no proper HTTP, or could mean two things."""

    def raw(name: str, text: str, fits: Fits | None = None) -> Hostile:
        def send(site: Site) -> Answer:
            whole = text.replace("HOST", site.host).replace("\n", "\r\n")
            return site.raw(whole.encode("latin-1"))

        return Hostile(name, send, fits or refused())

    yield raw("two lengths", "POST /api/jobs HTTP/1.1\nHost: HOST\nContent-Length: 4\n"
              "Content-Length: 9\n\nabcdefghi")  # fmt: skip
    yield raw(
        "a length and chunks",
        "POST /login HTTP/1.1\nHost: HOST\nContent-Length: 4\nTransfer-Encoding: chunked\n\n"
        "0\n\nGET /healthz HTTP/1.1\nHost: HOST\n\n",
    )
    yield raw("odd chunks", "POST /api/jobs HTTP/1.1\nHost: HOST\nTransfer-Encoding: xchunked\n\n")
    yield raw("a header with a NUL", "GET / HTTP/1.1\nHost: HOST\nX: a\x00b\n\n")
    yield raw("a header that goes on", "GET / HTTP/1.1\nHost: HOST\n X: folded\n\n")
    yield raw("no HTTP at all", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n")
    yield raw("HTTP/2 without asking", "PRI * HTTP/2.0\n\nSM\n\n")
    yield raw("a proxy's request",
              "GET http://169.254.169.254/latest HTTP/1.1\nHost: HOST\n"
              "Connection: close\n\n")  # fmt: skip
    yield raw("a tunnel", "CONNECT 127.0.0.1:22 HTTP/1.1\nHost: HOST\n\n")
    yield raw("TRACE", "TRACE / HTTP/1.1\nHost: HOST\n\n")
    yield raw(
        "a WebSocket",
        "GET /api/jobs HTTP/1.1\nHost: HOST\nConnection: Upgrade\nUpgrade: websocket\n"
        "Sec-WebSocket-Key: eA==\nSec-WebSocket-Version: 13\n\n",
    )
    injected = "/results/x%0d%0aSet-Cookie:%20lungscan=evil"
    yield Hostile(
        "a header by the address",
        _get(injected),
        lambda a: a.status == 404 and "evil" not in a.headers.get("set-cookie", ""),
    )
    yield Hostile(
        "a header without an end",
        lambda s: s.raw(b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000),
        refused(),
    )
    yield Hostile(
        "a thousand headers",
        _get("/", **{f"X_{n}": "a" * 100 for n in range(1000)}),
        refused(),
    )


def _ranges() -> Iterator[Hostile]:
    """Parts of files, by which servers were made to work without end."""
    report = "/api/jobs/JOB/cases/1/files/case.json"

    def whole(answer: Answer) -> bool:
        return answer.status == 200 and "content-range" not in answer.headers

    many = "bytes=" + ",".join(f"{n}-" for n in range(1500))
    for name, value in (("1,500 ranges", many), ("backwards", "bytes=9-1"), ("tail", "bytes=-1")):
        yield Hostile(f"range: {name}", _get(report, Range=value), whole)
    yield Hostile(
        "range: if unchanged", _get(report, Range="bytes=0-1", If_Range="Wed, 21 Oct 2015"), whole
    )


def _large() -> Iterator[Hostile]:
    """Too much, or too slow."""
    big = bytes(8_000_000)

    def chunked(site: Site) -> Answer:
        head = site.head("POST", "/api/jobs", None, X_CSRF_Token=site.csrf, Content_Type=KIND,
                         Transfer_Encoding="chunked")  # fmt: skip
        data = form(("x.png", big))
        pieces = (data[at : at + 500_000] for at in range(0, len(data), 500_000))
        return site.raw(head, *(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces), b"0\r\n\r\n")

    def post(body: bytes, **headers: str) -> Send:
        return lambda s: s.act("/api/jobs", body, **{"Content_Type": KIND} | headers)

    def stated(site: Site) -> Answer:
        return site.raw(
            site.head("POST", "/api/jobs", 10**15, X_CSRF_Token=site.csrf, Content_Type=KIND)
        )

    def still(site: Site) -> Answer:
        head = site.head("POST", "/api/jobs", 10_000, X_CSRF_Token=site.csrf, Content_Type=KIND)
        return site.raw(head + b"--XX\r\n")

    many = [(f"{n}.png", _PNG) for n in range(9)]
    yield Hostile("a petabyte, it says", stated, refused(413))
    yield Hostile("more bytes than are taken, in chunks", chunked, refused(413))
    yield Hostile("more bytes before the first part", post(b"x" * 8_000_000), refused(400, 413))
    yield Hostile("more files than are taken", post(form(*many)), refused(429))
    fields = b"".join(part(f'name="f{n}"', b"x") for n in range(100)) + b"--XX--\r\n"
    yield Hostile("a hundred fields", post(fields), refused(429))
    yield Hostile("a field of 1 MB", post(form(model="x" * 1_000_000)), refused(413))
    yield Hostile("a part's head without an end", post(
        b"--XX\r\nContent-Disposition: form-data; " + b"x" * 100_000), refused(400))  # fmt: skip
    yield Hostile("a form that breaks off", post(form(("x.png", _PNG))[:-9]), refused(400))
    yield Hostile(
        "a boundary of 1,000 letters",
        post(b"x", Content_Type="multipart/form-data; boundary=" + "X" * 1000),
        refused(400, 415),
    )
    yield Hostile("an upload that stands still", still, refused(408))
    numbers = count()
    yield Hostile(
        "a head, letter by letter",
        lambda s: s.raw(b"GET /", *(b"a" for _ in range(8) if next(numbers) < 99), pause=0.5),
        refused(),
    )
    yield Hostile("a connection that says nothing", lambda s: s.raw(b""), refused())
