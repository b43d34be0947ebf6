"""The real pre-commit with the hook of this repository blocks, passes, and installs no torch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.audit_runs import GOOD, write

# Slow: pre-commit installs the hook into an environment of its own.
pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
NO_INDEX = (
    "No matching distribution",
    "Connection",
    "Temporary failure",
    "Could not resolve",
    "ProxyError",
)
NOBODY = [
    "-c",
    "user.name=Nobody",
    "-c",
    "user.email=nobody@example.invalid",
    "-c",
    "commit.gpgsign=false",
]
AUTHORISED = GOOD.replace(
    "def cut", "# esper-audit: allow-file unauthorised-hasattr by Ada -- hosts of others\ndef cut"
)
SECONDS = 300


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *NOBODY, *arguments], cwd=root, capture_output=True, text=True, check=True
    )
    return done.stdout


def commit(root: Path, env: dict[str, str]) -> tuple[bool, str]:
    """Try to commit what is staged; return whether that worked, and all that was said."""
    done = subprocess.run(
        ["git", *NOBODY, "commit", "-m", "try"],
        cwd=root,
        env=env,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def hook_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give pre-commit a home of its own, and `check` a cache of its own."""
    home = tmp_path_factory.mktemp("pre-commit-home")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    cache = tmp_path_factory.mktemp("cache")
    own = {"PRE_COMMIT_HOME": str(home), "PATH": path, "ESPER_AUDIT_CACHE": str(cache)}
    return {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | own


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, hook_env: dict[str, str]) -> Path:
    """Make a repository that is guarded by the hook of a copy of this one."""
    source = _copy_of_this_repository(tmp_path_factory.mktemp("source"))
    root = tmp_path_factory.mktemp("guarded")
    revision = git(source, "rev-parse", "HEAD").strip()
    configuration = f"repos:\n- repo: {source}\n  rev: {revision}\n  hooks: [{{id: esper-audit}}]\n"
    git(root, "init", "-q")
    write(root, {".pre-commit-config.yaml": configuration})
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "start")
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "install", "--install-hooks"],
        cwd=root,
        env=hook_env,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    said = done.stdout + done.stderr
    if done.returncode and any(sign in said for sign in NO_INDEX):
        pytest.skip(f"pip reaches no package index: {said[-300:]}")
    assert done.returncode == 0, said
    return root


def _copy_of_this_repository(target: Path) -> Path:
    """Copy what git tracks or would track, as it is on disk now, and commit it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, listed):
        if (REPOSITORY / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, target / name)
    git(target, "init", "-q")
    git(target, "add", ".")
    git(target, "commit", "-q", "-m", "the tree under test")
    return target


@pytest.fixture(autouse=True)
def _nothing_staged(guarded: Path) -> None:
    git(guarded, "reset", "-q", "--hard")


def test_a_commit_without_python_passes(guarded: Path, hook_env: dict[str, str]) -> None:
    write(guarded, {"README.md": "hasattr\n"})
    git(guarded, "add", "README.md")
    passed, said = commit(guarded, hook_env)
    assert passed, said
    assert "no files to check" in said


def test_a_commit_that_asks_an_object_what_it_is_is_blocked(
    guarded: Path, hook_env: dict[str, str]
) -> None:
    write(guarded, {"model.py": GOOD})
    git(guarded, "add", "model.py")
    passed, said = commit(guarded, hook_env)
    assert not passed
    assert "model.py:2:8 P3 unauthorised-hasattr" in said


def test_a_commit_that_does_not_parse_is_blocked(guarded: Path, hook_env: dict[str, str]) -> None:
    write(guarded, {"model.py": "def f(:\n"})
    git(guarded, "add", "model.py")
    passed, said = commit(guarded, hook_env)
    assert not passed
    assert "NOT LOOKED AT" in said


def test_a_commit_with_an_authorisation_passes(guarded: Path, hook_env: dict[str, str]) -> None:
    write(guarded, {"model.py": AUTHORISED})
    git(guarded, "add", "model.py")
    passed, said = commit(guarded, hook_env)
    assert passed, said


def test_the_hook_brings_no_torch(guarded: Path, hook_env: dict[str, str]) -> None:
    home = Path(hook_env["PRE_COMMIT_HOME"])
    installed = {path.name.split("-")[0] for path in home.rglob("*.dist-info")}
    assert "esper_audit" in installed
    assert installed & {"torch", "numpy", "triton"} == set()
