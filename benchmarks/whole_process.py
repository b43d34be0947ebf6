"""`esper-audit check` as a whole process beside its peers: paired runs in turn, median ratio of processor time.

    python benchmarks/whole_process.py TREE... [--peers DIR] [--repeat N]

TREE is any real PyTorch code, for instance what `pip download --no-deps lightning accelerate timm`
unpacks to: the first two hold many candidates a line, the third many lines. The bar of each ratio holds
on the worst tree. `--peers DIR` makes three virtual environments there (TorchFix wants an older LibCST)
and adds Fixit, TorchFix and, for the rules that read the whole tree, Vulture. Every default rule is on,
and children's time is counted. What takes long is measured less often: Fixit, TorchFix and ten copies of a
tree once, three copies three times. Before a tree is measured, the findings of `check` and of
`check --no-prefilter` are compared byte for byte.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

HERE = Path(__file__).parent
ESPER = Path(sys.executable).parent / "esper-audit"
RUFF = Path(sys.executable).parent / "ruff"
PEERS = ("fixit", "torchfix", "vulture")
MOST_COPIES = 10
MEMORY_AIM = "60 / 45"


class Cost(NamedTuple):
    seconds: float
    mebibytes: float


class Case(NamedTuple):
    """One command of ours against one of a peer's, with the bar of the ratio and what we are after.

    `most` bounds how often it is measured. What `without` costs is taken off ours.
    """

    name: str
    ours: list[str]
    peer_name: str
    peer: list[str]
    aim: str
    edit: Path | None = None
    most: int = 99
    without: list[str] | None = None


def measure(command: list[str], environment: dict[str, str]) -> Cost:
    """Run a command to its end; return processor seconds, children included, and peak memory."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def clean_environment(cache: Path) -> dict[str, str]:
    """Return the environment of a user: byte code is kept, and the caches are ours alone."""
    environment = {**os.environ, "ESPER_AUDIT_CACHE": str(cache)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def compare(case: Case, repeat: int, environment: dict[str, str]) -> None:
    """Print one row of the table."""
    count = min(repeat, case.most)
    ours, theirs = [], []
    for number in range(count):
        if case.edit is not None:
            with case.edit.open("a") as file:
                file.write(f"# {number}\n")
        rest = measure(case.without, environment).seconds if case.without else 0.0
        cost = measure(case.ours, environment)
        ours.append(Cost(cost.seconds - rest, cost.mebibytes))
        theirs.append(measure(case.peer, environment))
    ratio = median(a.seconds / b.seconds for a, b in zip(ours, theirs, strict=True))
    shown = f"{ratio:.2f}" if ratio > 0.2 else f"1/{1 / ratio:.0f}"
    seconds = f"{median(a.seconds for a in ours):.3f} / {median(b.seconds for b in theirs):.3f}"
    memory = f"{median(a.mebibytes for a in ours):.0f}"
    row = (case.name, case.peer_name, shown, case.aim, seconds, memory)
    print(f"| {' | '.join(row)} |", flush=True)


def cases(tree: Path, copies: Path, peers: Path | None) -> Iterator[Case]:
    """Yield every ratio that has an aim; `tree` may be changed. `copies` holds ten of them."""
    file = max(tree.rglob("*.py"), key=lambda path: path.stat().st_size)
    small = min(tree.rglob("*.py"), key=lambda path: abs(path.stat().st_size - 4096))
    python = [sys.executable, "-c", "pass"]
    script = [sys.executable, str(HERE / "ast_script.py")]
    ruff = [str(RUFF), "check", "--isolated", "--select", "ALL", "--no-cache"]
    ruff += ["--output-format", "concise"]
    cold = [str(ESPER), "check", str(tree), "--no-cache", "--jobs", "1"]
    several = [str(copies / str(number)) for number in range(MOST_COPIES)]
    tripled = [str(ESPER), "check", *several[:3], "--no-cache", "--jobs", "1"]
    tenfold = [str(ESPER), "check", *several, "--no-cache", "--jobs", "1"]
    one = [str(ESPER), "check", str(file), "--no-cache"]
    known = [str(ESPER), "check", str(tree), "--jobs", "1"]
    yield Case("cold tree", cold, "ast script", [*script, str(tree)], "1.5 / 1.0")
    yield Case("cold tree", cold, "ruff ALL", [*ruff, str(tree)], "5 / 3")
    yield Case("three times the tree", tripled, "cold tree", cold, "3.0 / 2.4", most=3)
    yield Case("ten times the tree", tenfold, "cold tree", cold, "10 / 8", most=1)
    yield Case("unchanged tree", known, "python -c pass", python, "2.5 / 1.7")
    yield Case("one changed file", known, "cold tree", cold, "", edit=small)
    yield Case("one file", one, "ast script", [*script, str(file)], "")
    if peers is not None:
        fixit, torchfix, vulture = (str(peers / name / "bin" / name) for name in PEERS)
        lint = [fixit, "lint", str(tree)]
        fix = [torchfix, "--select=ALL", str(tree)]
        yield Case("cold tree", cold, "fixit", lint, "1/67 / 1/125", most=1)
        yield Case("cold tree", cold, "torchfix ALL", fix, "1/33 / 1/67", most=1)
        yield Case("one file", one, "fixit", [fixit, "lint", str(file)], "1/17 / 1/28", most=3)
        whole, dead = [*cold, "--whole-tree"], [vulture, str(tree)]
        yield Case("whole-program rules", whole, "vulture", dead, "1.0", without=cold, most=3)


def install_peers(directory: Path) -> Path:
    for name in PEERS:
        if not (directory / name / "bin" / name).exists():
            venv.create(directory / name, with_pip=True)
            python = str(directory / name / "bin" / "python")
            subprocess.run([python, "-m", "pip", "install", "--quiet", name], check=True)
    return directory


def require_same_findings(tree: Path, environment: dict[str, str]) -> int:
    """Return the number of bytes that both engines print; raise SystemExit where they differ."""
    command = [str(ESPER), "check", str(tree), "--no-cache", "--format", "json"]
    plain, filtered = (
        subprocess.run([*command, *more], capture_output=True, env=environment, check=False).stdout
        for more in (["--no-prefilter"], [])
    )
    if plain != filtered:
        raise SystemExit(f"{tree}: the findings with and without the prefilter differ")
    return len(filtered)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trees", type=Path, nargs="+")
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    peers = install_peers(options.peers.resolve()) if options.peers else None
    for source in options.trees:
        with tempfile.TemporaryDirectory() as scratch:
            environment = clean_environment(Path(scratch) / "cache")
            tree, copies = Path(scratch) / "tree", Path(scratch) / "copies"
            shutil.copytree(source.resolve(), tree)
            for number in range(MOST_COPIES):
                shutil.copytree(source.resolve(), copies / str(number))
            same = require_same_findings(tree, environment)
            measure([str(ESPER), "check", str(tree)], environment)
            lines = sum(path.read_bytes().count(b"\n") for path in tree.rglob("*.py"))
            print(f"\n{source.name}: {lines:,} lines; same findings ({same:,} bytes of JSON)\n")
            print("| case | peer | ratio | bar / aim | seconds, ours / peer | MiB, ours |")
            print("| --- | --- | --- | --- | --- | --- |")
            for case in cases(tree, copies, peers):
                compare(case, options.repeat, environment)
            print(f"\nMemory: bar / aim {MEMORY_AIM} MiB")


if __name__ == "__main__":
    main()
