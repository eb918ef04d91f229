"""What else the networks of a fold could say: eight views, another size, averaged weights.

    python benchmarks/views.py RUN DATA --recipe FILE [--set alone=true] [--folds 1,2] [--side 192]

RUN is a folder of `lungscan train --folds`, or one with single folds in ``folds/1`` and so on. Of
each fold that is there: the share of pictures that its student, the student alone and the mean of
their weights name rightly, by one view and by the mean of eight (turned and mirrored), at the
network's size or the one given. All of groups that no network of the fold has seen.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lungscan.dataset.learnt import WORK_FOLDER
from lungscan.training.data import at_input_size, gather
from lungscan.training.folding import fold_folder, of_one_network
from lungscan.training.network_answers import logits_of
from lungscan.training.options import changed, load_options
from lungscan.training.stages import load_network

VIEWS = 8
STAGES = ("student", "alone")


def seen_from(pixels: NDArray[np.uint8], view: int) -> NDArray[np.uint8]:
    """``(n, s, s, 3)`` turned by quarters; views from 4 on mirrored as well."""
    turned = np.rot90(pixels, view % 4, (1, 2))
    return np.ascontiguousarray(turned[:, :, ::-1] if view >= 4 else turned)


def averaged(networks: Sequence[nn.Module]) -> nn.Module:
    """A network with the mean of the others' weights and statistics."""
    states = [network.state_dict() for network in networks]
    result = copy.deepcopy(networks[0])
    result.load_state_dict(
        {
            name: sum(state[name] for state in states) / len(states)
            if value.is_floating_point()
            else value
            for name, value in states[0].items()
        }
    )
    return result.eval()


def main() -> None:
    """Print a line for each fold and network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--recipe", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--folds", default="1,2,3,4,5")
    parser.add_argument("--side", type=int, help="px; the network's size where none is given")
    given = parser.parse_args()
    options = changed(load_options(given.recipe), tuple(given.set))
    count = options.folds or 5
    for number in map(int, given.folds.split(",")):
        work = fold_folder(given.run, number) / WORK_FOLDER
        if not work.is_dir():
            continue
        one = of_one_network(dataclasses.replace(options, fold=f"{number}/{count}"))
        side = given.side or one.input_px or one.field_px
        bare = dataclasses.replace(one, more_pictures=())
        material = at_input_size(gather(bare, given.data, work), side)
        rows = material.split.test
        squares = material.squares.taken(rows)
        if not (squares.counts == 1).all():
            raise SystemExit("Pictures of several squares are not compared here.")
        truth = material.samples.labels[rows]
        networks = {stage: load_network(stage, one, material, work) for stage in STAGES}  # type: ignore[arg-type]
        networks["mean of weights"] = averaged(list(networks.values()))
        for name, network in networks.items():
            logits = np.stack(
                [logits_of(network, seen_from(squares.pixels, v)) for v in range(VIEWS)]
            )
            right = (logits[..., :-1].argmax(2) == truth).mean(1)
            mean = (logits.mean(0)[:, :-1].argmax(1) == truth).mean()
            print(
                f"fold {number}, {name}, {side} px: one view {right[0]:.1%} "
                f"(turned {right[1:].min():.1%} to {right[1:].max():.1%}), eight {mean:.1%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
