"""Fit a study's networks on another machine, which needs torch, timm and safetensors alone.

    lungscan study study/ct.toml --out runs/ct --only-material
    python benchmarks/study_elsewhere.py runs/ct study/ct.toml --device cuda --workers 4 --lanes 4 \
        --budget-s 150 --pack OUT

The first command leaves the pictures in ``runs/ct/material.npz``, which travels. What comes back is
packed in the order of what the table needs most: all answers, then weights, in files of a limited
size. ``--unpack`` puts them into a study's folder, and ``lungscan study`` goes on from there.
"""

from __future__ import annotations

import argparse
import io
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lungscan.studies.events import NetworkFitted
from lungscan.studies.options import GROUPED, RANDOM, WHOLE, StudyOptions, load_study
from lungscan.studies.results import answers_path, weights_path
from lungscan.studies.tasks import Task, tasks, units

FILE_BYTES = 15_900_000
FIRST_FILES = 4  # what comes back at once; the others lie in the folder ``more``


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the study's folder, with material.npz")
    parser.add_argument("study", type=Path, help="its TOML file")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--lanes", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--budget-s", type=float, default=1e9)
    parser.add_argument("--epochs", type=int, help="of every network, for a trial")
    parser.add_argument("--grouped-seeds", type=int)
    parser.add_argument("--no-graphs", action="store_true")
    parser.add_argument("--pack", type=Path, help="folder for the packed results")
    parser.add_argument("--unpack", type=Path, help="folder of packed results; fits nothing")
    given = parser.parse_args()
    options = load_study(given.study)
    if given.grouped_seeds:
        options = replace(options, grouped_seeds=given.grouped_seeds)
    if given.unpack:
        unpack(given.unpack, given.folder)
        return
    if given.epochs:
        teachers = tuple(replace(each, epochs=given.epochs) for each in options.teachers)
        options = replace(options, epochs=given.epochs, teachers=teachers)
    try:
        run(given, options)
    finally:  # what is finished is worth having, whatever happened to the rest
        if given.pack:
            pack(given.folder, options, given.pack)


def run(given: argparse.Namespace, options: StudyOptions) -> None:
    """Fit until all is done or the time is over."""
    from lungscan.studies.working import Means, fit_units

    begun = time.time()
    means = Means(
        given.device,
        given.workers,
        given.lanes,
        begun + given.budget_s,
        given.threads,
        not given.no_graphs,
    )
    for event in fit_units(given.folder, options, units(options), means):
        if isinstance(event, NetworkFitted):
            accuracy = "" if event.accuracy is None else f"{event.accuracy:.2%}"
            print(
                f"{time.time() - begun:6.1f} s {event.name} {accuracy} {event.seconds:.1f} s",
                flush=True,
            )


def pack(folder: Path, options: StudyOptions, out: Path) -> None:
    """Pack results: answers first, then the weights that the table and the model need most."""
    every = [task for unit in units(options) for task in tasks(options, unit)]
    answers = [answers_path(folder, task) for task in every]
    weights = [weights_path(folder, task) for task in sorted(every, key=rank) if rank(task) < 9]
    found = [path for path in (*answers, *weights) if path.exists()]
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for path in found:
            archive.add(path, path.name)
    data = held.getvalue()
    first = FILE_BYTES * FIRST_FILES
    for number, begin in enumerate(range(0, len(data), FILE_BYTES)):
        place = out if begin < first else folder / "more"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"study.tar.{number:02d}").write_bytes(data[begin : begin + FILE_BYTES])
    print(f"{len(found)} files, {len(data) / 2**20:.1f} MiB packed", flush=True)


def rank(task: Task) -> int:
    """How much the weights of a network are needed; 9: not at all."""
    if task.role != "distilled":
        return 9
    ghost = task.network.startswith("ghostnet")
    if task.unit.protocol == WHOLE:
        return 0
    if task.unit.protocol == GROUPED:
        return 2 if ghost and task.unit.seed == 0 else 9
    small = {"small_cnn": 1, "mobilenetv2_100": 1, "alexnet": 3, "resnet18": 4}
    first = task.unit.protocol == RANDOM and task.unit.seed == 0
    return small.get(task.network, 5) + (0 if first else 3)


def unpack(packed: Path, folder: Path) -> None:
    """Put packed results, as many files as came back in order, into a study's folder."""
    data = b"".join(path.read_bytes() for path in sorted(packed.glob("study.tar.*")))
    place = folder / "networks"
    place.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(data), mode="r|", ignore_zeros=True) as archive:
        try:
            for member in archive:
                held = archive.extractfile(member)
                if held is not None:
                    content = held.read()
                    if len(content) == member.size:
                        (place / Path(member.name).name).write_bytes(content)
        except tarfile.ReadError:
            print("the last file is cut off; it is left out")
    print(f"{len(list(place.iterdir()))} files in {place}")


if __name__ == "__main__":
    main()
