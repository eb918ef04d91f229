"""Guessing passwords: what a right one forgives."""

from __future__ import annotations

from lungscan_web.access.tries import BY_ADDRESS, BY_NAME, PERIOD_S, Tries

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
