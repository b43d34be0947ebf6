"""A value that Python, YAML or TOML cannot hold costs one line of its file, and the rest goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audit_runs import ADOPTING, GOOD, run, write

# Slow: each test starts `esper-audit` in processes of its own.
pytestmark = pytest.mark.slow

LONG = "f" * 5000
LONG_INTEGERS = {
    "hexadecimal": f"x = 1\nmask = 0x{LONG}\n",
    "octal": f"x = 1\nmask = 0o{'7' * 6000}\n",
    "binary": f"x = 1\nmask = 0b{'1' * 20_000}\n",
    "with underscores": f"x = 1\nmask = 0x{'_ffff' * 1000}\n",
    "a default": f"x = 1\ndef f(mask=0x{LONG}): return mask\n",
    "in an annotation": f"from typing import Literal\ndef f(mask: Literal[0x{LONG}]): return mask\n",
}
SURROGATES = {
    "a constant": 'WORD = "\\ud800 is no character"\n',
    "a long escape": 'WORD = "\\U0000dfff is no character"\n',
    "a default": 'def f(a="\\ud800"):\n    return a\n\n\nf()\n',
    "a literal type": 'from typing import Literal\ndef f(a: Literal["\\ud800"]): return a\n',
    "an annotation": 'def f(a: "\\ud800"): return a\n',
    "a name looked up": 'def f(a):\n    return getattr(a, "\\udc80", None)\n',
    "a docstring": 'def f(a):\n    """Return \\ud800.\n\n    Args:\n        a: \\udfff\n    """\n    return a\n',
    "a key": 'def f(a):\n    return {"\\ud800": 1}[a]\n\n\nA = {}["\\ud800"]\n',
    "an exported name": '__all__ = ["\\ud800"]\n',
    "an f-string": 'def f(a):\n    return f"\\ud800{a}"\n',
    "a parameter's name": 'def f(model):\n    model.register_buffer("\\ud800", None)\n',
    "a compared mode": 'def f(mode="\\ud800"):\n    if mode == "\\ud800":\n        return 1\n    return 2\n\n\nf()\n',
}  # fmt: skip


@pytest.mark.parametrize("content", LONG_INTEGERS.values(), ids=LONG_INTEGERS)
def test_an_integer_of_thousands_of_digits_costs_its_file(tmp_path: Path, content: str) -> None:
    write(tmp_path, {"esper-audit.toml": ADOPTING, "model.py": GOOD, "odd.py": content})
    for arguments in (("check",), ("run",), ("refs", "mask")):
        ran = run(tmp_path, *arguments)
        assert "Traceback" not in ran.out + ran.err
        assert ran.status == 3
        said = " ".join((ran.out + ran.err).split())
        if arguments[0] != "run":
            assert "odd.py:2: an integer of more than 4300 digits" in said
    assert "odd.py:2: an integer" in (tmp_path / "reports" / "audit.md").read_text()


@pytest.mark.parametrize("content", SURROGATES.values(), ids=SURROGATES)
def test_half_a_surrogate_pair_in_a_text_costs_nothing(tmp_path: Path, content: str) -> None:
    write(tmp_path, {"esper-audit.toml": ADOPTING, "model.py": GOOD, "odd.py": content})
    for arguments in (("check", "--format", "json"), ("run",), ("refs", "f"), ("run",)):
        ran = run(tmp_path, *arguments)
        assert "Traceback" not in ran.out + ran.err, ran.err
        assert "cannot be" not in ran.out + ran.err
        assert ran.status != 3


CONFIGURATIONS = {
    "lists nested 600 deep": f"x = {'[' * 600}{']' * 600}\n",
    "tables nested 600 deep": f"x = {'{a = ' * 600}1{'}' * 600}\n",
    "an integer of 5,000 digits": f"x = {'9' * 5000}\n",
}


@pytest.mark.parametrize("name", ["esper-audit.toml", "pyproject.toml"])
@pytest.mark.parametrize("content", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_configuration_beyond_python_is_one_line(tmp_path: Path, content: str, name: str) -> None:
    write(tmp_path, {name: f"[tool.esper-audit]\n{content}", "model.py": GOOD})
    for arguments in (("check",), ("run",)):
        ran = run(tmp_path, *arguments)
        assert (ran.status, ran.out) == (2, "")
        assert ran.err.startswith(f"esper-audit: {tmp_path / name}:2: invalid TOML: ")
        assert len(ran.err.splitlines()) == 1


def test_packaging_nested_600_deep_is_no_packaging(tmp_path: Path) -> None:
    deep = CONFIGURATIONS["lists nested 600 deep"]
    write(tmp_path, {"pyproject.toml": f"[tool.other]\n{deep}", "esper-audit.toml": ADOPTING})
    write(tmp_path, {"model.py": GOOD})
    ran = run(tmp_path, "run")
    assert (ran.status, ran.err) == (1, "")


def bomb(levels: int) -> str:
    lines = ["extra:", "  a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"  a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]" for n in range(levels)]
    return "\n".join(lines) + "\n"


def test_an_alias_bomb_in_a_ticket_is_one_line(tmp_path: Path) -> None:
    write(tmp_path, {"esper-audit.toml": ADOPTING, "tickets/A.yaml": f"id: A\n{bomb(12)}"})
    for arguments in (("ticket", "list"), ("ticket", "lint"), ("run",), ("report",)):
        ran = run(tmp_path, *arguments)
        assert ran.status == 2
        line = "tickets/A.yaml:1: invalid YAML: aliases expand to more than 1,000,000 values"
        assert ran.err == f"esper-audit: {line}\n"


def test_an_alias_bomb_in_contracts_is_one_line(tmp_path: Path) -> None:
    configuration = 'contracts = "contracts.yaml"\n'
    write(tmp_path, {"esper-audit.toml": configuration, "contracts.yaml": bomb(12)})
    ran = run(tmp_path, "run")
    assert (ran.status, len(ran.err.splitlines())) == (2, 1)


INTEGERS = {"5,000 digits": "9" * 5000, "25 digits": "9" * 25, "negative": f"-{'9' * 25}"}


@pytest.mark.parametrize("number", INTEGERS.values(), ids=INTEGERS)
def test_an_integer_that_a_ticket_cannot_hold_is_one_line(tmp_path: Path, number: str) -> None:
    claim = f"claims:\n  - kind: callers\n    of: model.cut\n    calls: {number}\n"
    write(
        tmp_path,
        {"esper-audit.toml": ADOPTING, "model.py": GOOD, "tickets/A.yaml": f"id: A\n{claim}"},
    )
    for arguments in (("ticket", "list"), ("ticket", "verify"), ("run",)):
        ran = run(tmp_path, *arguments)
        assert ran.status == 2
        assert ran.err.startswith("esper-audit: tickets/A.yaml:5: the integer is too large (got ")
        assert len(ran.err) < 160
