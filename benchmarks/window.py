"""How the window feels, in figures: start, first pixels, frames, the longest wait, memory.

    python benchmarks/window.py SLIDE [--parts start view run ...] [--minutes N] [--json FILE]

Offscreen, so that it runs on any machine; what the display itself takes is not in it. SLIDE is
best a large one, such as ``benchmarks/drawing.py`` draws. The longest wait is the longest time in
which the window's thread did not come back to its events: what a person feels as a stutter. Its own
work is the CPU time of that thread in such a turn, which other programs disturb less.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PyQt6.QtWidgets import QApplication

    from lungscan_gui.window import MainWindow

START = """
import time
begin = time.perf_counter()
import sys, tempfile
from pathlib import Path
from PyQt6.QtWidgets import QApplication
from lungscan_gui.settings import Settings
from lungscan_gui.theme import apply_theme
from lungscan_gui.window import MainWindow
app = QApplication(["bench"])
apply_theme(app)
window = MainWindow(Settings(Path(tempfile.mkdtemp()) / "settings.ini"))
window.show()
app.processEvents()
print(time.perf_counter() - begin, [n for n in ("torch", "openvino") if n in sys.modules])
window.close()
"""
TILES, QUEUED = 20_000, 500
PARTS = ("start", "view", "run", "shell", "many", "memory")
LONG = "long"  # as "shell", but of SLIDE itself, which takes a while
ROUNDS, LOOKS_S = 3, 2.5  # runs of each, and what a person looks at a slide before the first
PAN_S = 8.0


@dataclass
class Loop:
    """Runs the window's events by hand, and notes how long each turn took."""

    app: QApplication
    turns: list[tuple[float, float]] = field(default_factory=list)  # s, and of them its own work

    def turn(self) -> None:
        """One turn of the event loop."""
        begin, work = time.perf_counter(), time.thread_time()
        self.app.processEvents()
        self.turns.append((time.perf_counter() - begin, time.thread_time() - work))
        time.sleep(0.001)

    def until(self, true: Callable[[], bool], seconds: float = 120) -> float:
        """Turn until something is true; the seconds it took."""
        begin = time.perf_counter()
        while not true():
            if time.perf_counter() - begin > seconds:
                raise TimeoutError
            self.turn()
        return time.perf_counter() - begin

    def longest(self, what: str, found: dict[str, float]) -> None:
        """Note the longest turn since the last question, and the most work in one, in ms."""
        waits, works = zip(*self.turns or [(0.0, 0.0)], strict=True)
        found[f"{what}, longest wait, ms"] = 1000 * max(waits)
        found[f"{what}, longest wait of 99 %, ms"] = (
            1000 * sorted(waits)[int(len(waits) * 0.99) - 1]
        )
        found[f"{what}, most own work in a turn, ms"] = 1000 * max(works)
        self.turns = []


def cold_start() -> float:
    """Seconds from the start of Python to a window, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", START], check=True, capture_output=True, text=True, env=os.environ
    )
    seconds, heavy = done.stdout.split(maxsplit=1)
    if heavy.strip() != "[]":
        raise RuntimeError(f"the start loads {heavy}")
    return float(seconds)


def memory_mb() -> float:
    """What this process holds, in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def pan(window: MainWindow, loop: Loop, seconds: float) -> list[float]:
    """Pan and zoom for a while; the time each frame took to paint, in ms."""
    viewer, frames = window.viewer, []
    end, step = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        camera = viewer.camera
        if camera is None:
            break
        turn = step % 120
        if turn in (40, 100):
            viewer.look(camera.zoomed(1.25 if turn == 40 else 0.8))
        else:
            viewer.look(camera.panned(*((-9, -3) if step % 240 < 120 else (9, 3))))
        begin = time.perf_counter()
        viewer.repaint()
        frames.append(1000 * (time.perf_counter() - begin))
        loop.turn()
        step += 1
    return frames


def pan_about(window: MainWindow, loop: Loop, minutes: float) -> list[float]:
    """Look at one place after the other; the memory after each, in MB."""
    end, held, step = time.perf_counter() + 60 * minutes, [memory_mb()], 0
    camera = window.viewer.camera
    width, height = camera.image if camera else (1, 1)
    while time.perf_counter() < end:
        x, y = (step * 0.37) % 1 * width, (step * 0.61) % 1 * height
        window.viewer.go_to(x, y, (20.0, 10.0, 5.0)[step % 3])
        pan(window, loop, 0.5)
        held.append(memory_mb())
        step += 1
    return held


def measure(slide: Path, minutes: float, parts: Sequence[str]) -> dict[str, float]:
    """The figures of these parts, in their order."""
    found: dict[str, float] = {}
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    if "start" in parts:
        found["cold start, s"] = min(cold_start() for _ in range(3))
    from PyQt6.QtWidgets import QApplication

    from lungscan_gui import engine
    from lungscan_gui.settings import Settings
    from lungscan_gui.theme import apply_theme
    from lungscan_gui.window import MainWindow

    app = QApplication(["bench"])
    apply_theme(app)
    folder = Path(tempfile.mkdtemp())
    settings = Settings(folder / "settings.ini")
    settings.results = folder / "results"
    window, loop = MainWindow(settings), Loop(app)
    window.resize(1280, 800)
    window.show()
    loop.until(lambda: window.display.opener.ready)
    _open(window, loop, slide, found)
    if "view" in parts:
        _viewer_figures(window, loop, found)
    if "run" in parts:
        _run_figures(window, loop, found)
    if "shell" in parts:
        demo = engine.make_demo_slide(folder / "demo")
        _against_command_line(window, loop, demo, "the demo's slide", found)
    if LONG in parts:
        _against_command_line(window, loop, slide, "this slide", found)
    if "many" in parts:
        model = window.options.boxes["model"].currentText()
        window.analysis.runner.model = engine.find_model(model).stamp()
        _many_figures(window, loop, found)
    if "memory" in parts:
        _memory_figures(window, loop, minutes, found)
    window.close()
    return found


