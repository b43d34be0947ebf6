"""Probing without a declaration: classes are found, built, run and checked, and failures reproduce."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.audit_runs import command, write

# Slow: each test runs discovered modules in processes of their own.
pytestmark = [pytest.mark.slow, pytest.mark.torch]

VALVE = '''"""A valve that scales features."""

import torch
from torch import Tensor, nn


class Valve(nn.Module):
    """Pass a random half of the channels, scaled."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.open = torch.randperm(width)[: width // 2]
        self.scale = nn.Linear(width // 2, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.scale(x[..., self.open])


class Sound(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.scale(x)
'''
SOUND = VALVE.replace(
    "self.open = torch.randperm(width)[: width // 2]",
    'self.register_buffer("open", torch.arange(width // 2))',
)
UNBUILDABLE = """
from torch import nn


class Needy(nn.Module):
    def __init__(self, tokenizer) -> None:
        super().__init__()
        self.size = tokenizer.vocabulary_size()

    def forward(self, x):
        return x


class Plain:
    pass
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path, {"valve.py": VALVE})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_class_that_loses_state_is_found_with_nothing_declared(root: Path) -> None:
    ran = command("probe", "valve.py")
    assert ran.status == 1
    assert ran.out.startswith("valve.py:7:1 P0 complete-state in Valve\n")
    assert "from valve import Valve" in ran.out
    assert "esper_audit" not in ran.out.partition("reproduce with:")[2].partition("Contracts")[0]


def test_the_reproducer_fails_by_its_assertion_in_a_fresh_interpreter(root: Path) -> None:
    (finding,) = json.loads(command("probe", "valve.py", "--format", "json").out)["findings"]
    program = finding["probed"][0]["reproducer"]
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True
    )
    assert ended.stderr.rstrip().splitlines()[-1].startswith("AssertionError: a fresh module")


def test_the_coverage_counts_classes_by_stage(root: Path) -> None:
    write(root, {"needy.py": UNBUILDABLE})
    coverage = json.loads(command("probe", ".", "--format", "json").out)["coverage"]
    assert {k: coverage[k] for k in ("found", "built", "ran", "checked")} == {
        "found": 3,
        "built": 2,
        "ran": 2,
        "checked": 2,
    }
    assert coverage["by_origin"]["guessed"]["built"] == 2
    (missed,) = [one for one in coverage["classes"] if one["stage"] == "found"]
    assert missed["name"] == "needy.Needy"
    assert "vocabulary_size" in missed["reason"]


def test_without_an_argument_and_configuration_the_project_is_discovered(root: Path) -> None:
    ran = command("probe")
    assert ran.status == 1
    assert "complete-state in Valve" in ran.out


def test_a_package_is_named_by_its_import_name(root: Path) -> None:
    write(root, {"flow/__init__.py": "", "flow/parts.py": VALVE})
    ran = command("probe", "flow")
    assert "flow.parts.Valve" in ran.out
    assert "from flow.parts import Valve" in ran.out


def test_a_module_that_cannot_be_imported_is_listed_and_changes_no_status(root: Path) -> None:
    write(
        root,
        {
            "valve.py": SOUND,
            "odd.py": "import nowhere\nclass A: pass\n",
        },
    )
    ran = command("probe", ".")
    assert "odd could not be imported: ModuleNotFoundError: No module named 'nowhere'" in ran.out
    assert ran.status == 0


def test_a_module_in_a_package_that_cannot_be_imported_is_listed_with_it(root: Path) -> None:
    package = "from flow import parts\nimport nowhere\n"
    write(root, {"flow/__init__.py": package, "flow/parts.py": SOUND, "flow/more.py": SOUND})
    ran = command("probe", "flow")
    listed = "flow.more and 1 other could not be imported: ModuleNotFoundError: No module named 'nowhere'"
    assert listed in " ".join(ran.out.split())
    assert "flow: holds no module class to probe (2 modules not importable)" in ran.out
    assert ran.status == 3


def test_a_target_of_which_no_class_runs_is_not_looked_at_and_not_clean(root: Path) -> None:
    second = UNBUILDABLE.replace("Needy", "Needier")
    write(root, {"needy/__init__.py": "", "needy/a.py": UNBUILDABLE, "needy/b.py": second})
    ran = command("probe", "needy")
    assert "needy.a.Needy and 1 other: " in ran.out
    assert "needy: none of 2 module classes could be run" in ran.out
    assert ran.status == 3


def test_a_target_without_a_class_is_not_looked_at_and_not_clean(root: Path) -> None:
    write(
        root, {"plain/__init__.py": "x = 1", "broken/__init__.py": "import nowhere\nclass A: pass"}
    )
    plain = command("probe", "plain")
    assert "plain: holds no module class to probe" in plain.out
    broken = command("probe", "broken")
    assert "(1 module not importable)" in " ".join(broken.out.split())
    assert (plain.status, broken.status) == (3, 3)


def test_a_name_that_is_nothing_is_an_error(root: Path) -> None:
    ran = command("probe", "nowhere_at_all")
    assert ran.status == 2


def configured(root: Path, text: str = "") -> None:
    write(root, {"esper-audit.toml": f'discover = ["valve"]\nselect = []\n{text}'})


def test_run_opens_tickets_for_what_it_discovers(root: Path) -> None:
    configured(root)
    assert command("run").status == 1
    tickets = [path.read_text() for path in (root / "tickets").glob("*.yaml")]
    (lost,) = [text for text in tickets if "check: complete-state" in text]
    assert "valve.Valve" in lost


def test_an_expectation_and_an_exception_reach_discovered_units(root: Path) -> None:
    write(root, {"other.py": VALVE.replace("Valve", "Other")})
    configured(
        root,
        '[[expect]]\nprobe = "complete-state"\nsubject = "valve.Valve"\ncode = "output"\nreason = "kept"\n'
        '[[allow]]\ncheck = "complete-state"\npath = "other.py"\nsymbol = "Other"\n'
        'reason = "kept"\nowner = "the maintainers"\n',
    )
    found = json.loads(
        command(
            "probe", "valve.py", "other.py", "--probe", "complete-state", "--format", "json"
        ).out
    )
    verdicts = {record["subject"]: record["verdict"] for record in found["probes"]}
    assert verdicts["valve.Valve"] == "expected-fail"
    assert verdicts["other.Other"] == "fail"
    assert found["findings"] == []
    assert [one["finding"]["location"]["path"] for one in found["suppressed"]] == ["other.py"]


INNER = '''"""A layer that overwrites what the block around it made, and one that stands alone."""

from torch import Tensor, nn


class Shift(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x += 1
        return x


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.shift = nn.Linear(8, 8), Shift()

    def forward(self, x: Tensor) -> Tensor:
        return self.shift(self.first(x))
'''
CARELESS = INNER.replace("self.shift(self.first(x))", "self.first(self.shift(x))")


@pytest.mark.parametrize(("source", "overwriting"), [(INNER, []), (CARELESS, ["Shift"])])
def test_what_overwrites_the_work_of_its_owner_alone_is_no_finding(
    root: Path, source: str, overwriting: list[str]
) -> None:
    """Where the owner fails, too, the finding is at the part."""
    write(root, {"blocks.py": source})
    audit = json.loads(command("probe", "blocks.py", "--format", "json").out)
    found = [
        one["location"]["symbol"]
        for one in audit["findings"]
        if one["check"] == "inputs-unmodified"
    ]
    assert found == overwriting
    text = "a call overwrites its argument: got mode eval, argument x, but Block around it keeps the contract"
    assert (text in str(audit["coverage"]["classes"])) is not bool(found)


PRIVATE = '''"""A private layer whose root has no gradient at zero, and a block that keeps it from there."""

from torch import Tensor, nn


class _Root(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.square().sum(-1, keepdim=True).sqrt()


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net, self.root = nn.Linear(8, 8), _Root()

    def forward(self, x: Tensor) -> Tensor:
        return self.root(self.net(x))
'''
PUBLIC = PRIVATE.replace("_Root", "Root")


@pytest.mark.parametrize(("source", "failing"), [(PRIVATE, []), (PUBLIC, ["Root"])])
def test_a_private_class_is_judged_by_the_modules_that_hold_it(
    root: Path, source: str, failing: list[str]
) -> None:
    write(root, {"blocks.py": source})
    audit = json.loads(command("probe", "blocks.py", "--format", "json").out)
    found = [one["location"]["symbol"] for one in audit["findings"]]
    assert found == failing


DEAD = '''"""A layer that no call reaches."""

from torch import Tensor, nn


class Dead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.first(x)
'''


def test_what_is_only_possible_is_a_finding_on_request(root: Path) -> None:
    write(root, {"dead.py": DEAD})
    audit = json.loads(command("probe", "dead.py", "--format", "json").out)
    assert audit["findings"] == []
    (dead,) = audit["coverage"]["classes"]
    (line,) = dead["properties"]
    assert line.startswith("possible: reached-parameters: trainable parameters get no gradient")
    assert "unreached" in named(root, "--probe", "reached-parameters")
    write(root, {"pyproject.toml": "[tool.esper-audit.probing]\npossible = true\n"})
    assert "unreached" in named(root)


def named(root: Path, *options: str) -> list[str]:
    """Return the detectors of the findings on the layer."""
    audit = json.loads(command("probe", "dead.py", "--format", "json", *options).out)
    return [evidence["code"] for one in audit["findings"] for evidence in one["probed"]]
