"""Without `os.fork` the checks find the same, and the limits of a file hold."""

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


def run_without_fork(root: Path, *arguments: str) -> Ran:
    """Run a command where every interpreter lacks `os.fork`."""
    site = root.parent / "site"
    write(site, {"sitecustomize.py": "import os\ndel os.fork\n"})
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
    return run(root, *arguments, env={"PYTHONPATH": path})


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
