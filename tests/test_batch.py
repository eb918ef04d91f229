"""The wrappers for batch systems: run with what can be had here, with the program itself."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

from tests.engine.scanning import make_field

BATCH = Path(__file__).parents[1] / "packaging" / "batch"
ROOT = Path(__file__).parents[1]


def environment(*first: Path, **more: str) -> dict[str, str]:
    """An environment in which ``lungscan`` is this checkout's."""
    path = os.pathsep.join([*map(str, first), str(Path(sys.executable).parent), os.environ["PATH"]])
    packages = os.pathsep.join(str(ROOT / part) for part in ("", "cli", "gui", "models"))
    return os.environ | {"PATH": path, "PYTHONPATH": packages} | more


def call(*words: object, env: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, words)),
        check=False,
        capture_output=True,
        text=True,
        env=env,
        cwd=cwd,
        timeout=300,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index in range(4):
        make_field(tmp_path / "in" / f"f{index}.png", seed=index)
    return tmp_path / "in"


def fake_program(folder: Path, script: str) -> Path:
    """A folder with a ``lungscan`` that does what ``script`` says."""
    program = folder / "bin" / "lungscan"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program.parent


def table(out: Path) -> list[dict[str, str]]:
    with (out / "cases.csv").open(encoding="utf-8", newline="") as file:
        return [{**row, "seconds": ""} for row in csv.DictReader(file)]


def test_exit_codes_are_mapped(tmp_path: Path) -> None:
    meant = {0: 0, 1: 0, 2: 2, 3: 3, 4: 4, 5: 75, 6: 75, 70: 70, 130: 75, 137: 75}
    for code, expected in meant.items():
        env = environment(fake_program(tmp_path, f"exit {code}"))
        done = call("sh", BATCH / "shard.sh", 1, 2, "in", "out", env=env, cwd=tmp_path)
        assert done.returncode == expected, code
    done = call("sh", BATCH / "shard.sh", 1, 2, env=environment(), cwd=tmp_path)
    assert done.returncode == 2


