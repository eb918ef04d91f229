"""A worker's memory: dask's own setting would have it fetched anew for every tile."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

resource = pytest.importorskip("resource", reason="page faults are not counted here")

ROUNDS, PAGES = 20, 4096  # of 16 MiB
CODE = f"""
import resource
import numpy as np
from lungscan.cluster import worker

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def use(rounds):
    begun = faults()
    for _ in range(rounds):
        np.ones({PAGES} * 512)
    return faults() - begun

before = use({ROUNDS})
worker.keep_memory()
use(2)
print(before, use({ROUNDS}), worker.TRIM in worker.os.environ)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a setting of glibc")
def test_a_worker_keeps_its_memory_whatever_dask_says() -> None:
    environment = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    run = [sys.executable, "-c", CODE]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=True)
    before, after, still_set = done.stdout.split()
    assert still_set == "False"  # nor for the processes that a worker starts
    assert int(after) < 0.1 * min(int(before), ROUNDS * PAGES)


def test_nothing_is_changed_without_dasks_setting() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "MALLOC_TRIM_THRESHOLD_"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    code = (
        "import ctypes; from lungscan.cluster import worker\n"
        "def refuse(*_): raise AssertionError('glibc was told something')\n"
        "ctypes.CDLL = refuse\n"
        "worker.keep_memory()"
    )
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
