"""Measure how the engine is laid out: sizes, names, levels of imports, what front ends take.

python packaging/measure_tree.py
"""

from __future__ import annotations

import ast
import graphlib
import statistics
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENGINE = ROOT / "lungscan"
FACES = (ROOT / "cli" / "lungscan_cli", ROOT / "gui")


def main() -> int:
    """Print one line for each figure."""
    paths = sorted(ENGINE.rglob("*.py"))
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}
    own = [path for path in paths if path.name != "__init__.py"]
    lengths = [len(path.read_text(encoding="utf-8").splitlines()) for path in own]
    functions = [function for tree in trees.values() for function in functions_of(tree)]
    sizes = sorted((node.end_lineno or node.lineno) - node.lineno + 1 for node in functions)
    twice = [name for name, count in Counter(path.name for path in own).items() if count > 1]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    (levels,) = [
        one["layers"]
        for one in contracts["importlinter"]["contracts"]
        if one.get("containers") == ["lungscan"]
    ]
    arrows = arrows_between_rooms()
    chain = longest_chain(arrows)
    rows = [
        ("modules", len(own)),
        ("median lines, longest", f"{statistics.median(lengths):.0f}, {max(lengths)}"),
        ("p90 function, longest", f"{sizes[int(0.9 * len(sizes))]}, {sizes[-1]} lines"),
        ("annotated", f"{100 * statistics.mean(map(annotated, functions)):.0f} %"),
        ("files in the engine's root", len(list(ENGINE.glob("*.py")))),
        ("folders", len(list(ENGINE.glob("*/__init__.py")))),
        ("names used by several files", f"{len(twice)} ({', '.join(sorted(twice))})"),
        ("levels of the import contract", len(levels)),
        ("rooms in the longest chain", f"{chain}, {len(arrows)} arrows"),
    ]
    for face in FACES:
        taken = {found for path in face.rglob("*.py") for found in taken_from(path)}
        modules = {module for module, _ in taken}
        name = face.name if face.name != "gui" else "window and page"
        rows.append((f"names that {name} imports", f"{len(taken)} of {len(modules)} modules"))
    for label, value in rows:
        print(f"{label:<36}{value}")
    return 0


def arrows_between_rooms() -> set[tuple[str, str]]:
    """Which file or folder of the engine's root imports which; the package itself apart."""
    import grimp

    graph, found = grimp.build_graph("lungscan"), set()
    for module in graph.modules - {"lungscan"}:
        for imported in graph.find_modules_directly_imported_by(module) - {"lungscan"}:
            pair = module.split(".")[1], imported.split(".")[1]
            if pair[0] != pair[1]:
                found.add(pair)
    return found


def longest_chain(arrows: set[tuple[str, str]]) -> int:
    """Rooms on the longest way along the arrows; a circle counts once."""
    below: dict[str, set[str]] = {}
    for room, other in arrows:
        below.setdefault(room, set()).add(other)

    def depth(room: str, above: frozenset[str]) -> int:
        rooms = below.get(room, set()) - above
        return 1 + max((depth(one, above | {room}) for one in rooms), default=0)

    order = graphlib.TopologicalSorter(below)
    try:
        depths: dict[str, int] = {}
        for room in order.static_order():
            depths[room] = 1 + max((depths[one] for one in below.get(room, ())), default=0)
        return max(depths.values())
    except graphlib.CycleError:
        return max(depth(room, frozenset()) for room in below)


def functions_of(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def annotated(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether all parameters but self and cls, and what is returned, have types."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    named = [one for one in arguments if one.arg not in {"self", "cls"}]
    return function.returns is not None and all(one.annotation for one in named)


def taken_from(path: Path) -> Iterator[tuple[str, str]]:
    """Module and name of each import from the engine."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "lungscan":
            yield from ((str(node.module), alias.name) for alias in node.names)


if __name__ == "__main__":
    raise SystemExit(main())
