"""The newcomer's ways of docs/installing.md, and the script that walks them."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "packaging" / "walk_newcomer.py"


@pytest.fixture(scope="module")
def walking() -> ModuleType:
    spec = importlib.util.spec_from_file_location("walk_newcomer", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its records look for their own module
    spec.loader.exec_module(module)
    return module


def test_each_way_of_the_page_is_walked_and_ends_at_the_demo(walking: ModuleType) -> None:
    text = walking.PAGE.read_text(encoding="utf-8")
    found = walking.ways(text)
    assert list(found) == list(walking.NEEDS) == ["pip", "uv", "pipx", "deb"]
    assert {lines[-1] for lines in found.values()} == {"lungscan demo"}
    assert found["pip"][:2] == ["python3 -m venv .venv", ". .venv/bin/activate"]
    assert text.count("```sh") == len(found)
    assert walking.REPORT in text


@pytest.mark.skipif(os.name != "posix", reason="the script is for a shell of POSIX")
def test_lines_are_timed_one_by_one_in_one_shell_and_the_first_that_fails_ends_it(
    walking: ModuleType, tmp_path: Path
) -> None:
    lines = ["WORD=kept", "sudo sh -c 'sleep 0.2'", 'test "$WORD" = kept', "false", "true"]
    done = subprocess.run(
        ["sh", "-c", walking.script(lines)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    found = walking.seconds_of(lines, done.stdout)
    assert list(found) == lines[:3]
    assert found[lines[1]] >= 0.2


def test_a_way_without_a_report_or_beyond_five_minutes_is_a_failure(walking: ModuleType) -> None:
    def walked(seconds: float, size: int) -> object:
        taken = {"pip install": seconds, "lungscan demo": 10.0}
        return walking.Walk("pip", taken, size, 600.0, "")

    assert walking.row(walked(80, 5000)) == "| pip | 80 | 10 | 90 | 600 |"
    assert "**failed after 90**" in walking.row(walked(80, 0))
    assert "**failed after 310**" in walking.row(walked(300, 5000))


@pytest.mark.skipif(
    os.environ.get("LUNGSCAN_NIGHTLY", "") in {"", "0"},
    reason="fetches some 200 MB: set LUNGSCAN_NIGHTLY=1",
)
def test_a_newcomer_reaches_a_report_in_five_minutes() -> None:
    if shutil.which("mmdebstrap") is None or os.name != "posix" or os.geteuid() != 0:
        pytest.skip("needs root and mmdebstrap")
    done = subprocess.run(
        [sys.executable, SCRIPT, "pip"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\| pip \| \d+ \| \d+ \| \d+ \| \d+ \|$", done.stdout, re.MULTILINE)
