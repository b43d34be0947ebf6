"""Without `os.fork` the checks find the same, the limits of a file hold, and without further parts of POSIX all run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.audit_runs import GOOD, Ran, run, write
from support.local_rules import RAISES, with_rule

# Slow: each test starts `esper-audit` in processes of its own, which start further ones.
pytestmark = pytest.mark.slow

CALLS_OLD = f"{GOOD}old(1)\n"
LIMITS = "[tool.esper-audit.checking]\nseconds = 6\n"


def run_without_fork(root: Path, *arguments: str, lacking: str = "import os\ndel os.fork\n") -> Ran:
    """Run a command where every interpreter lacks `os.fork`."""
    site = root.parent / "site"
    write(site, {"sitecustomize.py": lacking})
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
    return run(root, *arguments, env={"PYTHONPATH": path})


WITHOUT_POSIX = """\
import importlib.machinery, os, sys
del os.fork, os.waitid
find = importlib.machinery.PathFinder.find_spec
def find_spec(name, path=None, target=None):
    return None if name in ("fcntl", "resource") else find(name, path, target)
importlib.machinery.PathFinder.find_spec = staticmethod(find_spec)
for name in ("fcntl", "resource"):
    sys.modules.pop(name, None)
"""
NET = """\
import torch
class Net(torch.nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.line = torch.nn.Linear(width, width)
    def forward(self, x):
        return self.line(x)
"""


def test_check_refs_run_and_probe_work_without_fork_waitid_fcntl_and_resource(
    tmp_path: Path,
) -> None:
    pytest.importorskip("torch")
    root = write(tmp_path / "tree", {"good.py": GOOD, "net.py": NET})
    for arguments, status, line in (
        (("check", "--no-cache"), 1, "1 finding (1 P3) in 1 of 2 files"),
        (("refs", "cut"), 0, "function good.cut"),
        (("run", "--no-cache"), 1, "1 ticket, 1 active: 1 opened"),
        (("probe", "net.py"), 0, "units of 1 subject probed"),
    ):
        ran = run_without_fork(root, *arguments, lacking=WITHOUT_POSIX)
        assert (ran.status, ran.err) == (status, ""), arguments
        assert line in ran.out, arguments


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_findings_are_the_same(tmp_path: Path, jobs: str) -> None:
    root = write(tmp_path / "tree", {f"good{i}.py": GOOD for i in range(5)})
    forked = run(root, "check", "--no-cache", "--jobs", jobs)
    spawned = run_without_fork(root, "check", "--no-cache", "--jobs", jobs)
    assert len(forked.places) == 5
    assert spawned == forked


ENDS = {
    "never ends": ("while True:\n    pass\nyield", "the rule took longer than 6 s"),
    "raises": (RAISES, "the rule raised ValueError: cannot think"),
}


@pytest.mark.parametrize(("body", "said"), ENDS.values(), ids=ENDS)
def test_a_rule_that_fails_costs_that_rule_on_that_file(
    tmp_path: Path, body: str, said: str
) -> None:
    (tmp_path / "tree").mkdir()
    root = with_rule(tmp_path / "tree", "fails", body)
    write(root, {"a.py": CALLS_OLD, "b.py": GOOD})
    configuration = root / "pyproject.toml"
    configuration.write_text(configuration.read_text() + LIMITS)
    ran = run_without_fork(root, "check", "--no-cache")
    assert (ran.status, ran.err) == (3, "")
    assert ran.places == ["a.py:2:8", "b.py:2:8"]
    assert len(ran.not_looked_at) == 1
    assert ran.not_looked_at[0].startswith(f"a.py: fails: {said}")
