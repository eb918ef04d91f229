"""The scaling as a picture."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.ticker import NullFormatter, StrMethodFormatter
from peer_cases import LUNGSCAN, NETWORK, PEERS
from peer_tables import Results

mpl.use("Agg")

import matplotlib.pyplot as plt

COLOURS = {LUNGSCAN: "#0072b2", PEERS[0]: "#d55e00", PEERS[1]: "#009e73"}
SLIDES = ("1x", "4x", "16x")


def draw(results: Results, path: Path) -> None:
    """Draw seconds, speed and memory against the number of tiles, one line per program."""
    figure, panels = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    titles = ("whole process, seconds", "tiles per second, whole process", "peak memory, GB")
    for panel, title in zip(panels, titles, strict=True):
        panel.set_title(title, fontsize=10, loc="left")
        panel.set_xlabel("tiles on the slide")
        panel.set_xscale("log")
        panel.grid(visible=True, color="#dddddd", linewidth=0.6)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_yscale("log")
    panels[0].yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    panels[0].yaxis.set_minor_formatter(NullFormatter())
    for program, colour in COLOURS.items():
        found = [results[program, case] for case in SLIDES if (program, case) in results]
        tiles = [one.tiles for one in found]
        for panel, values in zip(
            panels,
            (
                [one.seconds for one in found],
                [one.rate for one in found],
                [one.peak_gb for one in found],
            ),
            strict=True,
        ):
            if found:
                panel.plot(tiles, values, "o-", color=colour, label=program)
    ready = results.get((NETWORK, "ready"))
    if ready:
        panels[1].axhline(ready.rate, color="#555555", linestyle="--", label=NETWORK)
    sizes = [results[LUNGSCAN, case].tiles for case in SLIDES if (LUNGSCAN, case) in results]
    for panel in panels:
        panel.set_xticks(sizes, [f"{size:,}" for size in sizes])
        panel.xaxis.set_minor_formatter(NullFormatter())
    for panel in panels[1:]:
        panel.set_ylim(bottom=0)
    panels[1].legend(frameon=False, fontsize=9)
    figure.savefig(path, dpi=120)
    plt.close(figure)
