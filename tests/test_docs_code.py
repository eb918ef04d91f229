"""The code in README and docs/: each block is run, or says why not; each command line could be typed.

A comment before a block says what becomes of it: ``<!-- run -->``, ``<!-- run: nightly -->`` (with
LUNGSCAN_NIGHTLY=1 only), or ``<!-- not run: REASON -->``. A page's blocks run in order, in one new folder.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import click
import pytest

from lungscan_cli.main import lungscan
from tests.doc_blocks import NIGHTLY, NOT_RUN, RUN, Block, blocks_of, command_lines

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [block for page in PAGES for block in blocks_of(page)]
CODE = [block for block in BLOCKS if block.language in {"sh", "python"}]
RUN_PAGES = [page for page in PAGES if any(block.mark == RUN for block in blocks_of(page))]
NIGHTLY_PAGES = [page for page in PAGES if any(block.mark == NIGHTLY for block in blocks_of(page))]
# Written before there were marks; their commands are read, not run. None may be added.
UNMARKED = {
    "README.md",
    "experiments.md",
    "explanation.md",
    "figures.md",
    "gradio.md",
    "page.md",
    "review.md",
    "scale.md",
}
HOLDS_UNTIL = re.compile(r"\s(?:#|\|\|?|&&|;|>|<)\s?")  # what ends a command on a line


def run_blocks(page: Path, marks: set[str], folder: Path) -> None:
    """Run a page's blocks in order, as whoever reads it types them."""
    programs = sysconfig.get_path("scripts")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LUNGSCAN_")},
        "PATH": os.pathsep.join([programs, os.environ.get("PATH", os.defpath)]),
        "PYTHONWARNINGS": "default",
    }
    for block in blocks_of(page):
        if block.mark not in marks:
            continue
        shell = ["bash", "-euo", "pipefail", "-c"] if block.language == "sh" else [sys.executable, "-c"]
        done = subprocess.run(
            [*shell, block.code],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{block} ended with {done.returncode}:\n{done.stderr}"


@pytest.mark.parametrize("page", RUN_PAGES, ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    run_blocks(page, {RUN}, tmp_path)


@pytest.mark.skipif(
    os.environ.get("LUNGSCAN_NIGHTLY", "") in {"", "0"},
    reason="trains a network: set LUNGSCAN_NIGHTLY=1",
)
@pytest.mark.parametrize("page", NIGHTLY_PAGES, ids=lambda page: page.name)
def test_the_long_code_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    run_blocks(page, {RUN, NIGHTLY}, tmp_path)


def test_the_tutorials_are_run() -> None:
    """The pages that a newcomer follows word for word are among those that run."""
    assert {"tutorial.md", "own-slides.md", "formats.md"} <= {page.name for page in RUN_PAGES}


def test_a_failing_block_fails(tmp_path: Path) -> None:
    """What runs the blocks notices a command that fails in the middle of one, and says where."""
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n<!-- run -->\n```sh\nfalse\ntrue\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"page\.md:5 ended with 1"):
        run_blocks(page, {RUN}, tmp_path)


@pytest.mark.parametrize("block", CODE, ids=str)
def test_each_block_is_run_or_says_why_not(block: Block) -> None:
    if block.page.name in UNMARKED and not block.mark:
        return
    reason = block.mark.removeprefix(NOT_RUN)
    assert block.mark in {RUN, NIGHTLY} or (block.mark.startswith(NOT_RUN) and len(reason) > 10), block


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
    """Read a command line as click does, without looking for the files it names. Raises UsageError."""
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
