"""The memory and time of `check` with every rule that reads a whole tree at once: a line a tree.

    python benchmarks/whole_program_memory.py TREE...

The aim is at most 1 GB for 1.2 million lines, which is the size of torch and of transformers. All facts are
extracted anew, and the memory is the largest of the process and those that extract.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from whole_process import ESPER, clean_environment, measure

from esper_audit.rules.registry import RuleRegistry


def command_for(tree: Path) -> list[str]:
    rules = ",".join(sorted(RuleRegistry().tree_rules))
    return [str(ESPER), "check", str(tree), "--no-cache", "--jobs", "1", "--select", rules]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trees", type=Path, nargs="+")
    options = parser.parse_args()
    print("| tree | lines | findings | processor seconds | MiB | bytes a line |")
    print("| --- | --- | --- | --- | --- | --- |")
    for tree in options.trees:
        command = command_for(tree.resolve())
        with tempfile.TemporaryDirectory() as scratch:
            report = Path(scratch) / "report.json"
            written = ["--format", "json", "--output-file", str(report)]
            cost = measure([*command, *written], clean_environment(Path(scratch) / "cache"))
            findings = len(json.loads(report.read_bytes())["findings"])
        lines = sum(path.read_bytes().count(b"\n") for path in tree.rglob("*.py"))
        per_line = cost.mebibytes * 2**20 / lines
        row = (tree.name, f"{lines:,}", f"{findings:,}", f"{cost.seconds:.0f}")
        print(f"| {' | '.join(row)} | {cost.mebibytes:.0f} | {per_line:.0f} |", flush=True)


if __name__ == "__main__":
    main()
