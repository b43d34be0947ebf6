"""What a rule costs that is never triggered: a cold check with and without fifty copies of one rule.

    python benchmarks/idle_rules.py TREE [--copies N] [--repeat N]

The package is copied twice into a scratch folder. One copy gets N copies of a rule, each with a trigger
that no file holds. Both check TREE in turn, and the median ratio of their processor time is printed, for
all copies and for one of them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

from whole_process import clean_environment, measure

PACKAGE = Path(__file__).parent.parent / "esper_audit"
COPIED = Path("rules", "file", "interfaces", "private_torch_api.py")
TRIGGERS = 'nodes=frozenset({"Attribute", "Import", "ImportFrom"}), words=frozenset({"torch"})'
AIM = "0.2 %"


def add_idle_rules(package: Path, copies: int) -> None:
    """Add copies of a rule to a package, each under an id and with a trigger of its own."""
    text = (package / COPIED).read_text()
    if text.count(TRIGGERS) != 1:
        raise SystemExit(f"{COPIED}: its triggers are not the ones that this script replaces")
    for number in range(copies):
        idle = text.replace(TRIGGERS, f'calls=frozenset({{"never_called_{number}"}})')
        (package / COPIED).with_name(f"idle_rule_{number}.py").write_text(idle)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--copies", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=9)
    options = parser.parse_args()
    command = [sys.executable, "-P", "-m", "esper_audit", "check", str(options.tree.resolve())]
    command += ["--no-cache", "--jobs", "1"]
    with tempfile.TemporaryDirectory() as scratch:
        environments = []
        for name, copies in (("without", 0), ("with", options.copies)):
            home = Path(scratch) / name
            shutil.copytree(PACKAGE, home / "esper_audit")
            add_idle_rules(home / "esper_audit", copies)
            environments.append(clean_environment(home / "cache") | {"PYTHONPATH": str(home)})
        for environment in environments:
            measure(command, environment)  # writes byte code and the table of the rules
        pairs = [[measure(command, e).seconds for e in environments] for _ in range(options.repeat)]
    ratio = median(more / fewer for fewer, more in pairs)
    share = (ratio - 1) / options.copies
    print(f"{options.copies} rules that are never triggered: {ratio:.3f} times the time")
    print(f"each of them: {share:.3%} (bar {AIM}); load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
