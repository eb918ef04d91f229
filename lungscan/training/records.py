"""What is kept beside the weights: the options, the versions, the data and the curves."""

from __future__ import annotations

import dataclasses
import json
import platform
from importlib.metadata import version
from pathlib import Path

from lungscan import __version__
from lungscan.dataset.learnt import write_pictures
from lungscan.dataset.splits import write_split
from lungscan.training import checkpoint
from lungscan.training.data import Material
from lungscan.training.dealing import RUN_FILE, SPLIT_FILE
from lungscan.training.kept import Curves, Epoch, TrainingRun
from lungscan.training.options import TrainOptions
from lungscan.training.stage_names import STAGES
from lungscan.training.stages import checkpoint_path

LIBRARIES = ("torch", "timm", "numpy", "pillow", "openvino")


def keep_records(options: TrainOptions, material: Material, work: Path) -> None:
    """Write what the run is and learns from into ``work``.

    ``run.json`` holds options, seed, versions and the data's hash, ``split.csv`` the deal, and
    ``pictures.csv`` the pictures by their content, for students of this run's networks.
    """
    work.mkdir(parents=True, exist_ok=True)
    record = TrainingRun(
        options=options,
        data_sha256=material.data_sha256,
        leaking_groups=len(material.leaking),
        skipped=tuple(material.skipped),
        versions={
            "lungscan": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in LIBRARIES},
        },
    )
    text = json.dumps(dataclasses.asdict(record), indent=1, ensure_ascii=False)
    (work / RUN_FILE).write_text(text + "\n", encoding="utf-8", newline="\n")
    write_split(work / SPLIT_FILE, material.rows)
    if material.digests:
        known = zip(material.rows, material.digests, strict=True)
        write_pictures(work, ((row.file, row.part, digest) for row, digest in known))


def keep_curves(options: TrainOptions, material: Material, work: Path) -> None:
    """Loss and validation accuracy of every stage so far, in ``curves.json``."""
    curves: Curves = {}
    for stage in STAGES:
        path = checkpoint_path(work, stage)
        state = checkpoint.load(path, options.fingerprint(stage, material.fingerprint_sha256))
        if state is not None:
            curves[stage] = tuple(Epoch(**epoch) for epoch in state["history"])
    plain = {stage: [dataclasses.asdict(epoch) for epoch in curves[stage]] for stage in curves}
    text = json.dumps(plain, indent=1)
    (work / "curves.json").write_text(text + "\n", encoding="utf-8", newline="\n")
