"""What was measured, as tables: the goals first, then every program on every case."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

import peer_environments as environments
from peer_cases import ALONE, CASES, DECODING, LUNGSCAN, NETWORK, PEERS
from peer_page import SECTION
from peer_programs import Measured
from table import Figure, cores, digits, facts_of, instructions, processor, show

Results = dict[tuple[str, str], Measured]  # program, case

QUIET = 0.02  # share of the machine that others may take from a quiet run
HEAD = (
    "case",
    "program",
    "s",
    "tiles",
    "tiles/s",
    "CPU s",
    "peak GB",
    "read GB",
    "processes",
    "runs",
)


def section(
    results: Results, skipped: dict[str, str], run: dict[str, Any], load: float, command: str
) -> str:
    """All that was measured on this machine, Markdown; a part of ``peer_page.page``.

    Args:
        run: the ``run.json`` of a LungScan run.
    """
    facts = facts_of(run) | {
        "Peers": ", ".join(f"{pins.name} {pins.version}" for pins in environments.ALL)
        + f" with {environments.TORCH[0].replace('==', ' ')}",
        "Load before": f"{load:.2f}",
        "Others meanwhile": disturbance(results),
    }
    left_out = [f"- {name} {reason}." for name, reason in skipped.items()]
    parts = [
        f"{SECTION}{processor()} ({instructions()}), {cores()} cores",
        f"Written by `{command}`.",
        show(facts, list(figures(results))),
        "### All runs",
        rows(results),
        *(["### Left out", "\n".join(left_out)] if left_out else []),
    ]
    return "\n\n".join(parts)


def figures(results: Results) -> Iterator[Figure]:
    """The goals, as far as their cases were measured."""
    yield from against_peers(results)
    yield from against_network(results)
    yield from memory(results)
    field = results.get((LUNGSCAN, "field"))
    if field:
        yield Figure("one field, whole process", field.seconds, "s", ("<=", 1.5), field.each)


def against_peers(results: Results) -> Iterator[Figure]:
    """How many times as fast as each peer."""
    for peer in PEERS:
        ours, theirs = results.get((LUNGSCAN, "1x")), results.get((peer, "1x"))
        if ours and theirs:
            how = f"{theirs.seconds:.1f} s : {ours.seconds:.1f} s"
            name = f"slide 1x, whole process: faster than {peer}"
            yield Figure(name, theirs.seconds / ours.seconds, "times", (">=", 9), how)
            ratio = ours.rate / theirs.rate
            yield Figure(f"slide 1x, whole process by tile: faster than {peer}", ratio, "times")
        ours, per_tile = results.get((LUNGSCAN, "16x")), seconds_per_tile_16x(results, peer)
        if ours and per_tile:
            seconds, how = per_tile
            how = f"{1000 * seconds:.1f} ms ({how}) : {1000 / ours.rate:.2f} ms"
            name = f"slide 16x, whole process by tile: faster than {peer}"
            yield Figure(name, seconds * ours.rate, "times", (">=", 12), how)


def seconds_per_tile_16x(results: Results, peer: str) -> tuple[float, str] | None:
    """A peer's whole process on the 16x slide, by tile; from the 4x one unless it was run there."""
    if measured := results.get((peer, "16x")):
        return 1 / measured.rate, "measured"
    large, rate = results.get((peer, "4x")), marginal_rate(results, peer, "1x", "4x")
    if large is None or rate is None:
        return None
    tiles = 4 * large.tiles
    return (large.seconds + (tiles - large.tiles) / rate) / tiles, "extrapolated from 1x and 4x"


def against_network(results: Results) -> Iterator[Figure]:
    """LungScan while inferring, as a share of the network alone."""
    ready = results.get((NETWORK, "ready"))
    if ready is None:
        return
    yield Figure("network alone", ready.rate, "tiles/s", None, f"{cores()} cores")
    lines = (
        ("1x", "4x", "slide", 90.0),
        ("4x", "16x", "slide, 4x to 16x", None),
        ("1x half", "4x half", "slide, overlap 50 %", 85.0),
        ("224 few", "224 many", "fields of 224 px", 85.0),
        ("768 few", "768 many", "fields of 768 px", 70.0),
    )
    for small, large, title, goal in lines:
        yield from _share(results, ready, small, large, title, goal)
    yield from against_both(results, ready)
    alone = results.get((NETWORK, "ready core"))
    if alone:
        yield Figure("network alone, one core", alone.rate, "tiles/s")
        yield from _share(results, alone, "1x core", "4x core", "slide, one core", None)


