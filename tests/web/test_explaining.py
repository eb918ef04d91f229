"""Explanations on request: asked once, told as they come, refused where there is nothing to say."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lungscan.demo.making import FIELDS
from lungscan.errors import Code
from lungscan.opening.apart import Apart, Failure
from lungscan.results.case_json import to_json
from lungscan_web.jobs import explaining, explaining_child
from lungscan_web.jobs.explaining import Explanations, Question, Reply, question_of
from lungscan_web.jobs.limits import Limits, NotHere, TooMany
from tests.results import field_result
from tests.web.serving import Page, wait

FIELD = FIELDS / "single" / "squamous" / "lungscc2365.jpeg"
QUESTION = Question(Path("case.json"), Path("x.png"), None, "tiny", None, Path())


class FakeApart(Apart):
    """Says what it was told to say, when it is let."""

    def __init__(self, last: object, hold: threading.Event) -> None:
        self._last, self._hold = last, hold

    def begin(self, task: object) -> None:
        assert task == QUESTION

    def events(self) -> Iterator[Any]:
        assert self._hold.wait(30)
        yield self._last

    def kill(self) -> None:
        self._hold.set()


def asked(last: object) -> tuple[Explanations, threading.Event]:
    """Explanations that end with ``last`` once the event is set."""
    hold = threading.Event()
    return Explanations(lambda: FakeApart(last, hold)), hold


def until(made: Explanations, state: str) -> explaining.Explanation:
    """The explanation of case 1 of job j, once it is so far."""
    found: explaining.Explanation = wait(
        lambda: now if (now := made.look("j", 1)) and now.state == state else None
    )
    return found


def test_an_explanation_is_made_once_and_forgotten_with_its_job() -> None:
    made, hold = asked(Reply("What matters", "Orange: it does."))
    assert made.look("j", 1) is None
    assert made.ask("j", 1, QUESTION).state == "working"
    assert made.ask("j", 1, QUESTION).state == "working"  # the same one
    hold.set()
    described = explaining.described(until(made, "ready"), "/picture.png")
    assert described == {
        "state": "ready",
        "message": "",
        "pictures": [{"title": "What matters", "url": "/picture.png", "words": "Orange: it does."}],
    }
    made.forget("j")
    assert made.look("j", 1) is None


def test_one_that_failed_says_why_and_may_be_asked_for_again() -> None:
    made, hold = asked(Failure("The image cannot be read.", Code.IO))
    hold.set()
    made.ask("j", 1, QUESTION)
    assert until(made, "failed").message == "The image cannot be read."
    hold.clear()
    assert made.ask("j", 1, QUESTION).state == "working"
    hold.set()


def test_only_so_many_are_under_way() -> None:
    made, hold = asked(Reply("", ""))
    for number in range(explaining.MOST):
        made.ask("j", number, QUESTION)
    with pytest.raises(TooMany):
        made.ask("j", 99, QUESTION)
    wait(lambda: made.computing)
    made.close()
    assert hold.is_set()  # what was under way has been ended
    with pytest.raises(TooMany):
        made.ask("k", 1, QUESTION)


def test_deleting_a_job_ends_its_process_and_no_other_job_s() -> None:
    killed = []

    class Watched(FakeApart):
        def kill(self) -> None:
            killed.append(len(killed))
            super().kill()

    hold = threading.Event()
    made = Explanations(lambda: Watched(Reply("", ""), hold))
    made.ask("j", 1, QUESTION)
    wait(lambda: made.computing)
    made.ask("j", 2, QUESTION)  # waits for the first one
    made.forget("other")
    assert (killed, made.computing) == ([], 1)
    made.forget("j")
    assert (killed, made.computing) == ([0], 0)  # and it has ended
    made.ask("k", 1, QUESTION)
    wait(lambda: (now := made.look("k", 1)) and now.state == "ready")
    assert killed == [0]


def test_one_that_waits_is_not_begun_once_its_job_is_deleted() -> None:
    started = []
    hold = threading.Event()

    def start() -> FakeApart:
        started.append(len(started))
        return FakeApart(Reply("", ""), hold)

    made = Explanations(start)
    made.ask("j", 1, QUESTION)
    wait(lambda: made.computing)
    made.ask("k", 1, QUESTION)
    made.ask("l", 1, QUESTION)
    made.forget("k")
    hold.set()
    wait(lambda: (now := made.look("l", 1)) and now.state == "ready")
    assert started == [0, 1]


def test_no_picture_is_written_into_the_folder_of_a_deleted_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, view = tmp_path / "case.json", tmp_path / "job" / "view" / "key"
    record.write_bytes(to_json(field_result()))
    for name, told in (
        ("explain", None),
        ("render_explanation", b"x"),
        ("title", ""),
        ("sentences", ()),
    ):
        monkeypatch.setattr(explaining_child, name, lambda *_, told=told, **__: told)
    question = replace(QUESTION, record=record, view=view)
    with pytest.raises(NotHere):
        explaining_child.work(question, threading.Event(), print)
    assert [path.name for path in tmp_path.iterdir()] == ["case.json"]


def test_the_clearest_tile_of_a_slide_is_explained() -> None:
    evidence = [
        {"role": "uncertain", "file": 0, "box": [9, 9, 1, 1]},
        {"role": "top", "file": 1, "box": [5, 6, 7, 8]},
        {"role": "top", "file": 0, "box": [1, 2, 3, 4]},
    ]
    assert question_of({"evidence": evidence}, 0) == (1, 2, 3, 4)
    assert question_of({"evidence": evidence[:1]}, 0) == (9, 9, 1, 1)
    assert question_of({"evidence": []}, 0) is None


def test_a_field_is_explained_by_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Page(limits=Limits(free_bytes=1, at_once=1)) as page:
        browser = page.browser()
        number = browser.job((FIELD.name, FIELD.read_bytes()))
        browser.until(number, "finished")
        url = browser.get(f"/api/jobs/{number}/cases/1").data["explanation"]
        assert browser.get(url).data["state"] == "none"
        assert browser.post(url).status == 202
        described = wait(lambda: t if (t := browser.get(url).data)["state"] != "working" else None)
        assert described["state"] == "ready", described["message"]
        (picture,) = described["pictures"]
        with Image.open(io.BytesIO(browser.get(picture["url"]).body)) as opened:
            assert opened.format == "PNG"
            assert opened.width > 400
        assert len(picture["words"]) > 50
