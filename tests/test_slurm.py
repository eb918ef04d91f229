"""A real Slurm of one node, made for the test: the array, its requeueing, and workers as jobs.

Needs ``apt-get install slurm-wlm munge``, root, and two minutes, so it runs only with
LUNGSCAN_NIGHTLY=1. The node says that it has eight cores, so that jobs of four run side by side.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_batch import BATCH, environment, fake_program, folder, table  # noqa: F401

if os.environ.get("LUNGSCAN_NIGHTLY", "") in {"", "0"}:
    pytest.skip("takes two minutes: set LUNGSCAN_NIGHTLY=1", allow_module_level=True)
if not all(shutil.which(name) for name in ("slurmctld", "slurmd", "munged")) or os.getuid():
    pytest.skip("needs slurm-wlm, munge and root", allow_module_level=True)

# `cred_expire` is also how long a requeued job has to wait.
CONFIG = """ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={controller}
SlurmdPort={daemon}
AuthType=auth/munge
AuthInfo=socket={place}/munge.socket,cred_expire=6
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
MpiDefault=none
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldPidFile={place}/controller.pid
SlurmdPidFile={place}/daemon.pid
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=2
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=65536
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The path of ``slurm.conf``, while the daemons run."""
    place = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (place / name).mkdir()
    key = place / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    config = place / "slurm.conf"
    values = {"host": socket.gethostname().split(".")[0], "place": place}
    text = CONFIG.format(controller=free_port(), daemon=free_port(), **values)
    config.write_text(text, encoding="utf-8")
    munged = ["munged", "--foreground", "--force", f"--key-file={key}"]
    munged += [f"--{name}={place}/munge.{name.split('-')[0]}" for name in ("socket", "pid-file")]
    munged += [f"--log-file={place}/munge.log", f"--seed-file={place}/munge.seed"]
    env = os.environ | {"SLURM_CONF": str(config)}
    daemons = []
    with (place / "daemons.log").open("ab") as log:
        for words in (munged, ["slurmctld", "-D"], ["slurmd", "-D", "-N", "node"]):
            daemons.append(subprocess.Popen(words, env=env, stdout=log, stderr=log))
            time.sleep(1)
    try:
        wait_for_the_node(env, place / "daemons.log")
        yield str(config)
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(30)


def wait_for_the_node(env: dict[str, str], log: Path) -> None:
    for _ in range(60):
        done = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"],
            check=False,
            capture_output=True,
            text=True,
            env=env,
        )
        if done.stdout.strip() == "idle":
            return
        time.sleep(1)
    raise AssertionError(log.read_text(encoding="utf-8", errors="replace")[-3000:])


def submit(env: dict[str, str], cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """``sbatch --wait``: until the whole array is at its end."""
    return subprocess.run(
        ["sbatch", "--wait", "--output=log-%a.txt", *words, str(BATCH / "slurm-array.sh")],
        check=False,
        capture_output=True,
        text=True,
        env=env,
        cwd=cwd,
        timeout=300,
    )


def logs(place: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(place.glob("log-*.txt")))


def wanted(place: Path, slides: Path, slurm: str) -> dict[str, str]:
    return {
        "SLURM_CONF": slurm,
        "SHARDS": "3",
        "SLIDES": str(slides),
        "OUT": str(place / "many"),
        "LUNGSCAN_BATCH": str(BATCH),
    }


def one_process(place: Path, slides: Path, env: dict[str, str]) -> list[dict[str, str]]:
    words = ["lungscan", "classify", str(slides), "--out", "one", "--quiet"]
    subprocess.run(words, check=True, env=env, cwd=place)
    return table(place / "one")


def test_an_array_makes_the_tables_of_one_process(
    slurm: str,
    tmp_path: Path,
    folder: Path,  # noqa: F811
) -> None:
    env = environment(**wanted(tmp_path, folder, slurm))
    done = submit(env, tmp_path, "--array=1-3")
    assert done.returncode == 0, logs(tmp_path) + done.stderr
    assert table(tmp_path / "many") == one_process(tmp_path, folder, env)
    assert not (tmp_path / "many" / ".lungscan-shards").exists()


def test_a_task_that_may_be_tried_again_is_requeued_by_slurm(
    slurm: str,
    tmp_path: Path,
    folder: Path,  # noqa: F811
) -> None:
    """The first start of shard 2 finds the folder in use (6); the array ends well all the same."""
    real = shutil.which("lungscan", path=environment()["PATH"])
    script = (
        f'case "$*" in *"shard 2/3"*) [ -e "{tmp_path}/begun" ] || '
        f'{{ touch "{tmp_path}/begun"; exit 6; }};; esac\nexec {real} "$@"'
    )
    env = environment(fake_program(tmp_path, script), **wanted(tmp_path, folder, slurm))
    done = submit(env, tmp_path, "--array=1-3")
    assert done.returncode == 0, logs(tmp_path) + done.stderr
    assert (tmp_path / "begun").exists()
    assert table(tmp_path / "many") == one_process(tmp_path, folder, env)


def test_a_task_whose_time_is_up_is_requeued_and_goes_on(
    slurm: str,
    tmp_path: Path,
    folder: Path,  # noqa: F811
) -> None:
    """``--signal=B:TERM`` before the limit reaches the program, which leaves no lock behind."""
    real = shutil.which("lungscan", path=environment()["PATH"])
    script = (
        f'case "$*" in *"shard 2/3"*) [ -e "{tmp_path}/begun" ] || {{ touch "{tmp_path}/begun"; '
        f"trap 'touch \"{tmp_path}/done\"; exit 130' TERM; sleep 300 & wait $!; }};; esac\n"
        f'exec {real} "$@"'
    )
    env = environment(fake_program(tmp_path, script), **wanted(tmp_path, folder, slurm))
    done = submit(env, tmp_path, "--array=1-3", "--time=00:02:00", "--signal=B:TERM@115")
    assert done.returncode == 0, logs(tmp_path) + done.stderr
    assert (tmp_path / "done").exists()
    assert table(tmp_path / "many") == one_process(tmp_path, folder, env)


def test_workers_that_are_jobs_make_the_tables_of_one_process(
    slurm: str,
    tmp_path: Path,
    folder: Path,  # noqa: F811
) -> None:
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed")
    env = environment(SLURM_CONF=slurm)
    words = [str(BATCH / "jobqueue.py"), "slurm", str(folder), "many"]
    done = subprocess.run(
        [sys.executable, *words, "--jobs", "2", "--host", "127.0.0.1"],
        check=False,
        capture_output=True,
        text=True,
        env=env,
        cwd=tmp_path,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert table(tmp_path / "many") == one_process(tmp_path, folder, env)
    left = subprocess.run(
        ["squeue", "--noheader"], check=True, capture_output=True, text=True, env=env
    )
    assert left.stdout.strip() == "", "workers that nobody needs any more"
