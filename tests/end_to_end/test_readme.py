"""The console blocks of the README show the real output of their commands in an empty directory.

`python tests/end_to_end/test_readme.py` writes the real output into the README.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

# Slow: every command of the README is run.
pytestmark = [pytest.mark.slow, pytest.mark.torch]

README = Path(__file__).parents[2] / "README.md"
FILE = re.compile(r"`(?P<name>[\w.-]+)`:\n\n```(?:python|toml|yaml)\n(?P<code>.*?)```", re.DOTALL)
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def run_block(block: str, directory: Path) -> str:
    """Return a console block with the real output of its commands."""
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": binaries, "ESPER_AUDIT_CACHE": str(directory / ".cache")}
    commands = [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]
    outputs = []
    for command in commands:
        done = subprocess.run(
            command,
            shell=True,
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        outputs.append(f"$ {command}\n{done.stdout}{done.stderr}")
    return "".join(outputs)


def real(readme: str) -> str:
    """Return the README with the output that its commands have now."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for file in FILE.finditer(readme):
            (directory / file["name"]).write_text(file["code"], encoding="utf-8")
        return CONSOLE.sub(lambda block: f"```console\n{run_block(block[1], directory)}```", readme)


def test_the_readme_prints_what_the_commands_print() -> None:
    readme = README.read_text(encoding="utf-8")
    assert "$ esper-audit check" in readme
    assert DATE.sub("DATE", real(readme)) == DATE.sub("DATE", readme)


if __name__ == "__main__":
    README.write_text(real(README.read_text(encoding="utf-8")), encoding="utf-8")
