"""Completion of the shell knows commands, subcommands and options."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# Slow: each test starts a process.
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("esper-audit ch", "check"),
        ("esper-audit ticket re", "resolve"),
        ("esper-audit check --sel", "--select"),
    ],
)
def test_bash_completes(words: str, expected: str) -> None:
    asked = {"_ESPER_AUDIT_COMPLETE": "bash_complete", "COMP_WORDS": words}
    position = str(len(words.split()) - 1)
    done = subprocess.run(
        [sys.executable, "-c", "from esper_audit.cli import main; main()"],
        env={**os.environ, **asked, "COMP_CWORD": position},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert f"plain,{expected}" in done.stdout.splitlines()


def test_the_line_for_the_profile_prints_a_function() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from esper_audit.cli import main; main()"],
        env={**os.environ, "_ESPER_AUDIT_COMPLETE": "zsh_source"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "compdef" in done.stdout
