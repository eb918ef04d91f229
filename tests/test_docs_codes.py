"""The page of flags and error codes says what the program says, of every one of them."""

from __future__ import annotations

import re
from pathlib import Path

from lungscan.errors import Code, LungScanError
from lungscan.report import wording

PAGE = Path(__file__).parents[1] / "docs/codes.md"


def rows(title: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(f"\n## {title}\n")
    table = [line for line in rest.partition("\n## ")[0].splitlines() if line.startswith("|")]
    assert len(table) > 2
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def codes_in(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def test_the_page_says_of_a_failed_case_what_reports_say() -> None:
    table = {codes_in(code)[0]: text for code, text in rows("Why a case failed")}
    assert set(table) == set(wording._CODES)
    assert table == {code: wording.failure(code) for code in table}


def test_every_error_code_is_on_the_page() -> None:
    of_cases = {codes_in(code)[0] for code, _ in rows("Why a case failed")}
    of_runs = {code for cell, *_ in rows("Why a command ended") for code in codes_in(cell)}
    assert of_cases | of_runs == set(Code)
    assert not of_cases & of_runs


def test_exit_codes_are_those_of_the_errors() -> None:
    own = [kind for kind in LungScanError.__subclasses__() if kind.__module__ == "lungscan.errors"]
    exits = {error.code: error.exit_code for error in own}  # others may stand behind one of them
    assert len(exits) > 5
    table = {code: int(n) for cell, n, _ in rows("Why a command ended") for code in codes_in(cell)}
    assert {code: exits[code] for code in table if code in exits} == {
        code: table[code] for code in table if code in exits
    }


def test_every_flag_is_explained_in_the_programs_words() -> None:
    table = {codes_in(flag)[0]: text for flag, text in rows("Flags")}
    assert table == {flag: wording.flag_text(flag) for flag in wording._FLAGS}
