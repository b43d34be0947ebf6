"""The script `benchmarks/mutants.py`: some of its mutants, and mutants that it must report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from esper_audit.probes.probe import discover_probes
from esper_audit.probes.universal import UniversalProbe
from esper_audit.rules.registry import discover

# Slow: each mutant is a copy of esper_ref that rules and probes look at.
pytestmark = [pytest.mark.slow, pytest.mark.torch]

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "benchmarks" / "mutants.toml"
QUICK = {
    "drop-is-causal": "causality[transformer/attention@birth] altered",
    "drop-the-clamp": "gradient-ratio[gradient-ratio/sqrt_params@birth] out-of-bounds",
    "drop-the-contiguity": "seed-input-isolation[cnn/slot-of-group-norm@training] SIGSEGV",
    "hasattr-for-a-protocol": "unauthorised-hasattr[_attribute_faults]",
    "ramp-one-step-long": "alpha-schedule[alpha-controller@birth] end",
    "overshoot-not-clamped": "equivalent",
}
# The prerequisites of the other probes, which report the same mutants.
PREREQUISITES = {"build", "forward", "reproducible"}
# Modules without promises: names, errors, and code that only a growing model uses.
NO_PROMISE = {"__init__", "__main__", "errors", "telemetry"}


def mutants() -> list[dict[str, object]]:
    table: list[dict[str, object]] = tomllib.loads(TABLE.read_text(encoding="utf-8"))["mutant"]
    return table


def checks() -> set[str]:
    return {named.partition("[")[0] for m in mutants() for named in m.get("caught-by", [])}  # type: ignore[attr-defined]  # a list


def script(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, f"{ROOT / 'benchmarks' / 'mutants.py'}", *arguments],
        env={**os.environ, "PYTHONPATH": f"{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )


def table(folder: Path, *rows: dict[str, object]) -> str:
    """Write a table and return its path.

    Strings and lists are the same in JSON and TOML.
    """
    text = ""
    for row in rows:
        text += "[[mutant]]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in row.items())
    path = folder / "mutants.toml"
    path.write_text(text, encoding="utf-8")
    return f"{path}"


def drop_the_clamp(name: str, **more: object) -> dict[str, object]:
    was, becomes = "return min(RATIO_CEILING, ratio)", "return ratio"
    return {"name": name, "file": "gradients.py", "was": was, "becomes": becomes, **more}


def test_mutants_are_caught_by_the_checks_named_for_them() -> None:
    completed = script(*QUICK)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    rows = dict(line.strip("| ").split(" | ")[::2] for line in completed.stdout.splitlines()[2:-2])
    assert rows.keys() == QUICK.keys()
    assert all(check in rows[name] for name, check in QUICK.items())


def test_a_mutant_that_is_not_caught_as_named_is_reported(tmp_path: Path) -> None:
    ratio = "gradient-ratio[gradient-ratio/sqrt_params@birth]"
    harmless = drop_the_clamp("harmless", **{"caught-by": [f"{ratio} out-of-bounds"]})
    harmless["becomes"] = "return min(ratio, RATIO_CEILING)"
    mistaken = drop_the_clamp("mistaken", **{"caught-by": [f"{ratio} not-finite"]})
    loud = drop_the_clamp("loud", equivalent="a wrong claim")
    loud["becomes"] = "return min(ratio, 10.0 if hasattr(ratio, 'real') else 0.0)"
    completed = script("--table", table(tmp_path, harmless, mistaken, loud))
    assert completed.returncode == 1, completed.stdout + completed.stderr
    assert f"| harmless | gradients.py | **NOT by {ratio} out-of-bounds**" in completed.stdout
    assert f"| mistaken | gradients.py | **NOT by {ratio} not-finite**" in completed.stdout
    assert "| loud | gradients.py | unauthorised-hasattr[gradient_ratio] |" in completed.stdout
    assert "0 caught, 3 not as named" in completed.stdout


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"was": "return max(RATIO_CEILING, ratio)"}, "gradients.py contains its source 0 times"),
        ({"was": "return"}, "times (expected 1)"),
        ({"file": "no_such.py"}, "no_such.py contains its source 0 times"),
        ({"becomes": "return min(RATIO_CEILING, ratio)"}, "changes nothing"),
        ({"was": "a\nb\n", "becomes": "c\n"}, "got 2, expected at most 1"),
        ({"caught-by": []}, "exactly one of `caught-by` and `equivalent`"),
    ],
)
def test_a_mutant_that_does_not_apply_is_an_error(
    tmp_path: Path, change: dict[str, object], complaint: str
) -> None:
    row = drop_the_clamp("stale", **{"caught-by": ["private-torch-api[x]"]})
    completed = script("--table", table(tmp_path, row | change))
    assert completed.returncode == 2
    assert complaint in completed.stderr


def test_a_unit_that_no_subject_promises_is_an_error(tmp_path: Path) -> None:
    row = drop_the_clamp("unknown", **{"caught-by": ["gradient-ratio[no-such@birth] raises"]})
    completed = script("--table", table(tmp_path, row))
    assert completed.returncode == 2
    assert "no subject of esper_ref promises it" in completed.stderr


# The rules that speak of what esper_ref does. The others are proved on bugs in tests/rules/.
RULES_WITH_MUTANTS = {
    "argument-fallback",
    "attention-without-causal-mask",
    "constant-param-estimate",
    "private-torch-api",
    "silent-except",
    "unauthorised-hasattr",
    "uncorrected-ema",
    "unguarded-norm-ratio",
}
# The probes of declared subjects. Those of discovered classes are proved on the corpora in tests/subjects/.
PROBES_WITH_MUTANTS = {
    name for name, probe in discover_probes().items() if not issubclass(probe, UniversalProbe)
}


@pytest.mark.parametrize("check", sorted(RULES_WITH_MUTANTS | PROBES_WITH_MUTANTS - PREREQUISITES))
def test_every_check_catches_some_mutant(check: str) -> None:
    assert check in checks()


def test_no_rule_lost_its_mutants() -> None:
    rules = {check for check in checks() if check in discover()}
    assert rules == RULES_WITH_MUTANTS


@pytest.mark.parametrize(
    "module", sorted(p.stem for p in (ROOT / "esper_ref").glob("*.py") if p.stem not in NO_PROMISE)
)
def test_every_module_has_its_mutants(module: str) -> None:
    assert any(mutant["file"] == f"{module}.py" for mutant in mutants())