def against_both(results: Results, ready: Measured) -> Iterator[Figure]:
    """How fast the network could be fed if reading were nothing but decoding, on the same cores."""
    lines = (
        ("slide", "1x", 1, ("1x", "4x")),
        ("slide, overlap 50 %", "1x", 4, ("1x half", "4x half")),  # four tiles share each pixel
        ("fields of 224 px", "224 few", 1, ("224 few", "224 many")),
        ("fields of 768 px", "768 few", 1, ("768 few", "768 many")),
    )
    for title, case, shared, sizes in lines:
        decoded, rate = results.get((DECODING, case)), marginal_rate(results, LUNGSCAN, *sizes)
        if decoded and rate:
            both = 1 / (1 / ready.rate + 1 / (decoded.rate * shared))
            name = f"{title}: network and decoding, of the network alone"
            how = f"{both:,.0f}/s; decoding alone {decoded.rate * shared:,.0f}/s"
            yield Figure(name, 100 * both / ready.rate, "%", None, how)
            name = f"{title}: while inferring, of network and decoding"
            yield Figure(name, 100 * rate / both, "%")


def _share(
    results: Results, ready: Measured, small: str, large: str, title: str, goal: float | None
) -> Iterator[Figure]:
    rate = marginal_rate(results, LUNGSCAN, small, large)
    if rate is not None:
        tiles = [results[LUNGSCAN, case].tiles for case in (small, large)]
        how = f"{rate:,.0f}/s from {tiles[0]:,} to {tiles[1]:,}"
        name = f"{title}: while inferring, of the network alone"
        yield Figure(
            name, 100 * rate / ready.rate, "%", None if goal is None else (">=", goal), how
        )


def marginal_rate(results: Results, program: str, small: str, large: str) -> float | None:
    """More tiles by more seconds, from a smaller input to a larger; None if one is missing."""
    less, more = results.get((program, small)), results.get((program, large))
    if less is None or more is None or more.seconds <= less.seconds:
        return None
    return (more.tiles - less.tiles) / (more.seconds - less.seconds)


def memory(results: Results) -> Iterator[Figure]:
    """Whether LungScan's memory stays the same on larger slides."""
    peaks = [
        results[LUNGSCAN, case].peak_gb
        for case in ("1x", "4x", "16x")
        if (LUNGSCAN, case) in results
    ]
    if len(peaks) > 1:
        how = ", ".join(f"{peak:.2f}" for peak in peaks) + " GB"
        name = f"peak memory, largest : smallest of {len(peaks)} slides"
        yield Figure(name, max(peaks) / min(peaks), "times", ("<=", 1.1), how)


def rows(results: Results) -> str:
    """Every program on every case."""
    lines = ["| " + " | ".join(HEAD) + " |", "|---|---|" + "---:|" * 7 + "---|"]
    for case, about in CASES.items():
        for (program, measured_case), found in results.items():
            if measured_case == case:
                lines.append(
                    "| " + " | ".join((about.title, program, *_cells(program, found))) + " |"
                )
    return "\n".join(lines)


def _cells(program: str, found: Measured) -> tuple[str, ...]:
    if program in ALONE:
        return ("", "", f"{found.rate:,.0f}", "", "", "", "", f"{len(found.turns)}")
    return (
        f"{found.seconds:.1f}",
        f"{found.tiles:,}",
        digits(found.rate),
        f"{found.cpu_seconds:.1f}",
        f"{found.peak_gb:.2f}",
        f"{found.read_gb:.2f}",
        f"{found.processes}",
        found.each,
    )


def disturbance(results: Results) -> str:
    """How much of the machine other work took while each run lasted."""
    shares = [
        turn.timed.others_cpu_seconds / (turn.timed.seconds * cores())
        for (program, _), found in results.items()
        if program not in ALONE  # their seconds are not those on the clock
        for turn in found.turns
    ]
    if not shares:
        return "unknown"
    middle, worst = statistics.median(shares), max(shares)
    word = "quiet" if middle <= QUIET else "not quiet: repeat on a quiet machine"
    return f"{middle:.0%} of the CPU (median), {worst:.0%} at worst ({word})"
