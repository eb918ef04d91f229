"""Run ``lungscan data get``: tell where a data set is, or lay out its archive."""

from __future__ import annotations

from pathlib import Path

from lungscan import RESEARCH_USE
from lungscan.dataset.archive import sha256_of_archive, unpack
from lungscan.dataset.public_sets import SOURCES, Source
from lungscan.errors import UsageProblem
from lungscan_cli.border import OK
from lungscan_cli.console import answers, people, plain, say


def run_get(name: str, root: Path, archive: Path | None, sha256: str | None) -> int:
    """Tell, or unpack, and return the exit code."""
    source = SOURCES[name]
    if archive is None:
        if sha256 is not None:
            raise UsageProblem("--sha256 compares an archive; give it with --archive.")
        _say_source(source)
        return OK
    console = people()
    if archive.is_dir():
        if sha256 is not None:
            raise UsageProblem("--sha256 compares an archive, and this is a folder.")
        _lay_out(archive, source, root)
        return OK
    digest = sha256_of_archive(archive)
    say(console, f"SHA-256 of {plain(archive.name)}: {digest}")
    if sha256 is None:
        say(
            console,
            "We know of no published checksum; keep this one, and compare another copy with "
            "--sha256.",
        )
    elif sha256.strip().lower() != digest:
        raise UsageProblem(
            f"{plain(archive.name)} has another SHA-256 than the given one, so nothing was "
            "unpacked; download it again."
        )
    _lay_out(archive, source, root)
    return OK


def _lay_out(archive: Path, source: Source, root: Path) -> None:
    console = people()
    done = unpack(archive, source, root)
    for folder, pictures in done.pictures.items():
        say(console, f"  {plain(str(root / folder))}: {pictures:,} pictures")
    if done.ignored:
        say(console, f"  {done.ignored:,} other files of the archive were left out")
    say(console, f"{source.caution} {source.done}")
    say(console, RESEARCH_USE, style="bold")


def _say_source(source: Source) -> None:
    console = answers()
    lines = (
        ("Data set", source.title),
        ("Holds", source.holds),
        ("Size", source.size),
        ("Licence", source.licence),
        ("Citation", source.citation),
        ("Checksum", "none published that we know of; --archive prints the one of your copy"),
        *(("Where", page) for page in source.where),
        ("Caution", source.caution),
    )
    for name, value in lines:
        console.print(f"{name:<9} {value}", markup=False, soft_wrap=True)
    console.print()
    console.print("What to do:", markup=False)
    last = f"Run: lungscan data get {source.name} DIR --archive FILE.zip"
    for number, step in enumerate((*source.steps, last), 1):
        console.print(f"  {number}. {step}", markup=False, soft_wrap=True)
