"""`esper-audit check` as a whole process beside its peers: paired runs in turn, median ratio of processor time.

    python benchmarks/whole_process.py TREE [--file FILE] [--peers DIR] [--repeat N]

`--peers DIR` makes two virtual environments there (TorchFix wants an older LibCST) and adds Fixit and
TorchFix; without it they are left out. TREE is any real PyTorch code, for instance what
`pip download --no-deps timm` unpacks to.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from statistics import median
from typing import NamedTuple

HERE = Path(__file__).parent
ESPER = Path(sys.executable).parent / "esper-audit"
RUFF = Path(sys.executable).parent / "ruff"
SLOW_PEERS = ("fixit", "torchfix")
RUN_FEWER = (*SLOW_PEERS, "pylint")
SLOW_REPEATS = 3


class Cost(NamedTuple):
    seconds: float
    mebibytes: float


class Case(NamedTuple):
    """One command of ours against one of a peer's."""

    name: str
    ours: list[str]
    peer_name: str
    peer: list[str]


def measure(command: list[str], environment: dict[str, str]) -> Cost:
    """Run a command to its end; return processor seconds (children included) and peak memory."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def compare(case: Case, repeat: int, environment: dict[str, str]) -> None:
    count = SLOW_REPEATS if case.peer_name.startswith(RUN_FEWER) else repeat
    ours, theirs = [], []
    for _ in range(count):
        ours.append(measure(case.ours, environment))
        theirs.append(measure(case.peer, environment))
    ratio = median(a.seconds / b.seconds for a, b in zip(ours, theirs, strict=True))
    shown = f"{ratio:.2f}" if ratio > 0.2 else f"1/{1 / ratio:.0f}"
    seconds = f"{median(a.seconds for a in ours):.3f} / {median(b.seconds for b in theirs):.3f}"
    memory = f"{median(a.mebibytes for a in ours):.0f}"
    print(f"| {case.name} | {case.peer_name} | {shown} | {seconds} | {memory} |", flush=True)


def cases(tree: Path, file: Path, triple: Path, peers: Path | None) -> list[Case]:
    python = [sys.executable, "-c", "pass"]
    script = [sys.executable, str(HERE / "ast_script.py")]
    ruff = [
        str(RUFF),
        "check",
        "--isolated",
        "--select",
        "ALL",
        "--no-cache",
        "--output-format",
        "concise",
    ]
    cold = [str(ESPER), "check", str(tree), "--no-cache", "--jobs", "1"]
    one = [str(ESPER), "check", str(file), "--no-cache"]
    found = [
        Case("cold tree", cold, "ast script", [*script, str(tree)]),
        Case("cold tree", cold, "ruff ALL", [*ruff, str(tree)]),
        Case("unchanged tree", [str(ESPER), "check", str(tree)], "python -c pass", python),
        Case("one file", one, "ast script", [*script, str(file)]),
        Case("three times the tree", [*cold[:2], str(triple), *cold[3:]], "cold tree", cold),
    ]
    if peers is not None:
        fixit, torchfix = (str(peers / n / "bin" / n) for n in SLOW_PEERS)
        found += [
            Case("cold tree", cold, "fixit", [fixit, "lint", str(tree)]),
            Case("cold tree", cold, "torchfix ALL", [torchfix, "--select=ALL", str(tree)]),
            Case("one file", one, "fixit", [fixit, "lint", str(file)]),
        ]
    return found


def install_peers(directory: Path) -> Path:
    for name in SLOW_PEERS:
        if not (directory / name / "bin" / name).exists():
            venv.create(directory / name, with_pip=True)
            pip = [
                str(directory / name / "bin" / "python"),
                "-m",
                "pip",
                "install",
                "--quiet",
                name,
            ]
            subprocess.run(pip, check=True)
    return directory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path)
    parser.add_argument(
        "--file", type=Path, help="the file of the hook case (default: the largest)"
    )
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--repeat", type=int, default=7)
    asked = parser.parse_args()
    tree: Path = asked.tree.resolve()
    file = asked.file or max(tree.rglob("*.py"), key=lambda path: path.stat().st_size)
    peers = install_peers(asked.peers.resolve()) if asked.peers else None
    with tempfile.TemporaryDirectory() as scratch:
        environment = {**os.environ, "ESPER_AUDIT_CACHE": str(Path(scratch) / "cache")}
        triple = Path(scratch) / "triple"
        for copy in "abc":
            shutil.copytree(tree, triple / copy)
        measure([str(ESPER), "check", str(tree)], environment)
        lines = sum(path.read_bytes().count(b"\n") for path in tree.rglob("*.py"))
        print(f"{lines:,} lines; one file: {file.name}, {file.read_bytes().count(10):,} lines\n")
        print("| case | peer | ratio | seconds, ours / peer | MiB, ours |")
        print("| --- | --- | --- | --- | --- |")
        for case in cases(tree, file.resolve(), triple, peers):
            compare(case, asked.repeat, environment)


if __name__ == "__main__":
    main()
