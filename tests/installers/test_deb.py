"""The Debian package: installed, used and removed in a system of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = os.environ.get("LUNGSCAN_PROGRAM", "")
ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.skipif(not FOLDER, reason="no LUNGSCAN_PROGRAM: the build takes a minute"),
    pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg"),
    pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="dpkg asks for root"),
]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("deb")
    script = ROOT / "packaging" / "make_deb.py"
    subprocess.run([sys.executable, script, FOLDER, "--out", out, "--level", "1"], check=True)
    (made,) = out.glob("lungscan_*.deb")
    return made


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, package: Path) -> Iterator[Path]:
    """A root folder with the package installed; removed at the end, which must leave nothing."""
    root = tmp_path_factory.mktemp("system")
    for part in ("updates", "info", "triggers"):
        (root / "var/lib/dpkg" / part).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    # What it depends on is the machine's own, and not registered here.
    dpkg = ["dpkg", f"--root={root}", "--force-depends"]
    subprocess.run([*dpkg, "--install", package], check=True, capture_output=True)
    yield root
    subprocess.run([*dpkg, "--purge", "lungscan"], check=True, capture_output=True)
    left = [p for p in root.rglob("*") if not p.is_relative_to(root / "var/lib/dpkg")]
    assert [p for p in left if not p.is_dir()] == []
    assert not (root / "usr").exists()


def test_the_installed_command_classifies(system: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [system / "usr/bin/lungscan", "demo", "--out", tmp_path / "demo"],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": "", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "demo/results/summary.pdf").stat().st_size > 1000


def test_licences_of_the_parts_come_along(system: Path) -> None:
    text = (system / "usr/share/doc/lungscan/copyright").read_text(encoding="utf-8")
    for part in ("openslide-bin", "openvino", "numpy", "imagecodecs", "reportlab", "pydicom"):
        assert re.search(rf"^{part} \d", text, re.MULTILINE), part
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in text
    window = (Path(FOLDER) / "_internal" / "PyQt6").is_dir()
    assert ("This program contains PyQt6" in text) == window


def test_it_says_what_it_needs(package: Path) -> None:
    printed = subprocess.run(
        ["dpkg-deb", "--field", package, "Depends"], check=True, capture_output=True, text=True
    ).stdout
    assert re.match(r"libc6 \(>= 2\.\d+\), zlib1g", printed)
    window = (Path(FOLDER) / "_internal" / "PyQt6").is_dir()
    assert ("libegl1" in printed) == window
