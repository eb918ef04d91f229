"""The licences of all that goes into the program, as one text.

    python packaging/collect_licences.py OUT.txt [--window]

Taken from the metadata and licence files of the installed distributions that LungScan asks for,
directly or in turn, of Python itself, and of those C libraries whose texts lie in the wheels.
"""

from __future__ import annotations

import argparse
import re
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = "lungscan-histology"
TEXT = re.compile(r"(licen[cs]e|copying|notice|authors|third.?party)", re.IGNORECASE)
RULE = "=" * 78
NO_TEXT = "(The wheel holds no text of it; the project's page does.)"
HEAD = """LungScan and what comes with it

LungScan itself and its models are licensed under Apache-2.0, whose text comes first. Every part
below stays under its own licence.{window}

OpenSlide is under the LGPL, version 2.1. Its library lies in this folder as a file of its own
(_internal/openslide_bin): whoever wants another build of it puts that in its place.
"""
WINDOW = """

This program contains PyQt6 and is therefore, as a whole, distributed under the GNU General Public
License, version 3. The complete source of LungScan is what this build was made from, and is offered
together with it; that of PyQt6 and Qt is published by Riverbank Computing and The Qt Company."""


def needed(name: str, extras: tuple[str, ...] = ()) -> dict[str, Distribution]:
    """Every installed distribution that ``name`` asks for, with itself, by canonical name."""
    found: dict[str, Distribution] = {}
    waiting: list[tuple[str, tuple[str, ...]]] = [(name, extras)]
    while waiting:
        asked, wanted = waiting.pop()
        key = canonicalize_name(asked)
        if key in found and not wanted:
            continue
        try:
            found[key] = distribution(asked)
        except PackageNotFoundError:
            continue  # an optional part that is not installed
        for text in found[key].requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or any(
                requirement.marker.evaluate({"extra": extra}) for extra in ("", *wanted)
            ):
                waiting.append((requirement.name, tuple(requirement.extras)))
    return dict(sorted(found.items()))


def texts(found: Distribution) -> Iterator[tuple[str, str]]:
    """The name and words of each licence file in a distribution."""
    for file in found.files or []:
        if file.suffix not in {".py", ".pyc", ".so", ".pyd"} and TEXT.search(file.name):
            path = Path(str(found.locate_file(file)))
            if path.is_file():
                yield str(file), path.read_text(encoding="utf-8", errors="replace").strip()


def licence_of(found: Distribution) -> str:
    """What its metadata call its licence."""
    data = found.metadata
    licence = data.get("License-Expression") or ""
    classes = [text for text in data.get_all("Classifier", []) if "License" in text]
    classified = [text.split("::")[-1].strip() for text in classes]
    short = (data.get("License") or "").strip()
    return licence or ", ".join(classified) or (short if len(short) < 80 else "") or "see its text"


def write_licences(path: Path, *, window: bool) -> list[str]:
    """Write the text; returns the names of what stands in it."""
    parts = [HEAD.format(window=WINDOW if window else "")]
    names = []
    everything = needed(OURS, ("web", "dicom", *(("gui",) if window else ())))
    ours = everything.pop(OURS)
    for name, found in {OURS: ours, **everything}.items():
        names.append(name)
        parts.append(f"{RULE}\n{name} {found.version}: {licence_of(found)}\n{RULE}")
        held = list(texts(found))
        parts += [f"--- {file}\n\n{text}" for file, text in held] or [NO_TEXT]
    parts.append(f"{RULE}\nPython {sys.version.split()[0]}: PSF-2.0\n{RULE}")
    python = Path(sysconfig.get_path("stdlib")) / "LICENSE.txt"
    parts.append(python.read_text(encoding="utf-8") if python.is_file() else NO_TEXT)
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return names


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--window", action="store_true")
    chosen = parser.parse_args()
    print(", ".join(write_licences(chosen.out, window=chosen.window)))
