"""Walk a newcomer's ways from nothing to a report, in a new Debian each, with a clock. As root.

    python packaging/walk_newcomer.py [WAY ...] [--deb FILE] [--suite bookworm] [--json FILE]

The ways are the blocks of docs/installing.md, word for word: pip, uv, pipx, and deb with ``--deb``.
Each gets a minimal Debian of its own (``mmdebstrap``) that holds what the page says one needs, a
user without rights, and a clone of this repository's HEAD; preparing that is not on the clock. What
this machine needs to reach its package indexes (name service, certificates, pip's settings) is
copied in. Ends with 1 unless each way ends at a PDF within five minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "installing.md"
LIMIT_S = 300
BLOCK = re.compile(r'<!-- not run: \S+ walks it as "(\w+)" -->\n+```sh\n(.*?)```', re.DOTALL)
# What the page says that one needs; git for the clone. uv comes as a wheel, see `_give_uv`.
NEEDS = {
    "pip": "python3,python3-venv,git",
    "uv": "python3,python3-venv,git",
    "pipx": "pipx,git",
    "deb": "",
}
ACCESS = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf")
PASSED_ON = ("PIP_CERT", "PIP_INDEX_URL", "SSL_CERT_FILE", "UV_INDEX_URL", "UV_DEFAULT_INDEX")
USER = ("newcomer", 1000)
REPORT = "lungscan-demo/results/summary.pdf"


@dataclass(frozen=True)
class Walk:
    """How one way went."""

    way: str
    seconds: dict[str, float]  # by line
    pdf_bytes: int  # 0: there is none
    megabytes: float  # that the machine holds more than before
    output: str

    @property
    def total(self) -> float:
        """Seconds from the first line to the report."""
        return sum(self.seconds.values())

    @property
    def fine(self) -> bool:
        """Whether it ended at a report in time."""
        return self.pdf_bytes > 0 and self.total < LIMIT_S


def ways(page: str) -> dict[str, list[str]]:
    """The lines of each way, as the page has them."""
    return {name: code.strip().splitlines() for name, code in BLOCK.findall(page)}


def script(lines: list[str]) -> str:
    """A shell script that runs the lines in one shell and tells the seconds of each."""
    parts = ["set -e", 'sudo() { "$@"; }']  # the only line with it is walked as root
    for number, line in enumerate(lines):
        parts += ["begun=$(date +%s.%N)", line]
        parts.append(f'echo "@@ {number} $(date +%s.%N) $begun"')
    return "\n".join(parts) + "\n"


def seconds_of(lines: list[str], output: str) -> dict[str, float]:
    """Seconds by line, of the lines that came to their end."""
    found = re.findall(r"^@@ (\d+) (\S+) (\S+)$", output, re.MULTILINE)
    return {lines[int(number)]: float(end) - float(begun) for number, end, begun in found}


@contextmanager
def machine(way: str, suite: str, deb: Path | None) -> Iterator[Path]:
    """A root folder with a new Debian, ready to be walked; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="lungscan-walk-") as scratch:
        root = Path(scratch) / "root"
        packages = ",".join(["ca-certificates", *filter(None, [NEEDS[way]])])
        words = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}"]
        subprocess.run([*words, suite, str(root)], check=True)
        for name in ACCESS:
            if Path(name).is_file():
                shutil.copyfile(name, root / name.lstrip("/"))
        name, number = USER
        enter = ["chroot", str(root)]
        subprocess.run([*enter, "useradd", "--create-home", f"--uid={number}", name], check=True)
        home = root / "home" / name
        if way == "deb":
            if deb is None:
                raise SystemExit("The way deb needs --deb FILE; packaging/make_deb.py makes one.")
            shutil.copy(deb, home)
        else:
            subprocess.run(
                ["git", "clone", "--quiet", "--no-hardlinks", ROOT, home / "lungscan"], check=True
            )
        if way == "uv":
            _give_uv(root)
        subprocess.run([*enter, "chown", "-R", f"{number}:{number}", f"/home/{name}"], check=True)
        yield root


