"""Names are shown harmlessly, sorted as people count, and become safe keys."""

import os
import re

from hypothesis import given
from hypothesis import strategies as st

from lungscan.inputs.names import KeyMaker, natural, show


def test_show_keeps_ordinary_names_of_any_script() -> None:
    assert show("Präparat 7 – 肺.svs") == "Präparat 7 – 肺.svs"


def test_show_escapes_what_could_deceive() -> None:
    assert show("a\u202egnp.svs") == "a\\u202egnp.svs"
    assert show("a\nb\x00") == "a\\u000ab\\u0000"
    assert show(os.fsdecode(b"x\xff.svs")) == "x\\xff.svs"


@given(st.binary(min_size=1, max_size=40))
def test_shown_names_always_encode_and_print(raw: bytes) -> None:
    text = show(os.fsdecode(raw))
    assert text.encode("utf-8").decode("utf-8") == text
    assert "\n" not in text
    assert "\u202e" not in text


def test_natural_order() -> None:
    names = ["s10.svs", "S2.svs", "s1.svs", "a.svs", "s02.svs"]
    assert sorted(names, key=natural) == ["a.svs", "s1.svs", "s02.svs", "S2.svs", "s10.svs"]


@given(st.lists(st.text(max_size=120), min_size=1, max_size=8))
def test_keys_are_safe_and_unique_on_any_disk(names: list[str]) -> None:
    maker = KeyMaker()
    keys = [maker.make(name, name.encode("utf-8", "replace").decode()) for name in names]
    assert len({key.casefold() for key in keys}) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]{10,80}", key) for key in keys)


def test_key_does_not_depend_on_anything_but_the_relative_path() -> None:
    assert KeyMaker().make("1", "a/1.svs") == KeyMaker().make("1", "a/1.svs")
    assert KeyMaker().make("1", "a/1.svs") != KeyMaker().make("1", "b/1.svs")


def test_reserved_and_empty_names_become_ordinary_folders() -> None:
    assert KeyMaker().make("CON", "CON.svs").startswith("con-")
    assert KeyMaker().make("…", "….svs").startswith("case-")
