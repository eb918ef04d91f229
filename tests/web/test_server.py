"""The server as a browser meets it: pages, jobs, events, pictures, login."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lungscan import RESEARCH_USE
from lungscan.errors import MachineError, UsageProblem
from lungscan_web.access.passwords import Passwords, add_user
from lungscan_web.access.sessions import IDLE_S, MOST, OLDEST_S, Sessions
from lungscan_web.access.tries import BY_ADDRESS, BY_NAME, PERIOD_S, Tries
from lungscan_web.main import bind, greeting
from lungscan_web.server.guard import POLICY
from lungscan_web.server.settings import WebSettings
from tests.web.serving import SMALL, Browser, Page, Rehearsal, form, wait

PASSWORD = "correct horse"


def test_a_file_becomes_an_answer_with_files_to_take_away(page: Page) -> None:
    browser = page.browser()
    job = browser.job(("slide 1.png", b"picture"))
    state = browser.until(job, "finished")
    (case,) = state["cases"]
    assert (state["done"], state["total"], state["words"]) == (1, 1, "Done.")
    assert (case["name"], case["headline"], case["confidence_text"]) == (
        "slide 1", "Benign lung", "0.98",
    )  # fmt: skip
    answer = browser.get(f"/api/jobs/{job}/cases/1").data
    assert answer["headline"] == "Benign lung"
    assert [d["name"] for d in answer["downloads"]] == ["report.pdf", "tiles.csv", "case.json"]
    report = browser.get(answer["downloads"][0]["url"])
    assert report.body == b"report.pdf" * 100
    assert report.headers["content-type"] == "application/pdf"
    assert report.headers["content-disposition"] == 'attachment; filename="key-0-report.pdf"'
    thumbnail = browser.get(answer["files"][0]["thumbnail"])
    assert (thumbnail.body, thumbnail.headers["content-type"]) == (b"\xff\xd8\xff", "image/jpeg")
    (table,) = state["downloads"]
    assert browser.get(table["url"]).body == b"case_id\r\n"


def test_scale_and_model_are_chosen_with_the_files(page: Page, rehearsal: Rehearsal) -> None:
    browser = page.browser()
    reply = browser.upload(("x.tif", b"x"), mpp="0,25", model="lung-histology")
    browser.until(reply.data["job"], "finished")
    (task,) = [p.task for p in rehearsal.made if p.task]
    assert (task.mpp, task.model) == (0.25, "lung-histology")
    for wrong in ({"mpp": "100"}, {"mpp": "nan"}, {"mpp": "x"}, {"model": "../../etc"}):
        refused = browser.upload(("x.tif", b"x"), **wrong)
        assert (refused.status, refused.why[0]) == (400, "W_REFUSED")


def test_events_tell_a_job_to_its_end(page: Page, rehearsal: Rehearsal) -> None:
    rehearsal.hold.clear()
    browser = page.browser()
    job = browser.job()
    threading.Timer(0.5, rehearsal.hold.set).start()
    reply = browser.get(f"/api/jobs/{job}/events")
    assert reply.headers["content-type"].startswith("text/event-stream")
    *states, end = [part.split("\ndata: ") for part in reply.text.strip().split("\n\n")]
    assert end == ["event: end", "{}"]
    state_names = [json.loads(data)["state"] for _, data in states]
    assert state_names[-1] == "finished"
    assert "running" in state_names


def test_whoever_follows_a_job_keeps_it_alive(rehearsal: Rehearsal) -> None:
    rehearsal.hold.clear()
    with Page(rehearsal, replace(SMALL, absent_seconds=0.6)) as page:
        browser = page.browser()
        followed, another, left = browser.job(), browser.job(), page.browser().job()
        line = socket.create_connection(("127.0.0.1", page.port))
        line.sendall(
            f"GET /api/jobs/{followed}/events HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\n"
            f"Cookie: {browser.cookie}\r\n\r\n".encode()
        )
        ended = wait(lambda: j if (j := page.services.desk.peek(left)).state.ended else None)
        assert ended.message == "Ended, because its page was closed."
        time.sleep(0.7)
        assert not page.services.desk.peek(followed).state.ended
        assert not page.services.desk.peek(another).state.ended  # it is the same visitor's
        line.close()  # the browser is gone
        wait(lambda: page.services.desk.peek(followed).state.ended)


def test_cancel_and_delete(page: Page, rehearsal: Rehearsal) -> None:
    rehearsal.hold.clear()
    browser = page.browser()
    job = browser.job()
    browser.until(job, "running")
    began = time.monotonic()
    assert browser.post(f"/api/jobs/{job}/cancel").data["state"] == "cancelled"
    assert time.monotonic() - began < 10  # benchmarks/web.py measures it
    assert browser.ask("DELETE", f"/api/jobs/{job}", X_CSRF_Token=browser.csrf).status == 204
    assert browser.get(f"/api/jobs/{job}").why[0] == "W_NOT_HERE"
    assert browser.get(f"/results/{job}").status == 404


def test_a_link_shows_a_result_to_another_who_cannot_end_it(
    page: Page, rehearsal: Rehearsal
) -> None:
    rehearsal.hold.clear()
    owner, other = page.browser(), page.browser()
    job = owner.job()
    assert other.get(f"/results/{job}").status == 200
    assert (other.state(job)["mine"], owner.state(job)["mine"]) == (False, True)
    assert other.post(f"/api/jobs/{job}/cancel").status == 404
    assert other.ask("DELETE", f"/api/jobs/{job}", X_CSRF_Token=other.csrf).status == 404
    assert [j["job"] for j in owner.get("/api/jobs").data["jobs"]] == [job]
    assert other.get("/api/jobs").data["jobs"] == []
    rehearsal.hold.set()
    assert other.until(job, "finished")["cases"][0]["headline"] == "Benign lung"


def test_visitors_at_once_get_their_own_answers(page: Page) -> None:
    found: dict[int, list[str]] = {}

    def visit(number: int) -> None:
        browser = page.browser()
        job = browser.job(*[(f"v{number}-{n}.png", b"x") for n in range(3)])
        found[number] = [case["name"] for case in browser.until(job, "finished")["cases"]]

    threads = [threading.Thread(target=visit, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: [f"v{n}-0", f"v{n}-1", f"v{n}-2"] for n in range(6)}


def test_every_answer_is_closed_to_other_sites(page: Page) -> None:
    browser = page.browser()
    job = browser.job()
    paths = ("/", "/api/session", f"/api/jobs/{job}", "/nothing", "/static/nothing", "/healthz")
    for path in paths:
        headers = browser.get(path).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert not [name for name in headers if name.startswith("access-control")]
        assert "server" not in headers
    assert "unsafe" not in POLICY
    assert "http" not in POLICY


def test_the_page_says_what_it_is_for(page: Page) -> None:
    browser = page.browser()
    assert RESEARCH_USE in browser.get("/").text
    session = browser.get("/api/session").data
    assert session["limits"]["files"] == SMALL.files
    assert session["research_use"] == RESEARCH_USE
    offered = browser.get("/api/models").data
    cards = offered["models"]
    assert offered["auto"] == {"series": "lung-ct", "slide": "lung-histology"}
    measured = {m["name"]: m for m in cards[0]["measured"]}
    assert any(" to " in m["interval"] for m in measured.values())
    assert browser.get("/healthz").text == "ok\n"
    assert browser.get("/nothing").status == 404


def test_examples_can_be_tried(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    from lungscan_web.jobs import examples

    folder = page.services.desk.folder.path
    example = examples.EXAMPLES[1]
    made = folder / "examples"
    made.mkdir()
    (made / example.file).write_bytes(b"picture")
    (made / f"{example.id}-small.jpg").write_bytes(b"small")
    monkeypatch.setattr(page.services.examples, "prepare", lambda: None)
    browser = page.browser()
    listed = browser.get("/api/examples").data["examples"]
    assert [e["id"] for e in listed] == [e.id for e in examples.EXAMPLES]
    assert browser.get(listed[1]["thumbnail"]).body == b"small"
    job = browser.post(f"/api/examples/{example.id}").data["job"]
    assert browser.until(job, "finished")["names"] == [example.file]
    assert browser.post("/api/examples/nothing").status == 404


def test_static_files_are_asked_for_again_only_when_they_changed(page: Page) -> None:
    name = next(iter(_static(page)), None)
    if name is None:
        pytest.skip("there are no static files yet")
    browser = page.browser()
    first = browser.get(f"/static/{name}")
    assert first.status == 200
    assert browser.get(f"/static/{name}", If_None_Match=first.headers["etag"]).status == 304


def _static(page: Page) -> list[str]:
    from lungscan_web.server.static_files import StaticFiles

    return list(StaticFiles().names)


def test_an_unforeseen_error_is_a_sentence_and_the_log_names_nobody(
    page: Page, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: str) -> None:
        raise ValueError("patient-name.svs")

    browser = page.browser()
    monkeypatch.setattr(page.services.desk, "look", fail)
    reply = browser.get("/api/jobs/secret-number")
    assert (reply.status, reply.why[0]) == (500, "W_UNEXPECTED")
    assert "Unforeseen ValueError at fail" in caplog.text
    for word in ("patient-name", "secret-number", "Traceback"):
        assert word not in caplog.text + reply.text
    assert browser.get("/healthz").status == 200


def test_no_log_names_a_file_or_a_job(
    page: Page, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    browser = page.browser()
    job = browser.job(("patient-name.svs", b"x"))
    browser.until(job, "finished")
    browser.get(f"/api/jobs/{job}/cases/1/files/report.pdf")
    browser.upload(*[("patient-name.svs", b"x")] * 9)  # refused
    page.raw(b"GET /patient-name\x00 HTTP/1.1\r\n\r\n")
    logged = caplog.text + "".join(capfd.readouterr())
    for word in ("patient-name", job, browser.cookie.partition("=")[2], browser.csrf):
        assert word not in logged


# Logging in -------------------------------------------------------------------------------------


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users"
    add_user(path, "kim", PASSWORD)
    return path


@pytest.fixture
def locked(rehearsal: Rehearsal, users: Path) -> Iterator[Page]:
    with Page(rehearsal, auth=users) as opened:
        yield opened


def log_in(browser: Browser, password: str = PASSWORD, name: str = "kim") -> int:
    """The status of a try."""
    import re
    import urllib.parse

    token = re.search(r'name="csrf" value="([^"]+)"', browser.get("/login").text)
    assert token
    body = urllib.parse.urlencode({"name": name, "password": password, "csrf": token[1]})
    kind = "application/x-www-form-urlencoded"
    return browser.ask("POST", "/login", body.encode(), Content_Type=kind).status


def test_nothing_is_seen_before_logging_in(locked: Page) -> None:
    browser = Browser(locked.port)
    assert browser.get("/").headers["location"] == "/login"
    assert browser.get("/results/x").headers["location"] == "/login"
    for path in ("/api/session", "/api/models", "/api/jobs", "/api/jobs/x", "/api/examples"):
        assert browser.get(path).why[0] == "W_LOGIN"
    body, kind = form(("x.png", b"x"))
    assert browser.ask("POST", "/api/jobs", body, Content_Type=kind).status == 401
    assert log_in(browser, "wrong") == 403
    assert browser.get("/api/session").status == 401


def test_logging_in_draws_a_new_session_and_out_ends_it(locked: Page) -> None:
    browser = Browser(locked.port)
    browser.get("/login")
    before = browser.cookie
    assert log_in(browser) == 303
    assert browser.cookie != before
    browser.csrf = browser.get("/api/session").data["csrf"]
    assert browser.get("/api/session").data["user"] == "kim"
    assert browser.get("/api/session", Cookie=before).status == 401
    job = browser.job()
    browser.until(job, "finished")
    inside, body = browser.cookie, f"csrf={browser.csrf}".encode()
    kind = "application/x-www-form-urlencoded"
    assert browser.ask("POST", "/logout", b"csrf=wrong", Content_Type=kind).status == 403
    assert browser.ask("POST", "/logout", body, Content_Type=kind).status == 303
    assert browser.get("/api/session", Cookie=inside).status == 401
    assert log_in(browser) == 303
    browser.csrf = browser.get("/api/session").data["csrf"]
    assert browser.state(job)["mine"]  # it is the person's, not the session's


def test_a_cookie_is_for_this_page_alone(locked: Page) -> None:
    cookie = Browser(locked.port).get("/login").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie


def test_a_token_that_a_stranger_chose_is_never_taken_over(locked: Page) -> None:
    browser = Browser(locked.port)
    browser.cookie = "lungscan=chosen-by-somebody-else"
    log_in(browser)
    assert browser.cookie != "lungscan=chosen-by-somebody-else"
    assert browser.get("/api/session", Cookie="lungscan=chosen-by-somebody-else").status == 401


def test_after_some_wrong_tries_one_has_to_wait(locked: Page) -> None:
    browser = Browser(locked.port)
    for _ in range(BY_ADDRESS):
        assert log_in(browser, "wrong") == 403
    assert log_in(browser) == 429  # also with the right one


def test_tries_are_counted_by_address_and_by_name_and_forgotten() -> None:
    now = [0.0]
    tries = Tries(lambda: now[0])
    for number in range(BY_NAME):
        assert tries.begin(f"10.0.0.{number}", "kim") == 0
    assert tries.begin("10.0.1.1", "kim") == PERIOD_S
    for number in range(BY_ADDRESS):
        assert tries.begin("10.9.9.9", f"n{number}") == 0
    assert tries.begin("10.9.9.9", "other") > 0
    assert tries.begin("10.8.8.8", "n0") == 0
    now[0] = PERIOD_S + 1
    assert tries.begin("10.9.9.9", "kim") == 0
    tries.right("10.9.9.9", "kim")
    assert [tries.begin("10.9.9.9", "kim") for _ in range(BY_ADDRESS)] == [0] * BY_ADDRESS


def test_sessions_end_and_never_grow_without_bound() -> None:
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    kim = sessions.new("kim")
    now[0] = IDLE_S - 1
    assert sessions.find(kim.token) is kim
    now[0] += IDLE_S + 1
    assert sessions.find(kim.token) is None
    lee = sessions.new("lee")
    for _ in range(int(OLDEST_S / IDLE_S) + 1):
        now[0] += IDLE_S - 1
        sessions.find(lee.token)
    assert sessions.find(lee.token) is None
    kept = sessions.new("kim")
    for _ in range(MOST + 10):
        sessions.new()
    assert len(sessions) == MOST
    assert sessions.find(kept.token) is kept  # strangers push out strangers


def test_the_password_file_holds_no_password_and_is_for_its_owner(users: Path) -> None:
    text = users.read_text()
    assert PASSWORD not in text
    assert text.startswith("kim:scrypt$")
    add_user(users, "lee", PASSWORD)
    lines = dict(line.split(":") for line in users.read_text().splitlines())
    assert lines["kim"] != lines["lee"]  # each with a salt of its own
    passwords = Passwords(users)
    assert passwords.accept("kim", PASSWORD)
    assert not passwords.accept("kim", PASSWORD + " ")
    assert not passwords.accept("nobody", PASSWORD)
    add_user(users, "kim", "another one")
    assert not Passwords(users).accept("kim", PASSWORD)
    for name, password in (("a:b", PASSWORD), ("kim", "short"), ("", PASSWORD)):
        with pytest.raises(UsageProblem):
            add_user(users, name, password)


@pytest.mark.skipif(os.name == "nt", reason="modes")
def test_a_password_file_that_others_may_read_is_refused(users: Path) -> None:
    assert users.stat().st_mode & 0o077 == 0
    users.chmod(0o644)
    with pytest.raises(UsageProblem, match="chmod 600"):
        Passwords(users)


@pytest.mark.parametrize("text", ["", "kim:secret\n", "kim:scrypt$1$8$1$AAAA$AAAA\n", "\xff"])
def test_a_file_that_is_no_password_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "users"
    path.touch(mode=0o600)
    path.write_text(text, encoding="latin-1")
    with pytest.raises(UsageProblem):
        Passwords(path)
    with pytest.raises(UsageProblem):
        Passwords(tmp_path / "missing")


# Opening ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "scan.example.org"])
def test_another_address_needs_passwords(host: str, users: Path) -> None:
    with pytest.raises(UsageProblem, match="needs passwords"):
        WebSettings(host=host)
    opened = WebSettings(host=host, auth=users)
    assert any("unencrypted" in line for line in greeting(opened, 8765))
    assert any("needs a password" in line for line in greeting(opened, 8765))


def test_which_names_lead_to_the_page(users: Path) -> None:
    local = WebSettings().hosts(8765)
    assert local == {"127.0.0.1:8765", "localhost:8765", "[::1]:8765"}
    assert "localhost" in WebSettings().hosts(80)
    opened = WebSettings(host="192.0.2.7", auth=users, names=("Scan.example.org",))
    assert opened.hosts(8765) == {
        "192.0.2.7:8765", "scan.example.org:8765", "scan.example.org",
    }  # fmt: skip


def test_on_windows_no_other_program_takes_the_page_s_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """SO_REUSEADDR lets it there; this flag, which no other system has, keeps it out."""
    monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_KEEPALIVE, raising=False)
    with bind("127.0.0.1", 0) as bound:
        assert bound.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert not bound.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


def test_a_port_in_use_is_reported_in_words() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(MachineError, match="choose one with --port"):
            bind("127.0.0.1", taken.getsockname()[1])
