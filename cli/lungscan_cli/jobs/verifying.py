"""Run ``lungscan verify`` for the shell: a table of what is amiss, counts, an exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

import lungscan
from lungscan.door import jobs
from lungscan.verification.checks import AMISS, Check, State
from lungscan_cli.border import OK, SOME_FAILED
from lungscan_cli.console import answers, count, people, plain, say, write_json

AREAS = {"output": "Results", "model": "Model", "input": "Images"}
STYLES = {State.NOT_CHECKED: "yellow"}  # all others are red


def run_verify(
    out: Path, inputs: tuple[Path, ...], model: str | None, *, as_json: bool, quiet: bool
) -> int:
    """Verify and return the exit code: 0 nothing changed, 1 something did."""
    progress = people()
    progress.quiet = quiet
    done = _follow(jobs.VerifyOptions(out, inputs, model), progress)
    same, found = done.same, done.found
    amiss = sum(check.state in AMISS for check in found)
    code = SOME_FAILED if amiss else OK
    if as_json:
        write_json(_as_data(out, same, found, code))
    elif not quiet or amiss:
        console = answers()
        if found:
            console.print(_table(found))
        say(console, _verdict(same, amiss), style="red" if amiss else "green")
    return code


def _follow(options: jobs.VerifyOptions, console: Console) -> jobs.VerifyFinished:
    """The outcome; shows a sign of life on a terminal."""
    same = 0
    with console.status("Hashing ...") as status, closing(lungscan.verify(options)) as events:
        for event in events:
            if isinstance(event, jobs.VerifyFinished):
                return event
            same += event.check.state is State.SAME
            status.update(Text(f"Hashing ... {count(same, 'file')}"))
    raise RuntimeError("the check ended without saying so")


def _table(found: Sequence[Check]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=True)
    table.add_column("What")
    table.add_column("State", no_wrap=True)
    table.add_column("File, and what of it", overflow="fold")
    for check in found:
        state = Text(check.state.value.replace("_", " "), style=STYLES.get(check.state, "red"))
        lines = [line for line in (check.path, check.text) if line]
        table.add_row(AREAS[check.area], state, Text("\n".join(map(plain, lines))))
    return table


def _verdict(same: Mapping[str, int], amiss: int) -> str:
    parts = [
        count(same.get(area, 0), one)
        for area, one in (("output", "result file"), ("model", "model"), ("input", "image"))
    ]
    text = f"Unchanged: {', '.join(parts)}."
    return f"{text} {count(amiss, 'file')} amiss." if amiss else f"{text} Nothing changed."


def _as_data(
    out: Path, same: Mapping[str, int], found: Sequence[Check], code: int
) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "out": str(out),
        "same": {area: same.get(area, 0) for area in AREAS},
        "found": [asdict(check) for check in found],
        "exit_code": code,
    }
