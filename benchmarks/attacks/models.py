"""Hostile model folders: none may run code, and none may be loaded.

Whoever changes a file can also write a card that names its new hash, so most of these have a card
that fits: then the loaders themselves must refuse.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from attacks.base import Bench, Line, execute
from lungscan.model.card import FILES

WEIGHTS, GRAPH, NOVELTY, GOLDEN = FILES
_SECONDS = 60.0  # then loading counts as hanging
_BAD = ("executed", "loaded", "crashed or hung", "refused without a sentence")


@dataclass(frozen=True)
class Hostile:
    """One attack: how a good folder is changed, and whether the card is made to fit."""

    name: str
    change: Callable[[Path, Path], None]  # the folder, the canary that no code may make
    fits: bool = True  # the card names the hashes of what lies there


class _Canary:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self._path, "executed")


def attack(bench: Bench, every: int = 1) -> list[Line]:
    """Try to load each folder, in a process of its own that may crash; ``every`` makes a sample."""
    chosen = list(hostile())[::every]
    bad = dict.fromkeys(_BAD, 0)
    at_fault: list[str] = []
    with bench.folder("models") as folder:
        if not _loads(bench.model):
            raise RuntimeError("the model that all hostile ones are made of does not load itself")
        for index, case in enumerate(chosen):
            canary = folder / f"canary-{index}"
            target = folder / f"model-{index}"
            shutil.copytree(bench.model, target)
            case.change(target, canary)
            if case.fits:
                _fit_card(target)
            ending = _judge(target, canary)
            if ending:
                bad[ending] += 1
                at_fault.append(case.name)
    detail = "; ".join(at_fault) or "pickles, archives, lying headers, graphs, cards, links, flips"
    return [Line("hostile model folders", len(chosen), bad, detail)]


def _judge(target: Path, canary: Path) -> str:
    done = execute([sys.executable, "-m", "attacks.load_model", str(target)], timeout=_SECONDS)
    if canary.exists():
        return "executed"
    if done.code == 0:
        return "loaded"
    if done.code != 4:
        return "crashed or hung"
    return "" if done.err.strip() and "Traceback" not in done.err else "refused without a sentence"


def _loads(folder: Path) -> bool:
    return execute([sys.executable, "-m", "attacks.load_model", str(folder)]).code == 0


def _fit_card(folder: Path) -> None:
    """Let the card name what lies in the folder now, as an attacker would."""
    path = folder / "card.json"
    values = json.loads(path.read_bytes())
    for name in FILES:
        if (folder / name).is_file():
            values["files"][name] = sha256((folder / name).read_bytes()).hexdigest()
    path.write_text(json.dumps(values), encoding="utf-8")


# The attacks --------------------------------------------------------------------------------------


def hostile() -> Iterator[Hostile]:
    """All hostile folders."""
    for name in FILES:
        yield Hostile(f"pickle as {name}", _pickled(name))
    yield Hostile("pickle as card.json", _pickled("card.json"), fits=False)
    for name in (WEIGHTS, NOVELTY):
        yield Hostile(f"torch archive as {name}", _torch_archive(name))
    yield Hostile("pickled array in golden.npz", _object_array)
    yield Hostile("member of golden.npz that leads out", _leading_member)
    yield from _headers()
    yield from _graphs()
    yield from _cards()
    yield from _links()
    yield from _flips()


def _pickled(name: str) -> Callable[[Path, Path], None]:
    def change(folder: Path, canary: Path) -> None:
        (folder / name).write_bytes(pickle.dumps(_Canary(canary)))

    return change


def _torch_archive(name: str) -> Callable[[Path, Path], None]:
    def change(folder: Path, canary: Path) -> None:
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(_Canary(canary)))
            archive.writestr("archive/version", "3")

    return change


def _object_array(folder: Path, canary: Path) -> None:
    evil = np.empty(1, object)
    evil[0] = _Canary(canary)
    np.savez(folder / GOLDEN, fields=evil, probs=np.zeros((1, 3), np.float32))


def _leading_member(folder: Path, canary: Path) -> None:
    with zipfile.ZipFile(folder / GOLDEN, "w") as archive:
        archive.writestr(f"../{canary.name}", "executed")
        archive.writestr("fields.npy", b"")


def _headers() -> Iterator[Hostile]:
    """Safetensors files whose header lies."""

    def rewritten(edit: Callable[[dict[str, Any]], None], name: str) -> Hostile:
        def change(folder: Path, _: Path) -> None:
            path = folder / name
            data = path.read_bytes()
            length = int.from_bytes(data[:8], "little")
            header = json.loads(data[8 : 8 + length])
            edit(header)
            text = json.dumps(header).encode()
            path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])

        return Hostile(f"{edit.__name__.strip('_').replace('_', ' ')} in {name}", change)

    def raw(title: str, name: str, first: bytes) -> Hostile:
        def change(folder: Path, _: Path) -> None:
            data = (folder / name).read_bytes()
            (folder / name).write_bytes(first + data[8:])

        return Hostile(f"{title} in {name}", change)

    for name in (WEIGHTS, NOVELTY):
        yield rewritten(_overlapping_tensors, name)
        yield rewritten(_tensor_beyond_the_end, name)
        yield raw("header longer than the file", name, struct.pack("<Q", 1 << 40))
        yield raw("endless header", name, b"\xff" * 8)
    yield rewritten(_shape_that_does_not_fit, NOVELTY)


def _overlapping_tensors(header: dict[str, Any]) -> None:
    entries = [entry for name, entry in header.items() if name != "__metadata__"]
    twin = dict(entries[0])
    header["twin"] = twin


def _tensor_beyond_the_end(header: dict[str, Any]) -> None:
    entry = next(entry for name, entry in header.items() if name != "__metadata__")
    entry["data_offsets"] = [entry["data_offsets"][0], 1 << 40]


def _shape_that_does_not_fit(header: dict[str, Any]) -> None:
    entry = next(entry for name, entry in header.items() if name != "__metadata__")
    entry["shape"] = [1 << 31, 1 << 31]


def _graphs() -> Iterator[Hostile]:
    """graph.xml that points elsewhere, asks for foreign code, or is a bomb."""

    def edited(title: str, old: str, new: str) -> Hostile:
        def change(folder: Path, _: Path) -> None:
            path = folder / GRAPH
            text = path.read_text(encoding="utf-8")
            if old not in text:
                raise RuntimeError(f"the graph holds no {old!r} to change")
            path.write_text(text.replace(old, new, 1), encoding="utf-8")

        return Hostile(title, change)

    entity = '<!DOCTYPE net [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    bomb = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 9}">' for n in range(9))
    yield edited("constant beyond the weights", 'offset="0"', 'offset="99999999999"')
    yield edited("constant of a negative place", 'offset="0"', 'offset="-64"')
    yield edited("constant of absurd size", 'size="18"', f'size="{1 << 60}"')
    yield edited("constant of absurd shape", 'shape="3, 3"', f'shape="{1 << 31}, {1 << 31}"')
    yield edited("external entity", "<net ", f"{entity}<net ")
    yield edited("entity bomb", "<net ", f'<!DOCTYPE net [<!ENTITY e0 "x">{bomb}]><net ')
    yield edited("custom operation", 'type="SoftMax"', 'type="Canary" library="canary.so"')
    yield edited("operation of an extension", 'version="opset8"', 'version="extension"')
    yield edited("loop in the graph", 'from-layer="0"', 'from-layer="4"')
    yield edited("no network at all", "<layers>", "<layers></layers><x>")


def _cards() -> Iterator[Hostile]:
    """card.json with values no run could work with; None takes a field out."""
    changes: dict[str, dict[str, object]] = {
        "tiles of a billion pixels": {"patch_size_pixels": 1 << 30},
        "infinite threshold": {"confidence_threshold": float("inf")},
        "infinite area": {"minimum_tissue_mm2": float("inf")},
        "a million classes": {"class_names": ["x"] * 1_000_000},
        "class names that are no text": {"class_names": [["a"], {"b": 1}, None]},
        "class names with a line break": {"class_names": ["a\n=1+1", "b", "c"]},
        "figures that are no figures": {"metrics": [{"name": 1, "value": "x"}]},
        "reliability that is no table": {"reliability": [["a", None]]},
        "facts that are no pairs": {"facts": [[1, [2, {}]]]},
        "another schema": {"schema": 10**6},
        "unknown fields": {"__class__": "os.system", "hook": "rm"},
        "nested without end": {"recipe": json.loads("[" * 400 + "]" * 400)},
    }
    for title, change in changes.items():
        yield Hostile(f"card: {title}", _card_change(change))
    yield Hostile("card: hash of another file", _card_change({"files": _hashes("0" * 64)}), False)
    yield Hostile("card: files that lead out", _card_change({"files": _outside()}), False)
    yield Hostile("card: 64 MB of it", _large_card, False)


def _hashes(value: str) -> dict[str, str]:
    return dict.fromkeys(FILES, value)


def _outside() -> dict[str, str]:
    return {f"../../{name}": "0" * 64 for name in FILES}


def _card_change(change: dict[str, object]) -> Callable[[Path, Path], None]:
    def act(folder: Path, _: Path) -> None:
        path = folder / "card.json"
        values = json.loads(path.read_bytes()) | change
        path.write_text(json.dumps(values), encoding="utf-8")

    return act


def _large_card(folder: Path, _: Path) -> None:
    path = folder / "card.json"
    values = json.loads(path.read_bytes())
    values["summary"] = "x" * (64 << 20)
    path.write_text(json.dumps(values), encoding="utf-8")


def _links() -> Iterator[Hostile]:
    """Links and things that are no files in the place of files."""

    def linked(name: str, target: str) -> Hostile:
        def change(folder: Path, _: Path) -> None:
            (folder / name).unlink()
            (folder / name).symlink_to(target)

        return Hostile(f"{name} is a link to {target}", change, fits=False)

    def pipe(name: str) -> Hostile:
        def change(folder: Path, _: Path) -> None:
            (folder / name).unlink()
            os.mkfifo(folder / name)

        return Hostile(f"{name} is a pipe", change, fits=False)

    yield linked(WEIGHTS, "/etc/passwd")
    yield linked(GRAPH, "/dev/zero")
    yield linked(NOVELTY, NOVELTY)
    yield linked("card.json", "/dev/zero")
    yield pipe(WEIGHTS)
    yield pipe("card.json")


def _flips() -> Iterator[Hostile]:
    """One bit of a file under the card that came with it."""

    def flipped(name: str) -> Hostile:
        def change(folder: Path, _: Path) -> None:
            data = bytearray((folder / name).read_bytes())
            data[len(data) // 2] ^= 1
            (folder / name).write_bytes(data)

        return Hostile(f"one bit of {name}", change, fits=False)

    for name in FILES:
        yield flipped(name)
