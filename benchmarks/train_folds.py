"""Train all that the shipped models are made of, folds side by side, within minutes on one GPU.

    python benchmarks/train_folds.py DATA --out WORK --minutes 9 --results FOLDER

Each fold, and the network on all groups, is a process of its own that reads the pictures once and
fits one network after another by the committed recipes, with the very stages of ``lungscan train``.
One network alone leaves most of a large GPU idle; six processes fill it. A process begins nothing
when time is up. ``FOLDER`` then has ``answers.zip`` (the out-of-fold table of every network, the
course of each training) and the networks in half precision, packed so that no file
exceeds 16 MiB.

    --epochs SHARE shortens every schedule, --every N takes each Nth picture: for a first try.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import multiprocessing
import os
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "models" / "recipes"
FOLDS = ("1/5", "2/5", "3/5", "4/5", "5/5", "")  # the last: the network on all groups
LARGEST = 15 << 20  # bytes of a file of results

# Each network: its folder, recipe, stages, and whether its weights are kept; the most needed first.
PLAN: tuple[tuple[str, str, tuple[str, ...], bool], ...] = (
    ("lite2", "lung-histology-lite2", ("teacher",), False),
    ("edgenext", "lung-histology-edgenext", ("features", "alone"), False),
    ("ghostnet", "lung-histology-ghostnet", ("features", "student", "alone"), True),
    ("fast", "lung-histology-fast", ("features", "student"), True),
    ("mild", "lung-histology-mild", ("features", "alone"), False),
    ("lite0", "lung-histology-lite0", ("student",), False),
)


def main() -> None:
    """Start a process per fold, wait for them or for the end of time, and pack the results."""
    given = _arguments()
    given.out.mkdir(parents=True, exist_ok=True)
    end = time.time() + given.minutes * 60
    context = multiprocessing.get_context("spawn")
    folds = given.folds.split(",") if given.folds else list(FOLDS)
    workers = [
        context.Process(target=_fold, args=("" if fold == "all" else fold, given, end))
        for fold in folds
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(max(0.0, end - time.time()))
    for worker in workers:
        if worker.is_alive():
            worker.kill()
    print(f"{time.time() - (end - given.minutes * 60):.0f} s; packing", flush=True)
    pack(given.out, given.results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--folds", default="", help="such as 1/5,2/5,all")
    parser.add_argument("--plan", default="", help="such as lite2,ghostnet")
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE of every recipe")
    parser.add_argument("--stand-ins", action="store_true", help="for packages that are not here")
    return parser.parse_args()


def _fold(fold: str, given: argparse.Namespace, end: float) -> None:
    """All networks of one fold, one after another."""
    if given.stand_ins:
        _stand_in()
    os.chdir(given.out.parent)  # the recipes' paths to teachers begin at runs/
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // 6))
    wanted = given.plan.split(",") if given.plan else [name for name, *_ in PLAN]
    read: dict[str, Any] = {}
    for name, recipe, stages, _ in PLAN:
        if name in wanted and time.time() < end:
            _network(name, recipe, stages, fold, given, end, read)


def _network(
    name: str,
    recipe: str,
    stages: tuple[str, ...],
    fold: str,
    given: argparse.Namespace,
    end: float,
    read: dict[str, Any],
) -> None:
    from lungscan.training.data import gather
    from lungscan.training.distributed import join
    from lungscan.training.events import EpochFinished
    from lungscan.training.options import changed, load_options
    from lungscan.training.stages import fit_stage

    options = changed(load_options(RECIPES / f"{recipe}.toml"), tuple(given.set))
    options = _shortened(dataclasses.replace(options, fold=fold, threads=0), given.epochs)
    number = fold.partition("/")[0] or "all"
    work = given.out / name / number / "training"
    if "material" not in read:
        started = time.time()
        read["material"] = thinned(gather(options, given.data, work), given.every)
        print(f"{number}: read in {time.time() - started:.1f} s", flush=True)
    for stage in stages:
        if time.time() > end - 5:
            return
        started, course = time.time(), list[dict[str, Any]]()
        with join(given.device, 0) as ranks:
            events = fit_stage(stage, options, read["material"], work, ranks)  # type: ignore[arg-type]
            course += [dataclasses.asdict(e) for e in events if isinstance(e, EpochFinished)]
        seconds = time.time() - started
        rate = sum(e["images_per_s"] * e["seconds"] for e in course) / seconds if course else 0
        last = course[-1] if course else {}
        print(
            f"{number} {name} {stage}: {seconds:.1f} s, {rate:.0f} views/s, loss "
            f"{last.get('loss', 0):.3f}, validation {last.get('validation_accuracy')}",
            flush=True,
        )
        (work / f"course-{stage}.json").write_text(json.dumps(course))
        _answer(stage, options, read["material"], work, given.device)


def _shortened(options: Any, share: float) -> Any:
    """The options with every schedule cut to a share of its epochs."""
    if share == 1.0:
        return options
    changes = {}
    for key in ("features_fit", "teacher_fit", "student_fit"):
        fit = getattr(options, key)
        if fit is not None:
            phases = tuple(
                dataclasses.replace(p, epochs=max(1, math.ceil(p.epochs * share)))
                for p in fit.phases
            )
            changes[key] = dataclasses.replace(fit, phases=phases)
    return dataclasses.replace(options, **changes)


def thinned(material: Any, every: int) -> Any:
    """The material with each ``every``-th training picture alone, for a first try."""
    if every == 1:
        return material
    split = dataclasses.replace(material.split, train=material.split.train[::every])
    more = material.more
    if more is not None:
        kept = dataclasses.replace(
            more.pictures,
            pixels=more.pictures.pixels[::every],
            labels=more.pictures.labels[::every],
            counts=more.pictures.counts[::every],
        )
        more = dataclasses.replace(more, pictures=kept)
    return dataclasses.replace(material, split=split, more=more)


def _answer(stage: str, options: Any, material: Any, work: Path, device: str) -> None:
    """Keep a network in half precision, and what it says of its fold."""
    if stage == "features":
        return
    import torch

    from lungscan.dataset.folds import read_fold
    from lungscan.training import checkpoint
    from lungscan.training.data import validation_pictures
    from lungscan.training.fit import predict
    from lungscan.training.out_of_fold import write_answers
    from lungscan.training.stages import checkpoint_path, load_network

    path = checkpoint_path(work, stage)  # type: ignore[arg-type]
    state = checkpoint.load(path, None)
    if state is None:
        return
    state |= {"network": {}, "optimiser": {}}
    state["average"] = {k: v.half() if v.ndim > 1 else v for k, v in state["average"].items()}
    checkpoint.save(work / f"slim-{stage}.pt", state)
    if not options.fold:
        return
    network = load_network(stage, options, material, work)  # type: ignore[arg-type]
    place = "cuda" if device == "auto" and torch.cuda.is_available() else device
    place = "cpu" if place == "auto" else place
    judged = dataclasses.replace(
        material,
        split=dataclasses.replace(material.split, validation=material.split.test),
    )
    pictures = validation_pictures(judged, options.classify_px)
    logits = predict(network.to(place), pictures.pixels.to(place), bf16=False).cpu().numpy()
    write_answers(
        work / f"out-of-fold-{stage}.csv",
        [material.rows[row] for row in material.split.test],
        read_fold(options.fold),
        material.samples.class_names,
        logits,
        pictures.counts,
    )


def pack(out: Path, results: Path) -> None:
    """Put answers and the kept networks of ``out`` into few files below ``results``."""
    results.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(results / "answers.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for pattern in ("out-of-fold-*.csv", "course-*.json"):
            for path in sorted(out.rglob(pattern)):
                archive.write(path, path.relative_to(out))
    kept = [name for name, *_, keep in PLAN if keep]
    files = [p for name in kept for p in sorted((out / name).rglob("slim-student.pt"))]
    files += [out / name / "1" / "training" / "slim-alone.pt" for name in ("ghostnet", "mild")]
    files = [path for path in files if path.exists()]
    packs: list[list[Path]] = []
    for path in files:
        room = LARGEST - sum(p.stat().st_size for p in packs[-1]) if packs else 0
        if path.stat().st_size > room:
            packs.append([])
        packs[-1].append(path)
    for number, part in enumerate(packs):
        with zipfile.ZipFile(results / f"networks-{number}.zip", "w") as archive:
            for path in part:
                archive.write(path, path.relative_to(out))


def _stand_in() -> None:
    """Let the engine be imported where packages for slides and reports are not installed."""
    from importlib.util import find_spec
    from unittest.mock import MagicMock

    for name in ("imagecodecs", "openvino", "openslide", "click", "reportlab", "platformdirs"):
        if name not in sys.modules and find_spec(name) is None:
            sys.modules[name] = MagicMock()
    for folder in (ROOT, ROOT / "cli", ROOT / "models"):
        sys.path.insert(0, str(folder))


if __name__ == "__main__":
    main()
