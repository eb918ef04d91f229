"""Desktop entry, types of files and icon: valid, and of one mind with what LungScan reads."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
from PIL import Image

from lungscan.inputs.kinds import FIELD_SUFFIXES, SLIDE_SUFFIXES

PACKAGING = Path(__file__).parents[2] / "packaging"
MIME = (PACKAGING / "linux/lungscan-mime.xml").read_text(encoding="utf-8")
# Named by the system's own table: TIFF by several names, pictures, and DICOM.
KNOWN_TO_SYSTEM = (FIELD_SUFFIXES | {".dcm"}) - {".qptiff"}


def entry() -> dict[str, str]:
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  names have capitals
    parser.read(PACKAGING / "linux/lungscan.desktop", encoding="utf-8")
    return dict(parser["Desktop Entry"])


def test_every_slide_s_name_has_a_type_and_every_type_opens_lungscan() -> None:
    named = {f".{suffix}" for suffix in re.findall(r'<glob pattern="\*\.(\w+)"', MIME)}
    assert named == (SLIDE_SUFFIXES | FIELD_SUFFIXES) - KNOWN_TO_SYSTEM
    declared = set(re.findall(r'<mime-type type="([^"]+)"', MIME))
    assert len(declared) == len(named)
    opened = set(entry()["MimeType"].strip(";").split(";"))
    assert declared | {"image/tiff", "application/dicom", "inode/directory"} <= opened


def test_the_entry_starts_the_window_on_the_files() -> None:
    assert entry()["Exec"] == "lungscan gui %F"
    assert entry()["Icon"] == "lungscan"
    assert "research use" in entry()["Comment"]


@pytest.mark.skipif(shutil.which("desktop-file-validate") is None, reason="desktop-file-utils")
def test_the_entry_is_valid() -> None:
    command = ["desktop-file-validate", str(PACKAGING / "linux/lungscan.desktop")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.skipif(shutil.which("update-mime-database") is None, reason="shared-mime-info")
def test_the_system_takes_the_types(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages/lungscan.xml").write_text(MIME, encoding="utf-8")
    subprocess.run(["update-mime-database", str(tmp_path)], check=True, capture_output=True)
    globs = (tmp_path / "globs2").read_text(encoding="utf-8")
    assert "50:image/x-aperio-svs:*.svs" in globs


def test_the_icons_are_what_the_script_draws(tmp_path: Path) -> None:
    script = PACKAGING / "draw_icon.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True)
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert drawn == sorted(path.name for path in (PACKAGING / "icon").iterdir())
    assert (tmp_path / "lungscan.svg").read_bytes() == (
        PACKAGING / "icon/lungscan.svg"
    ).read_bytes()
    for size in (16, 256):
        with (
            Image.open(tmp_path / f"lungscan-{size}.png") as new,
            Image.open(PACKAGING / f"icon/lungscan-{size}.png") as kept,
        ):
            assert kept.size == (size, size)
            assert new.tobytes() == kept.tobytes()


def test_the_window_bears_the_same_icon() -> None:
    kept = (PACKAGING.parent / "gui/lungscan_gui/icon.png").read_bytes()
    assert kept == (PACKAGING / "icon/lungscan-256.png").read_bytes()
