"""Attacks of which one is enough: a damaged tile, a loop of links, a look at the network."""

from __future__ import annotations

import re
import shutil
import sys
from collections import Counter
from pathlib import Path

from attacks import model, pictures
from attacks.base import PLAIN, Bench, Line, execute, rows, tiles

_SIDE = 512  # of a file tile and of a field alike
_TILES = 8  # a side
_DAMAGED = 27
CONNECTS = re.compile(r"\b(connect|sendto|sendmsg)\(.*sa_family=AF_(?!UNIX|NETLINK|UNSPEC)")

# Python's own view of it, where no system calls can be watched.
WATCHED = """
import sys
def see(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind"):
        if not (event != "socket.getaddrinfo" and isinstance(arguments[1], (str, bytes))):
            print("NETWORK", event, arguments[1:], file=sys.stderr)
sys.addaudithook(see)
from lungscan_cli.main import main
sys.exit(main())
"""


def one_tile(bench: Bench) -> list[Line]:
    """Damage one file tile of 64, each of which is exactly one field."""
    bad = dict.fromkeys(("damaged tiles that were not missed", "other tiles that changed"), 0)
    with bench.folder("one-tile") as folder:
        wide = model.build(folder / "model", _SIDE)
        at = Bench(folder, wide.folder)
        found = {}
        for name, damaged in (("clean", ()), ("damaged", (_DAMAGED,))):
            # The second level is the one that tissue is looked for on: it stays whole.
            slide = pictures.slide(
                folder / name / "slide.svs",
                _SIDE * _TILES,
                tile=_SIDE,
                downsamples=(2,),
                damaged=damaged,
            )
            at.classify(folder / name / "out", slide, *PLAIN)
            (table,) = tiles(folder / name / "out").values()
            found[name] = table.splitlines()
            (row,) = rows(folder / name / "out")
        changed = [
            number
            for number, (one, other) in enumerate(zip(*found.values(), strict=True))
            if one != other
        ]
    bad["damaged tiles that were not missed"] += changed.count(_DAMAGED + 1) != 1
    bad["other tiles that changed"] += len([number for number in changed if number != _DAMAGED + 1])
    bad["case not partial"] = row["status"] != "partial"
    detail = f"{len(found['clean']) - 1} tiles, the others compared byte for byte"
    return [Line("one damaged tile of 64", 1, {k: int(v) for k, v in bad.items()}, detail)]


def link_loop(bench: Bench) -> list[Line]:
    """A slide beside links to its folder, to itself and to a link that leads to both."""
    with bench.folder("loop") as folder:
        inner = folder / "in" / "deep"
        slide = pictures.slide(inner / "slide.svs", 256)
        (inner / "up").symlink_to(folder / "in", target_is_directory=True)
        (inner / "self").symlink_to("self")
        (inner / "again.svs").symlink_to(slide)
        (inner / "hard.svs").hardlink_to(slide)
        (folder / "in" / "ring").symlink_to(inner / "up", target_is_directory=True)
        done = bench.classify(folder / "out", folder / "in", *PLAIN)
        ends = Counter(row["status"] for row in rows(folder / "out"))
    bad = {
        "rows too many or too few": abs(ends["ok"] + ends["no_result"] - 1),
        "failures": ends["failed"] + (done.code != 0),
    }
    return [Line("link loop", 1, bad, f"one slide under 5 links: {dict(ends)}")]


def network(bench: Bench) -> list[Line]:
    """Classify with every report, and count attempts to reach anything outside this machine."""
    with bench.folder("network") as folder:
        pictures.slide(folder / "in" / "slide.svs", 256)
        pictures.field(folder / "in" / "field.png")
        command = bench.command(folder / "out", folder / "in", "--pdf", "cases")
        log = folder / "log"
        if shutil.which("strace"):
            how = "system calls of the whole process tree watched by strace"
            watch = ["strace", "-f", "-q", "-e", "trace=network", "-o", str(log)]
            done = execute([*watch, *command])
            attempts = len(CONNECTS.findall(_text(log)))
        else:
            how = "Python's audit events of the main process"
            done = execute([sys.executable, "-c", WATCHED, *command[3:]])
            attempts = done.err.count("NETWORK ")
    bad = {"connections attempted": attempts, "runs that failed": int(done.code != 0)}
    return [Line("network", 1, bad, how)]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
