"""Git repositories for tests, without the configuration of the user."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

NOBODY = [
    "-c",
    "user.name=Nobody",
    "-c",
    "user.email=nobody@example.invalid",
    "-c",
    "commit.gpgsign=false",
]


def git(root: Path, *arguments: str) -> str:
    """Run git in a directory and return what it says."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    done = subprocess.run(
        ["git", *NOBODY, *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