def _open(window: MainWindow, loop: Loop, slide: Path, found: dict[str, float]) -> None:
    begin = time.perf_counter()
    window.add_paths([slide])
    found["first pixels, s"] = loop.until(lambda: window.viewer.picture is not None)
    window.viewer.repaint()
    loop.until(_sharp(window))
    found["sharp view, s"] = time.perf_counter() - begin


def _viewer_figures(window: MainWindow, loop: Loop, found: dict[str, float]) -> None:
    viewer = window.viewer
    viewer.go_to(viewer.camera.image[0] / 2, viewer.camera.image[1] / 2, 20)  # type: ignore[union-attr]
    viewer.repaint()
    found["sharp view at 20x, s"] = loop.until(_sharp(window))
    _frames("panning", pan(window, loop, PAN_S), loop, found)


def _run_figures(window: MainWindow, loop: Loop, found: dict[str, float]) -> None:
    case = window.queue.current
    window.analyse()
    loop.until(lambda: case is not None and case.done > 0, 600)
    loop.turns = []
    _frames("panning while an analysis runs", pan(window, loop, PAN_S), loop, found)
    window.cancel()
    found["cancel, s"] = loop.until(lambda: not window.analysis.running)


def _many_figures(window: MainWindow, loop: Loop, found: dict[str, float]) -> None:
    """Many cases in the list, and many tiles on the map that come in batches."""
    import numpy as np

    from lungscan.types import TileState
    from lungscan_gui.cases import Case
    from lungscan_gui.viewer.tilemap import TileMap

    window.queue.model.add([Case(Path(f"field-{i}.png"), f"field-{i}") for i in range(QUEUED)])
    case = window.queue.current
    if case is None or window.viewer.camera is None:
        return
    columns = 160
    side = max(window.viewer.camera.image) // columns
    rows = [(i % columns * side, i // columns * side, side, side) for i in range(TILES)]
    case.result, case.maps = None, {0: TileMap(np.array(rows, np.int32), 3)}
    rng = np.random.default_rng(0)
    window.viewer.fit()
    loop.turns = []
    for first in range(0, TILES, 128):
        probs = rng.dirichlet((2, 1, 1), min(128, TILES - first)).astype(np.float32)
        changed = case.maps[0].put(first, probs, (TileState.USED,) * len(probs))
        window.analysis.runner.mapped.emit(case, 0, changed)
        loop.turn()
    loop.longest("20,000 tiles coming in", found)
    _frames("panning over 20,000 tiles", pan(window, loop, PAN_S), loop, found)


def _memory_figures(
    window: MainWindow, loop: Loop, minutes: float, found: dict[str, float]
) -> None:
    """The most that was held, and how much more in the second half than in the first."""
    held = pan_about(window, loop, minutes)
    half = len(held) // 2
    found[f"memory in {minutes:g} minutes of panning, MB"] = max(held)
    found["of it more in their second half, MB"] = max(held[half:]) - max(held[:half])


def _against_command_line(
    window: MainWindow, loop: Loop, slide: Path, what: str, found: dict[str, float]
) -> None:
    """A slide in the window and by the command line, in turn."""
    from lungscan_gui.cases import CaseState

    folder = Path(tempfile.mkdtemp())
    times: dict[str, list[float]] = {"window": [], "command line": []}
    window.add_paths([slide])
    loop.until(lambda: bool(window.queue.current and window.queue.current.path == slide))
    loop.until(lambda: window.viewer.picture is not None)
    case = window.queue.current
    for number in range(ROUNDS):
        loop.until(_after(LOOKS_S))
        window.settings.results = folder / f"results-{number}"
        begin = time.perf_counter()
        window.analyse()
        loop.until(lambda: case is not None and case.state is CaseState.FINISHED, 600)
        times["window"].append(time.perf_counter() - begin)
        loop.until(lambda: not window.analysis.running)
        out = str(folder / f"shell-{slide.stem}-{number}")
        command = [sys.executable, "-m", "lungscan_cli", "classify", str(slide), "--out", out]
        begin = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times["command line"].append(time.perf_counter() - begin)
    for where, seconds in times.items():
        found[f"{what} by the {where}, s"] = statistics.median(seconds)


def _after(seconds: float) -> Callable[[], bool]:
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() > end


def _sharp(window: MainWindow) -> Callable[[], bool]:
    viewer = window.viewer

    def sharp() -> bool:
        picture, camera = viewer.picture, viewer.camera
        return bool(picture and camera and picture.is_sharp(camera, viewer.devicePixelRatioF()))

    return sharp


def _frames(what: str, frames: list[float], loop: Loop, found: dict[str, float]) -> None:
    ordered = sorted(frames)
    found[f"{what}, median frame, ms"] = statistics.median(ordered)
    found[f"{what}, slowest frame of 99 %, ms"] = ordered[int(len(ordered) * 0.99) - 1]
    loop.longest(what, found)


def main() -> None:
    """Measure, print, and keep as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("slide", type=Path)
    parser.add_argument("--parts", nargs="+", choices=(*PARTS, LONG), default=PARTS)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = measure(options.slide, options.minutes, options.parts)
    for name, value in found.items():
        print(f"{name:58} {value:10.2f}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
