"""Compare the findings with and without triggers and prefilters, byte for byte, on real trees.

    python benchmarks/prefilter_equality.py TREE... [--jobs N]

Every rule that reads one file is on, opt-in rules too, without limits of time. Each tree is checked twice:
once as users do, and once with every rule run on every node of its types. A difference is a finding that a
trigger or a prefilter loses. One line a tree is printed, and the exit status is 1 if one differs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from whole_process import ESPER, clean_environment

from esper_audit.rules.registry import RuleRegistry

LIMITS = "[tool.esper-audit.checking]\nseconds = 3600\nmemory = 8192\n"


def findings_of(tree: Path, more: list[str], jobs: int) -> list[str]:
    """Return the findings, suppressed ones included, and what was not analysed, a line of JSON each."""
    rules = ",".join(RuleRegistry().summaries)
    command = [
        str(ESPER),
        "check",
        str(tree),
        "--no-cache",
        "--format",
        "json",
        "--jobs",
        str(jobs),
    ]
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "pyproject.toml"
        config.write_text(LIMITS)
        done = subprocess.run(
            [*command, "--select", rules, "--config", str(config), *more],
            capture_output=True,
            env=clean_environment(Path(scratch) / "cache"),
            check=False,
        )
    if done.returncode not in (0, 1, 3):
        raise SystemExit(done.stderr.decode())
    audit = json.loads(done.stdout)
    parts = [audit[part] for part in ("findings", "suppressed", "not_analysed")]
    return [json.dumps(one, sort_keys=True) for part in parts for one in part]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trees", type=Path, nargs="+")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    is_same = True
    print("| tree | lines | findings | with and without prefilters |\n| --- | --- | --- | --- |")
    for tree in options.trees:
        filtered, plain = (
            findings_of(tree.resolve(), more, options.jobs) for more in ([], ["--no-prefilter"])
        )
        lines = sum(path.read_bytes().count(b"\n") for path in tree.rglob("*.py"))
        result = "equal" if filtered == plain else "DIFFERENT"
        print(f"| {tree.name} | {lines:,} | {len(plain):,} | {result} |", flush=True)
        for one in sorted(set(filtered) ^ set(plain))[:5]:
            print(f"  {'only with' if one in filtered else 'only without'}: {one[:300]}")
        is_same = is_same and filtered == plain
    sys.exit(0 if is_same else 1)


if __name__ == "__main__":
    main()