def _give_uv(root: Path) -> None:
    """The program uv, from its wheel: it is one file."""
    with tempfile.TemporaryDirectory() as scratch:
        words = [sys.executable, "-m", "pip", "install", "-qq", "--target", scratch, "uv"]
        subprocess.run(words, check=True)
        shutil.copy(Path(scratch) / "bin" / "uv", root / "usr/bin/uv")


def walk(way: str, lines: list[str], root: Path) -> Walk:
    """Walk one way in ``root``."""
    name, number = USER
    home = f"/home/{name}"
    folder = home if way == "deb" else f"{home}/lungscan"
    (root / "walk.sh").write_text(script(lines), encoding="utf-8")
    who = [] if way == "deb" else [f"--userspec={number}:{number}"]
    env = {"HOME": home, "USER": name, "LANG": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    env |= {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    before = megabytes(root)
    enter = ["unshare", "--mount", "--pid", "--fork", f"--mount-proc={root / 'proc'}"]
    enter += ["sh", "-c", f'mount --rbind /sys {root}/sys && exec chroot "$@"', "chroot"]
    done = subprocess.run(
        [*enter, *who, str(root), "sh", "-c", f"cd {folder} && exec sh /walk.sh"],
        check=False,
        input="y\n",  # to apt's question whether to go on
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
    )
    report = root / folder.lstrip("/") / REPORT
    is_pdf = done.returncode == 0 and report.is_file() and report.read_bytes()[:5] == b"%PDF-"
    return Walk(
        way=way,
        seconds=seconds_of(lines, done.stdout),
        pdf_bytes=report.stat().st_size if is_pdf else 0,
        megabytes=megabytes(root) - before,
        output=done.stdout,
    )


def megabytes(root: Path) -> float:
    """What the files below hold, each once: uv links its tools to its cache."""
    found = (path.lstat() for path in root.rglob("*"))
    return sum({stat.st_ino: stat.st_blocks for stat in found}.values()) * 512 / 1e6


HEAD = """| way | installing, s | demo, s | from nothing to the PDF, s | disk, MB |
|---|--:|--:|--:|--:|"""


def row(walked: Walk) -> str:
    """A line of the page's table."""
    demo = walked.seconds.get("lungscan demo", 0.0)
    total = f"{walked.total:.0f}" if walked.fine else f"**failed after {walked.total:.0f}**"
    numbers = f"{walked.total - demo:.0f} | {demo:.0f} | {total} | {walked.megabytes:.0f}"
    return f"| {walked.way} | {numbers} |"


def main() -> int:
    """Walk each way and print the page's table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    known = ways(PAGE.read_text(encoding="utf-8"))
    parser.add_argument("way", nargs="*", help=f"of {', '.join(known)}; all if left out")
    parser.add_argument("--deb", type=Path, help="a package that make_deb.py made")
    parser.add_argument("--suite", default="bookworm", help="of Debian")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    if os.geteuid() != 0 or shutil.which("mmdebstrap") is None:
        parser.error("needs root and mmdebstrap (apt-get install mmdebstrap)")
    walks = []
    print(HEAD, flush=True)
    for way in chosen.way or [name for name in known if name != "deb" or chosen.deb]:
        print(f"{way}: preparing a new Debian {chosen.suite}", file=sys.stderr)
        with machine(way, chosen.suite, chosen.deb) as root:
            walks.append(walk(way, known[way], root))
            print(row(walks[-1]), flush=True)  # removing a machine takes its time on some disks
            if not walks[-1].fine:
                print(walks[-1].output[-3000:], file=sys.stderr)
            if chosen.json:
                chosen.json.write_text(json.dumps([asdict(way) for way in walks], indent=1))
    return 0 if all(way.fine for way in walks) else 1


if __name__ == "__main__":
    sys.exit(main())
