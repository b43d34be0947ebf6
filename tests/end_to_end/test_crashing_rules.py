"""A failing rule is left out on that file, a rule that does not load stops the run."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audit_runs import GOOD, run, write
from support.local_rules import CONFIGURATION, KILLS, RAISES, with_rule

# Slow: each test starts `esper-audit` in processes of its own.
pytestmark = pytest.mark.slow

CALLS_OLD = f"{GOOD}old(1)\n"
PREFILTER_RAISES = "def prefilter(self, nodes):\n    return 1 / 0\n"
CRASHES = {
    "check raises": (RAISES, "", "the rule raised ValueError: cannot think in check, line"),
    "prefilter raises": ("yield from ()", PREFILTER_RAISES, "the rule raised ZeroDivisionError: "),
    "check returns nothing": ("return None", "", "the rule raised TypeError: "),
    "check reports what is no node": (
        "yield Violation('here', 'no')",
        "",
        "the rule raised TypeError: ",
    ),
    "check reports a node of no file": (
        "yield Violation(ast.Name('x'), 'no')",
        "",
        "the rule raised AttributeError: ",
    ),
    "check reports what is no violation": ("yield 1", "", "the rule raised AttributeError: "),
    "the replacement is for no node": (
        "yield Violation(node, 'no', Replacement('x', 'y', True, 'z'))",
        "",
        "the rule raised TypeError: ",
    ),
    "check recurses for ever": (
        "def again():\n    return again()\nagain()\nyield",
        "",
        "the rule raised RecursionError: ",
    ),
}


@pytest.mark.parametrize(("body", "members", "said"), CRASHES.values(), ids=CRASHES)
def test_a_rule_that_fails_costs_that_rule_on_that_file(
    tmp_path: Path, body: str, members: str, said: str
) -> None:
    write(with_rule(tmp_path, "fails", body, members=members), {"a.py": CALLS_OLD, "b.py": GOOD})
    ran = run(tmp_path, "check")
    assert (ran.status, ran.err) == (3, "")
    assert ran.places == ["a.py:2:8", "b.py:2:8"]
    assert len(ran.not_looked_at) == 1
    assert ran.not_looked_at[0].startswith(f"a.py: fails: {said}")


LIMITS = "[tool.esper-audit.checking]\nseconds = {seconds}\nmemory = 300\n"
HOARDS = """\
import time
hoard = bytearray(400 * 2**20)
hoard[::4096] = b'x' * len(hoard[::4096])
time.sleep(60)
yield
"""
OVER_LIMIT = {
    "a rule that never ends": ("while True:\n    pass\nyield", 0.7, "took longer than 0.7 s"),
    "a rule that hoards": (HOARDS, 30, "took more than 300 MiB of memory"),
}


@pytest.mark.parametrize(("body", "seconds", "said"), OVER_LIMIT.values(), ids=OVER_LIMIT)
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_rule_over_its_limit_is_ended_and_costs_that_rule_on_that_file(
    tmp_path: Path, body: str, seconds: float, said: str, jobs: str
) -> None:
    allowed = f"# esper-audit: allow-file fails -- it may\n{CALLS_OLD}"
    write(with_rule(tmp_path, "fails", body), {"a.py": allowed, "b.py": GOOD})
    configuration = tmp_path / "pyproject.toml"
    configuration.write_text(configuration.read_text() + LIMITS.format(seconds=seconds))
    ran = run(tmp_path, "check", "--jobs", jobs)
    assert (ran.status, ran.err) == (3, "")
    assert ran.places == ["a.py:3:8", "b.py:2:8"]
    assert ran.not_looked_at == [f"a.py: fails: the rule {said}"]


def test_a_rule_keeps_the_findings_it_had_before_it_failed(tmp_path: Path) -> None:
    body = "yield Violation(node, 'found')\nyield Violation('here', 'no')"
    write(with_rule(tmp_path, "fails", body), {"a.py": "old(1)\n"})
    ran = run(tmp_path, "check")
    assert ran.status == 3
    assert "a.py:1:1 P2 fails" in ran.out


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_rule_that_leaves_the_program_does_not_end_it(tmp_path: Path, jobs: str) -> None:
    write(
        with_rule(tmp_path, "leaves", "raise SystemExit(0)\nyield"),
        {"a.py": CALLS_OLD, "b.py": GOOD},
    )
    ran = run(tmp_path, "check", "--jobs", jobs)
    assert ran.status == 3
    assert "b.py:2:8" in ran.places
    assert ran.not_looked_at[0].startswith("a.py: ")


def test_a_killed_worker_costs_the_file_in_its_hands(tmp_path: Path) -> None:
    files = {f"good{i}.py": GOOD for i in range(6)}
    write(with_rule(tmp_path, "kills", KILLS), {**files, "a.py": "old(1)\n", "z.py": "old(1)\n"})
    ran = run(tmp_path, "check", "--jobs", "2")
    assert (ran.status, ran.err) == (3, "")
    assert ran.places == [f"good{i}.py:2:8" for i in range(6)]
    assert ran.not_looked_at == [
        f"{name}: the process looking at it was killed by SIGKILL" for name in ("a.py", "z.py")
    ]


def test_a_killed_worker_is_asked_again_the_next_time(tmp_path: Path) -> None:
    body = f"if not os.path.exists({str(tmp_path / 'spare')!r}):\n    {KILLS}\n".replace(
        "\nyield", "\n    yield"
    )
    body = f"{body}else:\n    yield Violation(node, 'old is called')\n"
    write(with_rule(tmp_path, "kills", body), {"good.py": GOOD, "a.py": "old(1)\n"})
    first = run(tmp_path, "check", "--jobs", "2")
    second = run(tmp_path, "check", "--jobs", "2")
    (tmp_path / "spare").touch()
    third = run(tmp_path, "check", "--jobs", "2")
    assert [first.status, second.status, third.status] == [3, 3, 1]
    assert first == second


UNLOADABLE = {
    "a syntax error": ("def f(:\n", "SyntaxError"),
    "an exception at import": ("1 / 0\n", "ZeroDivisionError: division by zero"),
    "an exit at import": ("raise SystemExit(0)\n", "SystemExit: 0"),
    "no rule inside": ("x = 1\n", "holds no subclass of esper_audit.rules.rule.Rule"),
}


@pytest.mark.parametrize(("source", "said"), UNLOADABLE.values(), ids=UNLOADABLE)
def test_a_rule_that_does_not_load_stops_the_run_by_name(
    tmp_path: Path, source: str, said: str
) -> None:
    configuration = CONFIGURATION.format(file="mine.py")
    write(tmp_path, {"mine.py": source, "pyproject.toml": configuration, "good.py": GOOD})
    ran = run(tmp_path, "check")
    assert (ran.status, ran.out) == (2, "")
    assert "mine.py" in ran.err
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_a_rule_file_that_is_missing_stops_the_run_by_name(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": CONFIGURATION.format(file="mine.py"), "good.py": GOOD})
    ran = run(tmp_path, "check")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.endswith("pyproject.toml:3: local-rules: no such file (got 'mine.py')\n")