def test_a_terminated_shard_ends_its_program_and_is_tried_again(tmp_path: Path) -> None:
    program = fake_program(
        tmp_path, "trap 'echo stopped > stopped; exit 130' TERM\necho begun\nsleep 60 & wait $!"
    )
    words = ["sh", str(BATCH / "shard.sh"), "1", "2", "in", "out"]
    with subprocess.Popen(
        words, env=environment(program), cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as shard:
        assert shard.stdout is not None
        assert shard.stdout.readline() == "begun\n"
        shard.terminate()
        assert shard.wait(20) == 75
    assert (tmp_path / "stopped").exists()


def test_a_slurm_array_gives_each_task_its_shard(tmp_path: Path) -> None:
    program = fake_program(tmp_path, 'echo "$@" >> calls')
    for task in ("1", "3"):  # as after `sbatch --array=1,3`
        env = environment(
            program,
            SLURM_ARRAY_TASK_ID=task,
            SLURM_ARRAY_TASK_COUNT="2",
            SLURM_CPUS_PER_TASK="4",
            SHARDS="3",
            SLIDES="my slides",
            OUT="out",
            LUNGSCAN_BATCH=str(BATCH),
        )
        done = call("bash", BATCH / "slurm-array.sh", "--pdf", "none", env=env, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    rest = "--quiet --threads 4 --pdf none"
    assert calls == [f"classify my slides --out out --shard {n}/3 {rest}" for n in (1, 3)]


def test_a_slurm_task_that_can_be_tried_again_is_requeued(tmp_path: Path) -> None:
    bin_folder = fake_program(tmp_path, "exit 6")
    (bin_folder / "scontrol").write_text('#!/bin/sh\necho "$@" > requeued\n')
    (bin_folder / "scontrol").chmod(0o755)
    settings = {
        "SLURM_ARRAY_TASK_ID": "2",
        "SLURM_ARRAY_JOB_ID": "77",
        "SHARDS": "3",
        "SLIDES": "in",
        "OUT": "out",
        "LUNGSCAN_BATCH": str(BATCH),
    }
    done = call(
        "bash", BATCH / "slurm-array.sh", env=environment(bin_folder, **settings), cwd=tmp_path
    )
    assert done.returncode == 0
    assert (tmp_path / "requeued").read_text() == "requeue 77_2\n"
    again = environment(bin_folder, **settings, SLURM_RESTART_COUNT="5")
    assert call("bash", BATCH / "slurm-array.sh", env=again, cwd=tmp_path).returncode == 75


def test_parallel_makes_the_tables_of_one_process(tmp_path: Path, folder: Path) -> None:
    if shutil.which("parallel") is None:
        pytest.skip("GNU parallel is not installed")
    env = environment()
    plain = call("lungscan", "classify", folder, "--out", "one", "--quiet", env=env, cwd=tmp_path)
    assert plain.returncode == 0, plain.stderr
    done = call("sh", BATCH / "parallel.sh", 3, 2, folder, "many", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert table(tmp_path / "many") == table(tmp_path / "one")
    assert not (tmp_path / "many" / ".lungscan-shards").exists()


def test_parallel_tries_again(tmp_path: Path) -> None:
    if shutil.which("parallel") is None:
        pytest.skip("GNU parallel is not installed")
    script = 'echo "$*" >> calls; [ "$(grep -c "shard 1/2" calls)" -ge 2 ] || exit 6'
    env = environment(fake_program(tmp_path, script))
    done = call("sh", BATCH / "parallel.sh", 2, 1, "in", "out", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    assert Counter(re.search(r"\d/2", line)[0] for line in calls)["1/2"] == 2  # type: ignore[index]


def test_snakemake_makes_the_tables_of_one_process(tmp_path: Path, folder: Path) -> None:
    if shutil.which("snakemake") is None:
        pytest.skip(
            "snakemake is not installed: pip install snakemake, in an environment of its own"
        )
    env = environment()
    words = ["--snakefile", BATCH / "Snakefile", "--cores", 2, "--config"]
    config = [f"slides={folder}", "out=many", "shards=2", "threads=1"]
    done = call("snakemake", *words, *config, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    call("lungscan", "classify", folder, "--out", "one", "--quiet", env=env, cwd=tmp_path)
    assert table(tmp_path / "many") == table(tmp_path / "one")
    again = call("snakemake", *words, *config, env=env, cwd=tmp_path)
    assert "Nothing to be done" in again.stderr


def test_nextflow_makes_the_tables_of_one_process(tmp_path: Path, folder: Path) -> None:
    if shutil.which("nextflow") is None:
        pytest.skip("nextflow is not installed")
    env = environment()
    if call("nextflow", "-version", env=env, cwd=tmp_path).returncode:
        pytest.skip("nextflow is only its launcher here: it cannot fetch its Java archive")
    words = ["run", BATCH / "main.nf", "--slides", folder, "--out", tmp_path / "many"]
    done = call("nextflow", *words, "--shards", 2, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    call("lungscan", "classify", folder, "--out", "one", "--quiet", env=env, cwd=tmp_path)
    assert table(tmp_path / "many") == table(tmp_path / "one")


def test_what_nextflow_would_run_runs(tmp_path: Path) -> None:
    """Its script, with the values that Nextflow puts in; the rest of the file it must parse."""
    text = (BATCH / "main.nf").read_text(encoding="utf-8")
    script = re.search(r'script:\s+"""\n(.*?)"""', text, re.S)
    assert script is not None
    values = {
        "projectDir": str(BATCH),
        "shard": "2",
        "params.shards": "4",
        "params.slides": "my slides",
        "params.out": "out",
        "task.cpus": "4",
        "params.options": "--pdf none",
    }
    filled = script[1].replace("\\\\\n", "\\\n")
    for name, value in values.items():
        filled = filled.replace(f"${{{name}}}", value)
    assert "${" not in filled
    env = environment(fake_program(tmp_path, 'echo "$@" > calls'))
    assert call("bash", "-c", filled, env=env, cwd=tmp_path).returncode == 0
    expected = "classify my slides --out out --shard 2/4 --quiet --threads 4 --pdf none\n"
    assert (tmp_path / "calls").read_text() == expected
    assert "task.exitStatus == 75 ? 'retry'" in text


def test_nextflow_could_read_the_file(tmp_path: Path) -> None:
    """Nextflow's language is Groovy: its compiler takes the file, and none with a fault in it."""
    if shutil.which("groovyc") is None:
        pytest.skip("groovy is not installed: apt-get install groovy")
    home = Path(shutil.which("java") or "/usr/bin/java").resolve().parents[1]
    env = {"JAVA_HOME": str(home)} | environment()
    text = (BATCH / "main.nf").read_text(encoding="utf-8")
    codes = []
    for code in (text, text.replace("workflow {", "workflow")):
        (tmp_path / "main.groovy").write_text(code, encoding="utf-8")
        done = call("groovyc", "-d", tmp_path / "made", "main.groovy", env=env, cwd=tmp_path)
        codes.append(done.returncode)
    assert codes == [0, 1]


@pytest.mark.parametrize("kind", ["slurm", "pbs"])
def test_the_jobs_of_a_batch_system_end_before_their_time(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed")
    done = call(
        sys.executable,
        BATCH / "jobqueue.py",
        kind,
        "in",
        "out",
        "--host",
        "127.0.0.1",
        "--print",
        env=environment(),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "--nthreads 1" in done.stdout
    assert "--lifetime 225m --lifetime-stagger 10m" in done.stdout
    assert "tcp://127.0.0.1:" in done.stdout
    wanted = {"slurm": ("#SBATCH --cpus-per-task=4", "-t 04:00:00"), "pbs": ("ncpus=4:mem=8gb",)}
    assert all(text in done.stdout for text in wanted[kind])


def test_the_service_starts_a_watch_and_knows_how_it_ends() -> None:
    lines = (BATCH / "lungscan-watch.service").read_text(encoding="utf-8").splitlines()
    settings = dict(
        line.split("=", 1) for line in lines if "=" in line and not line.startswith("#")
    )
    assert settings["ExecStart"].split()[1:] == [
        *("classify", "/srv/scanner", "--out", "/srv/lungscan-results", "--watch"),
    ]
    assert settings["SuccessExitStatus"] == "130"
    assert settings["ReadWritePaths"] in settings["ExecStart"]
    if shutil.which("systemd-analyze") is not None:
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(BATCH / "lungscan-watch.service")],
            check=False,
            capture_output=True,
            text=True,
        )
        complaints = [line for line in done.stderr.splitlines() if "lungscan-watch" in line]
        assert all("not executable" in line or "No such file" in line for line in complaints)


def test_the_task_of_windows_starts_a_watch() -> None:
    space = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}
    root = ET.parse(BATCH / "lungscan-watch.xml").getroot()
    arguments = root.findtext("t:Actions/t:Exec/t:Arguments", namespaces=space)
    assert arguments is not None
    assert arguments.split()[0] == "classify"
    assert arguments.split()[-1] == "--watch"
    assert root.findtext("t:Settings/t:ExecutionTimeLimit", namespaces=space) == "PT0S"
