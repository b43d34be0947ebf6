"""Runs of the checks over a small tree, as a process of their own or in this one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner

from esper_audit.cli.root import root as root_command
from esper_audit.engine import pipeline
from esper_audit.findings.audit import Audit
from esper_audit.project.config import OWN_FILE, PROJECT_FILE, find_project

TODAY = "2026-06-15"
HASATTR = "unauthorised-hasattr"
GOOD = 'def cut(host):\n    if hasattr(host, "segments"):\n        return host.segments()\n'
CLEAN = "def cut(host):\n    return host.segments()\n"
SECONDS = 60
ADOPTING = 'profile = "strict"\n'
CONFIGURATIONS = frozenset({OWN_FILE, PROJECT_FILE})


class Ran(NamedTuple):
    """What a process said, and how it ended (negative: by a signal)."""

    status: int
    out: str
    err: str

    @property
    def places(self) -> list[str]:
        """The first lines of the findings, `path:line:column`."""
        heads = [line.split(" ")[0] for line in self.out.splitlines() if f" {HASATTR}" in line]
        return [head for head in heads if head.count(":") == 2]

    @property
    def not_looked_at(self) -> list[str]:
        """What the text says of each thing that was not analysed, lines that were wrapped joined."""
        _, _, section = self.out.partition("Not looked at\n")
        lines = section.partition("\n\n")[0].replace("\n    ", " ").splitlines()
        return [line.strip() for line in lines]


def write(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files below `root`, making their directories; return `root`.

    A tree without a configuration adopts every policy, as most tests use `unauthorised-hasattr`.
    """
    root.mkdir(parents=True, exist_ok=True)
    own = root / OWN_FILE
    if not own.exists() and CONFIGURATIONS.isdisjoint({*files, *os.listdir(root)}):
        own.write_text(ADOPTING)
    elif PROJECT_FILE in files and own.exists() and own.read_text() == ADOPTING:
        own.unlink()
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def run(
    cwd: Path, *arguments: str, env: Mapping[str, str] | None = None, stdin: bytes = b""
) -> Ran:
    """Run `esper-audit` with arguments as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "esper_audit", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONSAFEPATH": "1", **(env or {})},
        input=stdin,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def command(*arguments: str) -> Ran:
    """Run `esper-audit` with arguments in this process, from the current directory."""
    result = CliRunner().invoke(root_command, arguments, prog_name="esper-audit")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def audit(
    root: Path,
    *paths: Path,
    select: list[str] | None = None,
    today: str = TODAY,
    jobs: int = 1,
    prefilter: bool = True,
    cache: bool = False,
    impact: bool = False,
) -> Audit:
    """Check a tree, or some paths of it, on a fixed day and return everything that is known."""
    project = find_project([str(path) for path in paths] or [str(root)])
    request = pipeline.CheckRequest(
        paths=[str(path) for path in paths],
        select=select or [],
        today=today,
        jobs=jobs,
        prefilter=prefilter,
        cache=cache,
        impact=impact,
    )
    return pipeline.check(project, request)
