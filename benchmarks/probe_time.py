"""What `esper-audit probe` costs beside the import of torch: processor time of whole processes, in turn.

    python benchmarks/probe_time.py [PACKAGE] [--repeat 3]

Without PACKAGE the declared subjects of `esper_ref` are probed in a copy of them, without slow probes and without
the cache. With PACKAGE, an importable one, its module classes are discovered and probed. The peer is a process that
only imports torch, run right before and right after, so that both meet the same machine. A ratio of 1 is an import.
Children's time is counted.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
SUBJECTS = "esper_ref_promises/esper_ref_subjects.py"
IMPORT = [sys.executable, "-c", "import torch"]


def seconds(command: list[str], folder: str) -> tuple[float, str]:
    """Return the processor seconds of a command with its children, and the last line that it prints."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder)
    printed = process.stdout.read() if process.stdout else ""
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return usage.ru_utime + usage.ru_stime, printed.strip().rpartition("\n")[2]


def copy_subjects(folder: str) -> None:
    """Copy `esper_ref` and its subjects into a project of their own."""
    shutil.copytree(ROOT / "esper_ref", Path(folder, "esper_ref"))
    source = ROOT / "tests" / SUBJECTS
    shutil.copytree(source.parent, Path(folder, source.parent.name))
    Path(folder, "esper-audit.toml").write_text(f'subjects = ["{SUBJECTS}:subjects"]\n')


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("package", nargs="?")
    arguments.add_argument("--repeat", type=int, default=3)
    chosen = arguments.parse_args()
    probe = [sys.executable, "-m", "esper_audit", "probe", "--no-cache", "--statistics"]
    probe += [chosen.package] if chosen.package else []
    ratios, last = [], ""
    with tempfile.TemporaryDirectory() as folder:
        if not chosen.package:
            copy_subjects(folder)
        for _ in range(chosen.repeat):
            before, _ = seconds(IMPORT, folder)
            ours, last = seconds(probe, folder)
            after, _ = seconds(IMPORT, folder)
            ratios.append(2 * ours / (before + after))
            print(f"{ours:.1f} s beside {before:.1f} and {after:.1f} s", flush=True)
    print(f"{last}\n{median(ratios):.1f} imports of torch")


if __name__ == "__main__":
    main()
