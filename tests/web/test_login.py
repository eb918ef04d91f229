"""Guessing passwords: what a right one forgives, and from where a try comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from lungscan.errors import UsageProblem
from lungscan_web.access.passwords import add_user
from lungscan_web.access.tries import BY_ADDRESS, BY_NAME, PERIOD_S, Tries
from lungscan_web.main import greeting
from lungscan_web.server.login import address_of, is_encrypted
from lungscan_web.server.settings import WebSettings
from tests.web.serving import Browser, Page, Rehearsal
from tests.web.test_server import PASSWORD, log_in

HOME, AWAY = "192.0.2.1", "192.0.2.2"


def test_a_right_password_forgives_its_own_address_under_its_own_name_alone() -> None:
    tries = Tries(lambda: 0.0)
    for number in range(BY_ADDRESS - 1):
        assert tries.begin(HOME, f"guessed-{number}") == 0
    assert tries.begin(HOME, "mallory") == 0
    tries.right(HOME, "mallory")
    assert tries.begin(HOME, "guessed-again") == 0
    assert tries.begin(HOME, "mallory") == PERIOD_S  # her own account buys no further guesses
    assert tries.begin(AWAY, "mallory") == 0


def test_a_right_password_forgives_no_guesses_from_elsewhere() -> None:
    tries = Tries(lambda: 0.0)
    for number in range(BY_NAME - 1):
        assert tries.begin(f"198.51.100.{number}", "kim") == 0
    for _ in range(3):  # kim comes and goes
        assert tries.begin(HOME, "kim") == 0
        tries.right(HOME, "kim")
    assert tries.begin(AWAY, "kim") == 0
    assert tries.begin(AWAY, "kim") == PERIOD_S


class Visitor(Browser):
    """Comes through a proxy, and claims to come from elsewhere."""

    def __init__(self, port: int, address: str) -> None:
        super().__init__(port)
        self._hops = {"X_Forwarded_For": f"203.0.113.7, {address}"}

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
        """As a browser; the proxy adds from where."""
        return super().ask(method, path, body, **self._hops, **headers)


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users"
    add_user(path, "kim", PASSWORD)
    return path


@pytest.fixture
def proxied(
    rehearsal: Rehearsal, users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Page]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Page(rehearsal, auth=users, names=("scan.example.org",)) as opened:
        yield opened


def test_behind_a_proxy_a_stranger_s_guesses_keep_nobody_else_out(proxied: Page) -> None:
    stranger = Visitor(proxied.port, AWAY)
    assert [log_in(stranger, "wrong", f"x{n}") for n in range(BY_ADDRESS)] == [403] * BY_ADDRESS
    assert log_in(stranger, "wrong", "another") == 429
    assert log_in(Visitor(proxied.port, HOME)) == 303


@pytest.mark.parametrize(
    ("hops", "found"),
    [
        ([], "127.0.0.1"),
        ([HOME], HOME),
        ([f"{AWAY}, {HOME}"], HOME),
        ([AWAY, HOME], HOME),  # two headers are one
        (["2001:db8::1"], "2001:db8::1"),
        ([f"{HOME}, unknown"], "127.0.0.1"),
        ([""], "127.0.0.1"),
    ],
)
def test_of_a_proxy_the_address_that_it_added_is_taken(hops: list[str], found: str) -> None:
    headers = [(b"x-forwarded-for", hop.encode()) for hop in hops]
    request = Request({"type": "http", "headers": headers, "client": ("127.0.0.1", 1)})
    assert address_of(request, WebSettings(names=("scan.example.org",))) == found


def test_nobody_but_a_proxy_on_this_machine_is_believed(users: Path) -> None:
    headers = [(b"x-forwarded-for", HOME.encode())]
    request = Request({"type": "http", "headers": headers, "client": (AWAY, 1)})
    opened = WebSettings(host="0.0.0.0", auth=users, names=("scan.example.org",))
    assert address_of(request, opened) == AWAY
    assert address_of(request, WebSettings()) == AWAY


def test_a_proxy_elsewhere_is_believed_where_its_address_is_given(users: Path) -> None:
    settings = WebSettings(host="::", auth=users, proxies=("10.0.0.0/24", "2001:db8::2"))
    for peer, found in (
        ("10.0.0.2", HOME),
        ("::ffff:10.0.0.2", HOME),
        ("2001:db8::2", HOME),
        ("10.0.1.2", "10.0.1.2"),
        ("127.0.0.1", "127.0.0.1"),
    ):
        headers = [(b"x-forwarded-for", HOME.encode()), (b"x-forwarded-proto", b"https")]
        request = Request({"type": "http", "headers": headers, "client": (peer, 1)})
        assert address_of(request, settings) == found
        assert is_encrypted(request, settings) is (found == HOME)


def test_a_proxy_s_address_that_is_none_is_refused() -> None:
    with pytest.raises(UsageProblem, match=r"--proxy cannot be page\.local: it must be an IP"):
        WebSettings(proxies=("page.local",))
    for everybody in ("0.0.0.0/0", "::/0", "128.0.0.0/1"):
        with pytest.raises(UsageProblem, match="strangers would count as the proxy, too"):
            WebSettings(proxies=(everybody,))
    with pytest.raises(UsageProblem, match="does not reach a page at 127"):
        WebSettings(names=("scan.example.org",), proxies=("10.0.0.2",))


def test_behind_a_proxy_with_tls_the_cookie_is_for_https_alone(
    proxied: Page, rehearsal: Rehearsal
) -> None:
    """The browser's own claim counts only where a proxy of this machine overwrites it."""
    for scheme, secure in (("https", True), ("http", False)):
        answer = Browser(proxied.port).ask("GET", "/login", X_Forwarded_Proto=scheme)
        assert ("Secure" in answer.headers["set-cookie"]) is secure
    with Page(rehearsal) as own:
        answer = Browser(own.port).ask("GET", "/", X_Forwarded_Proto="https")
        assert "Secure" not in answer.headers["set-cookie"]


def test_the_start_says_who_comes_through_a_proxy(users: Path) -> None:
    name = ("scan.example.org",)
    closed = " ".join(greeting(WebSettings(names=name, auth=users), 8765))
    opened = " ".join(greeting(WebSettings(names=name), 8765))
    assert "as scan.example.org. They need a password." in closed
    assert "give --auth" in opened
    assert "Only this machine" not in closed + opened
    elsewhere = WebSettings(host="0.0.0.0", names=name, auth=users, proxies=("10.0.0.2",))
    said = " ".join(greeting(elsewhere, 8765))
    assert "A proxy at 10.0.0.2 says from where visitors come." in said
    assert "Between it and this page nothing is encrypted" in said  # passwords cross a network
    own = Path("own.pem")
    sealed = replace(elsewhere, certificate=own, certificate_key=own)
    assert "encrypted" not in " ".join(greeting(sealed, 8765))
