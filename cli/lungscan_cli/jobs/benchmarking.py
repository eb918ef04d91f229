"""Run a benchmark for the shell: a line for what is measured now, then one table."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

import lungscan
from lungscan.benchmarking.records import (
    Benchmark,
    BenchmarkFinished,
    BenchmarkOptions,
    RoundDone,
    Seeking,
    Variant,
)
from lungscan.benchmarking.speed_tables import (
    NUMBERS,
    SPEED_HEADINGS,
    as_data,
    machine_line,
    speed_cells,
    subject_cells,
)
from lungscan_cli.border import INTERRUPTED
from lungscan_cli.console import answers, people, plain, say, write_json


def run_benchmark(
    options: BenchmarkOptions, outs: Sequence[Path], *, as_json: bool, quiet: bool
) -> int:
    """Measure and return the exit code: 0 fine, 130 interrupted."""
    console = Console(quiet=True) if quiet else people()
    try:
        found = _follow(options, outs, console)
    except KeyboardInterrupt:
        say(console, "Stopped; nothing was written.")
        return INTERRUPTED
    if as_json:
        write_json(as_data(found))
    elif not quiet:
        show_benchmark(answers(), found)
    for path in outs:
        say(console, f"Written: {plain(str(path))}")
    return 0


def _follow(options: BenchmarkOptions, outs: Sequence[Path], console: Console) -> Benchmark:
    animated = console.is_terminal and not console.is_dumb_terminal and not console.quiet
    status = console.status("Loading ...") if animated else None
    with closing(lungscan.benchmark(options, outs)) as events, status or nullcontext():
        for event in events:
            match event:
                case Seeking():
                    place = f"{event.done + 1} of {event.total}"
                    text = f"Seeking the best batch, {place}: {_name(event.variant)}"
                case RoundDone():
                    text = f"Round {event.done} of {event.rounds} done"
                case BenchmarkFinished():
                    return event.benchmark
            if status is None:
                say(console, text, style="dim")
            else:
                status.update(Text(text))
    raise RuntimeError("the benchmark ended without saying so")


def _name(variant: Variant) -> str:
    where = f"{variant.runtime}, {variant.device}, {variant.precision}"
    return f"{plain(variant.subject)}, {where}"


def show_benchmark(console: Console, found: Benchmark) -> None:
    """The machine, each model with its figures, and what to know when reading them."""
    say(console, machine_line(found.machine))
    cells = {row: speed_cells(row)[1:] for row in found.rows}
    columns = zip(SPEED_HEADINGS[1:], *cells.values(), strict=True)
    widths = [max(map(len, column)) for column in columns]  # of all models: their columns line up
    for subject in found.subjects:
        name, network, side, parameters, size, accuracy = subject_cells(subject)
        console.print()
        say(console, plain(name), style="bold")
        say(console, plain(f"{network}, {side}, {parameters} parameters, {size} on disk"))
        text = "Accuracy in the card: " if subject.accuracy is not None else ""
        say(console, plain(f"{text}{accuracy}"))
        rows = [cells[row] for row in found.rows if found.subject_of(row) == subject]
        console.print(_table(rows, widths))
    for note in found.notes:
        say(console, note, style="dim")


def _table(rows: Sequence[tuple[str, ...]], widths: Sequence[int]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading, width in zip(SPEED_HEADINGS[1:], widths, strict=True):
        justify: Literal["left", "right"] = "right" if heading in NUMBERS else "left"
        table.add_column(heading, justify=justify, min_width=width, overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    return table
