"""Run a compression for the shell: read the fields, tell each try, show what came out."""

from __future__ import annotations

import dataclasses
import shlex
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from lungscan import RESEARCH_USE
from lungscan.compression.calibration_fields import gather
from lungscan.compression.int8 import compressing
from lungscan.compression.records import (
    Bounds,
    Compressed,
    CompressionJob,
    CompressionResult,
    Tried,
    Trying,
)
from lungscan.compression.wording import all_changes
from lungscan.model.card import ModelCard, find_model
from lungscan.training.drawn import draw_counter_example
from lungscan.types import RgbBatch
from lungscan.workers import available_threads
from lungscan_cli.border import INTERRUPTED
from lungscan_cli.console import answers, count, people, plain, say, told_path, write_json

DRAWN = ((1, 40), (2, 60))  # seed and number of counter-examples to calibrate on and to judge by


@dataclass(frozen=True, slots=True)
class Order:
    """What a person typed; bounds as shares."""

    model: str
    data: Path
    split: Path | None
    out: Path
    bound: float
    refusals: float
    fields: int
    threads: int | None

    def command(self) -> str:
        """The call as it may stand in a model's card: no folder of this machine is named."""
        words = ["lungscan", "compress", told_path(Path(self.model)), told_path(self.data)]
        words += ["--split", told_path(self.split)] if self.split else []
        words += ["--out", told_path(self.out), "--bound", f"{100 * self.bound:g}"]
        words += ["--refusals", f"{100 * self.refusals:g}", "--fields", str(self.fields)]
        return shlex.join(words)


def run_compression(order: Order, *, as_json: bool, quiet: bool) -> int:
    """Compress and return the exit code: 0 fine, 130 interrupted."""
    console = Console(quiet=True) if quiet else people()
    try:
        job = _gathered(order, console)
        result = _follow(job, order.out, console)
    except KeyboardInterrupt:
        say(console, "Stopped; nothing was written.")
        return INTERRUPTED
    if as_json:
        write_json({"schema_version": 1, **_as_data(result)})
        return 0
    if not quiet:
        answers().print(_table(result))
    if result.caution:
        say(console, result.caution, style="yellow")
    folder = plain(str(order.out))
    say(console, f"Use it with `lungscan classify --model {shlex.quote(folder)}`.")
    say(console, RESEARCH_USE, style="bold")
    return 0


def _gathered(order: Order, console: Console) -> CompressionJob:
    card = find_model(order.model)
    threads = order.threads or available_threads()
    say(console, "Reading fields ...", style="dim")
    found = gather(card, order.data, order.split, threads, order.fields)
    for file in found.skipped:
        say(console, f"skipped, cannot be read: {plain(file)}", style="yellow")
    fitted, judged = len(found.calibration.labels), len(found.tiles.labels)
    groups = len(set(found.tiles.groups))
    say(
        console,
        f"{count(fitted, 'field')} to calibrate on, {judged:,} in {count(groups, 'group')} to "
        "judge by.",
    )
    drawn = [_drawn(card, seed, count) for seed, count in DRAWN]
    return CompressionJob(
        card,
        np.concatenate([found.calibration.pixels, drawn[0]]),
        found.tiles,
        foreign=drawn[1],
        bounds=Bounds(order.bound, order.refusals),
        threads=threads,
        command=order.command(),
    )


def _drawn(card: ModelCard, seed: int, count: int) -> RgbBatch:
    """Drawn counter-examples: they cost nothing, and no data folder has to hold any."""
    rng = np.random.default_rng(seed)
    return np.stack([draw_counter_example(rng, card.patch_size_pixels) for _ in range(count)])


def _follow(job: CompressionJob, out: Path, console: Console) -> CompressionResult:
    """Draw each event. Leaving early closes the compression, which then leaves nothing behind."""
    animated = console.is_terminal and not console.is_dumb_terminal and not console.quiet
    status = console.status("Quantizing ...") if animated else None
    with closing(compressing(job, out)) as events, status or nullcontext():
        for event in events:
            match event:
                case Trying():
                    told = f"Quantizing {event.method} ..."
                    if status is None:
                        say(console, told, style="dim")
                    else:
                        status.update(told)
                case Tried():
                    verdict = "within the bounds" if event.kept else "more than the bounds allow"
                    say(console, f"{event.method}: {all_changes(event.agreement)}; {verdict}")
                case Compressed():
                    return event.result
    raise RuntimeError("the compression ended without saying so")


def _table(result: CompressionResult) -> Table:
    agreement = result.agreement
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(f"{agreement.tiles} fields, {agreement.groups} groups")
    table.add_column("before, fp32", justify="right")
    table.add_column("int8", justify="right")
    shares = (
        ("Accuracy", agreement.accuracy_before, agreement.accuracy_after),
        ("Answered", agreement.answered_before, agreement.answered_after),
    )
    for name, before, after in shares:
        table.add_row(name, f"{before:.2%}", f"{after:.2%}")
    sizes = (f"{size / 1e6:.1f} MB" for size in (result.bytes_before, result.bytes_after))
    table.add_row(
        "Counter-examples answered",
        f"{agreement.foreign_answered_before} of {agreement.foreign}",
        f"{agreement.foreign_answered_after} of {agreement.foreign}",
    )
    table.add_row("Size on disk", *sizes)
    table.add_row(
        "Became wrong, became right", "", f"{agreement.became_wrong}, {agreement.became_right}"
    )
    table.add_row("Refusals changed", "", str(agreement.refusals_changed))
    return table


def _as_data(result: CompressionResult) -> dict[str, object]:
    return {
        **dataclasses.asdict(result),
        "folder": str(result.folder),
        "lost": result.agreement.lost,
    }
