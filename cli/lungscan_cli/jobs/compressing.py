"""Run a compression for the shell: read the fields, tell each try, show what came out."""

from __future__ import annotations

import dataclasses
import shlex
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

import lungscan
from lungscan.compression.records import Compressed, CompressionResult, Tried, Trying
from lungscan.compression.wording import all_changes
from lungscan.door import jobs
from lungscan.model.checked import read_card
from lungscan.model.shares import percent
from lungscan_cli.border import INTERRUPTED
from lungscan_cli.console import answers, count, people, plain, say, shell_path, write_json
from lungscan_cli.views.made import say_use


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

    def options(self) -> jobs.CompressOptions:
        """The engine's options."""
        return jobs.CompressOptions(
            self.model,
            self.data,
            self.out,
            self.split,
            self.bound,
            self.refusals,
            self.fields,
            self.threads,
            self.command(),
        )

    def command(self) -> str:
        """The call as it may stand in a model's card: no folder of this machine is named."""
        words = ["lungscan", "compress", shell_path(Path(self.model)), shell_path(self.data)]
        words += ["--split", shell_path(self.split)] if self.split else []
        words += ["--out", shell_path(self.out), "--bound", f"{100 * self.bound:g}"]
        words += ["--refusals", f"{100 * self.refusals:g}", "--fields", str(self.fields)]
        return shlex.join(words)


def run_compression(order: Order, *, as_json: bool, quiet: bool) -> int:
    """Compress and return the exit code: 0 fine, 130 interrupted."""
    console = Console(quiet=True) if quiet else people()
    try:
        result = _follow(order, console)
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
    say_use(console, order.out, read_card(order.out))
    return 0


def _follow(order: Order, console: Console) -> CompressionResult:
    """Draw each event. Leaving early closes the compression, which then leaves nothing behind."""
    animated = console.is_terminal and not console.is_dumb_terminal and not console.quiet
    status = console.status("Reading fields ...") if animated else None
    if status is None:
        say(console, "Reading fields ...", style="dim")
    with closing(lungscan.compress(order.options())) as events, status or nullcontext():
        for event in events:
            match event:
                case jobs.FieldsGathered():
                    _say_fields(event, console)
                case Trying():
                    text = f"Quantizing {event.method} ..."
                    if status is None:
                        say(console, text, style="dim")
                    else:
                        status.update(text)
                case Tried():
                    verdict = "within the bounds" if event.kept else "more than the bounds allow"
                    say(console, f"{event.method}: {all_changes(event.agreement)}; {verdict}")
                case Compressed():
                    return event.result
    raise RuntimeError("the compression ended without saying so")


def _say_fields(event: jobs.FieldsGathered, console: Console) -> None:
    for file in event.skipped:
        say(console, f"skipped, cannot be read: {plain(file)}", style="yellow")
    say(
        console,
        f"{count(event.calibrating, 'field')} to calibrate on, {event.judging:,} in "
        f"{count(event.groups, 'group')} to judge by.",
    )


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
        table.add_row(name, percent(before, 2), percent(after, 2))
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
