"""The code in README and docs/: a block is run, or says why not; each command could be typed.

A comment before a block says what becomes of it: ``<!-- run -->``; ``<!-- run with pictures -->``,
in a folder that holds those that such pages speak of; ``<!-- run: nightly -->``, with
LUNGSCAN_NIGHTLY=1 only; or ``<!-- not run: REASON -->``. A page's blocks run in order, in one new
folder. The README bears no such comments: what it shows is found here by its words.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import pytest
from PIL import Image

from lungscan.demo import make_demo
from lungscan_cli.main import lungscan
from tests.doc_blocks import (
    NIGHTLY,
    NOT_RUN,
    RUN,
    WITH_PICTURES,
    Block,
    blocks_of,
    command_lines,
)

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
README_RUNS = ("lungscan classify slide.svs", "lungscan.classify(")  # words of blocks that are run
HOLDS_UNTIL = re.compile(r"\s(?:#|\|\|?|&&|;|>|<)\s?")  # what ends a command on a line


def marked(page: Path) -> list[Block]:
    """A page's blocks with their marks."""
    if page != README:
        return blocks_of(page)
    return [
        replace(
            block, mark=WITH_PICTURES if any(word in block.code for word in README_RUNS) else ""
        )
        for block in blocks_of(page)
    ]


PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [block for page in PAGES for block in marked(page)]
CODE = [block for block in BLOCKS if block.language in {"sh", "python"}]


def pages_with(*marks: str) -> list[Path]:
    """The pages that have a block with one of the marks."""
    return list(dict.fromkeys(block.page for block in CODE if block.mark in marks))


def run_blocks(blocks: Sequence[Block], folder: Path) -> None:
    """Run blocks one after the other, as whoever reads them types them."""
    programs = sysconfig.get_path("scripts")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LUNGSCAN_")},
        "PATH": os.pathsep.join([programs, os.environ.get("PATH", os.defpath)]),
    }
    for block in blocks:
        shell = ["bash", "-euo", "pipefail", "-c"]
        done = subprocess.run(
            [*(shell if block.language == "sh" else [sys.executable, "-c"]), block.code],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{block} ended with {done.returncode}:\n{done.stderr}"


def make_pictures(folder: Path) -> None:
    """What such pages speak of as if it were there: a slide, a scan without scale, fields."""
    made = {path.name: path for path in make_demo(folder / "demo").paths}
    slide, field = made["stitched-slide.svs"], made["training-benign-1.jpg"]
    for name in ("slides", "fields"):
        (folder / name).mkdir()
    shutil.copy(slide, folder / "slide.svs")
    shutil.copy(slide, folder / "slides/one.svs")
    shutil.copy(field, folder / "field.jpg")
    shutil.copy(field, folder / "fields")
    with Image.open(field) as picture:
        picture.save(folder / "scan.tif")


@pytest.mark.parametrize("page", pages_with(RUN, WITH_PICTURES), ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    blocks = [block for block in marked(page) if block.mark in {RUN, WITH_PICTURES}]
    if any(block.mark == WITH_PICTURES for block in blocks):
        make_pictures(tmp_path)
    run_blocks(blocks, tmp_path)


@pytest.mark.skipif(
    os.environ.get("LUNGSCAN_NIGHTLY", "") in {"", "0"},
    reason="trains a network: set LUNGSCAN_NIGHTLY=1",
)
@pytest.mark.parametrize("page", pages_with(NIGHTLY), ids=lambda page: page.name)
def test_the_long_code_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    run_blocks([block for block in marked(page) if block.mark == NIGHTLY], tmp_path)


def test_the_tutorials_are_run() -> None:
    """The pages that a newcomer follows word for word are among those that run."""
    run = {page.name for page in pages_with(RUN, WITH_PICTURES)}
    assert {"README.md", "api.md", "formats.md", "own-slides.md", "tutorial.md", "using.md"} <= run


def test_a_failing_block_fails(tmp_path: Path) -> None:
    """What runs the blocks notices a command that fails in the middle of one, and says where."""
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n<!-- run -->\n```sh\nfalse\ntrue\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"/page\.md:5 ended with 1"):
        run_blocks(blocks_of(page), tmp_path)


@pytest.mark.parametrize("block", [block for block in CODE if block.page != README], ids=str)
def test_each_block_is_run_or_says_why_not(block: Block) -> None:
    reason = block.mark.removeprefix(NOT_RUN)
    explained = block.mark.startswith(NOT_RUN) and len(reason) > 10
    assert block.mark in {RUN, WITH_PICTURES, NIGHTLY} or explained


COMMANDS = [
    pytest.param(line, id=f"{block}")
    for block in BLOCKS
    if block.language == "sh"
    for line in command_lines(block.code)
    if re.search(r"\blungscan(?: |$)", line)
]


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_line_could_be_typed(line: str) -> None:
    for typed in re.findall(r"(?:^|&& |\()lungscan\b([^)]*)", line):
        parse(shlex.split(HOLDS_UNTIL.split(f"{typed} ", maxsplit=1)[0].replace("...", "X")))


@pytest.mark.parametrize(
    "wrong", [["clasify", "x"], ["classify", "x", "--sclae"], ["classify", "x", "--pdf", "often"]]
)
def test_a_wrong_command_line_is_noticed(wrong: list[str]) -> None:
    with pytest.raises(click.UsageError):
        parse(wrong)


def parse(typed: list[str]) -> None:
    """Read a command line as click does; files need not be there. Raises UsageError."""
    command: click.Command = lungscan
    context = click.Context(command, info_name="lungscan")
    while isinstance(command, click.Group) and typed:
        name, *typed = typed
        if name in {"--help", "--version"}:
            return
        found = command.get_command(context, name)
        if found is None:
            raise click.UsageError(f"There is no command {name}.")
        command, context = found, click.Context(found, parent=context, info_name=name)
    values, left, _ = command.make_parser(context).parse_args(typed)
    assert not left, f"nothing takes {left}"
    for parameter in command.params:
        value = values.get(parameter.name)
        if isinstance(value, str) and not isinstance(parameter.type, (click.Path, click.File)):
            parameter.type.convert(value, parameter, context)
