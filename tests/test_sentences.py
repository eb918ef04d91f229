"""What a person types into a shell stands in brackets, so that any face can leave it out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import lungscan
from lungscan.errors import without_flags

ENGINE = Path(lungscan.__file__).parent
SHELL_ALONE = {  # what only a shell asks for
    "benchmarking", "cluster", "compression", "dataset", "demo", "door", "evaluation", "studies",
    "training", "verification",
}  # fmt: skip
AND_THESE = {
    "options.py", "processes.py", "dicom_out/source_headers.py", "scanning/deidentify.py",
    "scanning/sharding/planning_shards.py", "scanning/sharding/shard.py", "results/store.py",
}  # fmt: skip
TYPED = re.compile(r"(?<![\w-])--[a-z]|\blungscan [a-z]+`|same command|pip install")
FILES = [
    path
    for path in sorted(ENGINE.rglob("*.py"))
    if path.relative_to(ENGINE).parts[0] not in SHELL_ALONE
    and path.relative_to(ENGINE).as_posix() not in AND_THESE
]


def sentences(tree: ast.AST) -> Iterator[str]:
    """Texts of a module with a space in them, ``{}`` where a value goes; docstrings are none."""
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
             for part in node.values}  # fmt: skip
    parts |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            texts = (p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
            yield "".join(map(str, texts))
        elif isinstance(node, ast.Constant) and " " in str(node.value) and id(node) not in parts:
            yield str(node.value)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ENGINE).as_posix())
def test_a_sentence_reads_without_its_flags(path: Path) -> None:
    for text in sentences(ast.parse(path.read_text("utf-8"))):
        assert not TYPED.search(without_flags(text)), text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Give the pixel size (--mpp; usual: 0.5).", "Give the pixel size (usual: 0.5)."),
        ("Choose another (--model; `lungscan models list` names them).", "Choose another."),
        ("Have it checked (`lungscan doctor`), then go on.", "Have it checked, then go on."),
        ("Use the CPU (--device cpu).", "Use the CPU."),
        ('It is in an extra (`python -m pip install "x[y]"`).', "It is in an extra."),
        ("Brackets (as these) stay -- always.", "Brackets (as these) stay -- always."),
    ],
)
def test_what_stands_in_brackets_goes(text: str, left: str) -> None:
    assert without_flags(text) == left
