"""Training on two machines: two starts of torchrun that meet at an address.

Takes a minute on a busy machine, so it runs only with LUNGSCAN_NIGHTLY=1; two processes of one
machine are tested in ``test_training_runs.py``.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

if os.environ.get("LUNGSCAN_NIGHTLY", "") in {"", "0"}:
    pytest.skip("takes a minute: set LUNGSCAN_NIGHTLY=1", allow_module_level=True)

import torch

from lungscan.training.train import train
from tests.engine.test_training_runs import TINY, root  # noqa: F401

HERE = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_two_machines_train_as_one(root: Path) -> None:  # noqa: F811
    code = (
        "import sys; from pathlib import Path; from tests.engine.test_training_runs import TINY; "
        "from lungscan.training.train import train; "
        "list(train(TINY, Path(sys.argv[1]), Path(sys.argv[1]) / 'two', ('teacher',)))"
    )
    script = root / "script.py"
    script.write_text(code, encoding="utf-8")
    meeting = f"127.0.0.1:{free_port()}"
    words = ["-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
    words += ["--rdzv-backend=c10d", f"--rdzv-endpoint={meeting}", "--rdzv-id=lungscan"]
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path]),
        "OMP_NUM_THREADS": "1",
    }
    machines = [
        subprocess.Popen([sys.executable, *words, str(script), str(root)], env=env)
        for _ in range(2)
    ]
    assert [machine.wait(300) for machine in machines] == [0, 0]
    list(train(TINY, root, root / "one", ("teacher",)))
    histories = [
        torch.load(root / name / "training" / "checkpoints" / "teacher.pt", weights_only=True)
        for name in ("one", "two")
    ]
    one, two = (history["history"][-1]["loss"] for history in histories)
    assert two == pytest.approx(one, rel=0.2)
