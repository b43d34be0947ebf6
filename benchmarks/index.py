"""The index as a whole process beside vulture (dead code) and pylint: runs in turn, ratios of processor time.

    python benchmarks/index.py TREE --symbol NAME --peers DIR [--repeat N]

`--peers DIR` makes a virtual environment there for vulture and pylint. TREE is any real Python code; NAME
a function, method or class in it. Processes that the index forks count as its own.
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

from whole_process import Case, compare, measure

BUILD = """
import sys
from esper_audit.project.config import Project
from esper_audit.project.config_tables import Config
from esper_audit.source.index.index import open_index
index = open_index(Project(sys.argv[1], Config()), cache=sys.argv[2] == "cache")
index.prepare()
if sys.argv[3:] == ["everything"]:
    for symbol in index.all_symbols():
        index.references(symbol)
"""
PYLINT = ["--disable=all", "--enable=unused-argument,no-member,arguments-differ", "--jobs=1"]


def install_peers(directory: Path) -> tuple[Path, Path]:
    """Return vulture and pylint, installed where they are not."""
    if not (directory / "bin" / "vulture").exists():
        venv.create(directory, with_pip=True)
        pip = [str(directory / "bin" / "pip"), "install", "--quiet", "vulture", "pylint"]
        subprocess.run(pip, check=True)
    return directory / "bin" / "vulture", directory / "bin" / "pylint"


def cases(tree: Path, symbol: str, peers: tuple[Path, Path]) -> list[Case]:
    def build(*how: str) -> list[str]:
        return [sys.executable, "-c", BUILD, str(tree), *how]

    vulture, pylint = (str(peer) for peer in peers)
    dead, checked = [vulture, str(tree)], [pylint, *PYLINT, str(tree)]
    one = [sys.executable, "-m", "esper_audit", "refs", symbol, "--config", str(tree / "e.toml")]
    changed = ["sh", "-c", f'echo >> {tree / "changed.py"}; exec "$0" "$@"', *build("cache")]
    return [
        Case("every file, cold", build("cold"), "vulture", dead),
        Case("every file, cold", build("cold"), "pylint, 3 checks", checked),
        Case("references of every definition, cold", build("cold", "everything"), "vulture", dead),
        Case("one symbol, cold", [*one, "--no-cache"], "vulture", dead),
        Case("every file, one changed", changed, "every file, cold", build("cold")),
        Case("one symbol, nothing changed", one, "python -c pass", [sys.executable, "-c", "pass"]),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--symbol", required=True)
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--repeat", type=int, default=5)
    asked = parser.parse_args()
    peers = install_peers(asked.peers.resolve())
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        shutil.copytree(asked.tree, tree)
        largest = max(tree.rglob("*.py"), key=lambda path: path.stat().st_size)
        shutil.copy(largest, tree / "changed.py")
        (tree / "e.toml").write_text("")
        environment = {**os.environ, "ESPER_AUDIT_CACHE": str(Path(scratch) / "cache")}
        lines = sum(path.read_bytes().count(b"\n") for path in tree.rglob("*.py"))
        measure([sys.executable, "-c", BUILD, str(tree), "cache"], environment)
        print(f"{lines:,} lines\n")
        print("| index | peer | ratio | seconds, ours / peer | MiB, ours |")
        print("| --- | --- | --- | --- | --- |")
        for case in cases(tree, asked.symbol, peers):
            compare(case, asked.repeat, environment)


if __name__ == "__main__":
    main()
