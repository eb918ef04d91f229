"""The card itself, and the documents that speak of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from attacks.base import Bench, Line

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script():  # type: ignore[no-untyped-def]
    import reliability

    return reliability


def test_the_card_says_what_was_counted_and_how(script) -> None:  # type: ignore[no-untyped-def]
    lines = [
        Line("kills", 200, {"lost": 0, "doubled": 0}, "some | way"),
        Line("names", 1_000, {"formulas": 2}),
        Line("audit", 0, {}, not_run="no database at hand"),
    ]
    card = script.show(lines, script.facts(True, 3, 90.0, ("kills",)))
    assert "Command: python benchmarks/reliability.py --full --only kills --seed 3" in card
    assert "Took: 1.5 min" in card
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in card.splitlines()[-3:]]
    assert rows == [
        ["kills", "200", "lost 0, doubled 0", "yes", "some / way"],
        ["names", "1,000", "formulas 2", "**NO**", ""],
        ["audit", "0", "", "not run", "no database at hand"],
    ]


def test_an_attack_that_breaks_is_no_success(script, bench: Bench) -> None:  # type: ignore[no-untyped-def]
    def broken(bench: Bench) -> list[Line]:
        raise ZeroDivisionError("oh")

    def fine(bench: Bench, count: int) -> list[Line]:
        return [Line("fine", count, {"lost": 0})]

    chosen = {
        "broken": script.Planned(broken),
        "fine": script.Planned(fine, {"count": 2}, {"count": 9}),
    }
    sentences: list[str] = []
    first, second = script.run(bench, chosen, full=False, say=sentences.append)
    assert not first.met
    assert "ZeroDivisionError: oh" in first.detail
    assert (second.met, second.tried) == (True, 2)
    assert len(sentences) == 2


def test_the_exit_code_tells_a_count_that_is_not_zero(
    script,  # type: ignore[no-untyped-def]
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def attack(bench: Bench, lost: int = 0) -> list[Line]:
        return [Line("this one", 5, {"lost": lost})]

    for lost, code in ((0, 0), (1, 1)):
        monkeypatch.setitem(script.ATTACKS, "loop", script.Planned(attack, {"lost": lost}))
        assert script.main(["--only", "loop", "--write", str(tmp_path / "card.md")]) == code
        assert (tmp_path / "card.md").read_text(encoding="utf-8") == capsys.readouterr().out


def test_the_walk_names_every_threat_and_tests_that_exist() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    numbers = re.findall(r"^\| (T\d\d) \|", text, re.MULTILINE)
    assert numbers == [f"T{number:02}" for number in range(1, 44)]
    for line in text.splitlines():
        if re.match(r"\| T\d\d \|", line):
            assert "`test_" in line or "not applicable" in line or "open" in line, line
    existing = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = set(re.findall(r"`(test_\w+)`", text))
    assert named
    assert named <= existing, sorted(named - existing)
