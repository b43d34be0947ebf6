"""What a name on the command line of `probe` means: a path, else a subject, else a package."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audit_runs import TODAY, write

from esper_audit.findings.errors import ConfigError, UsageError
from esper_audit.probes.discovery.targets import target_of_package
from esper_audit.probes.findings import audit_subjects
from esper_audit.probes.named_targets import resolve_names
from esper_audit.probes.session import ProbeRequest
from esper_audit.project.config import find_project

pytestmark = pytest.mark.torch

SUBJECTS = """
from torch import nn

from esper_audit.subject import Module, promise, sequences


def subjects():
    yield Module(name="flow", build=nn.ReLU, inputs=sequences, promises=[promise("reproducible")])
"""


def resolved(root: Path, *names: str) -> tuple[list[str], list[str]]:
    project = find_project([str(root)])
    targets, subjects = resolve_names(names, project, ProbeRequest(today=TODAY))
    return [*targets], subjects


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write(tmp_path, {"flow/__init__.py": "def f(): pass\n", "valve.py": "def f(): pass\n"})


def test_paths_and_packages_are_targets(root: Path) -> None:
    assert resolved(root, "valve.py", "flow") == (["valve.py", "flow"], [])


def test_a_folder_without_an_init_is_a_package_if_there_is_no_other(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, {"lib/spread/part.py": "class A: pass\n", "site/flow/extra.py": "class B: pass\n"})
    for folder in ("lib", "site"):
        monkeypatch.syspath_prepend(str(root / folder))
    spread = target_of_package("spread", (str(root),))
    flow = target_of_package("flow", (str(root),))
    assert spread is not None
    assert flow is not None
    assert [*spread.modules] == ["spread.part"]
    assert [*flow.modules] == ["flow"]


@pytest.mark.slow  # collects subjects in a process of its own
def test_a_declared_subject_is_meant_before_a_package_of_its_name(root: Path) -> None:
    (root / "flow").rename(root / "other")
    configuration = '[tool.esper-audit]\nsubjects = ["my_subjects.py:subjects"]\n'
    files = {
        "lib/flow.py": "def f(): pass\n",
        "my_subjects.py": SUBJECTS,
        "pyproject.toml": configuration,
    }
    write(root, files)
    assert resolved(root, "flow", "valve.py", "other") == (["valve.py", "other"], ["flow"])


def test_a_name_that_is_nothing_is_an_error_with_the_nearest(root: Path) -> None:
    with pytest.raises(UsageError) as raised:
        resolved(root, "valve.pi")
    assert str(raised.value) == (
        "'valve.pi' is no path, declared subject or importable package "
        "(nearest: path 'valve.py', package 'valve')"
    )


def test_a_configured_name_that_is_nothing_is_an_error_at_the_configuration(root: Path) -> None:
    write(root, {"pyproject.toml": '[tool.esper-audit]\ndiscover = ["nofolder"]\n'})
    with pytest.raises(ConfigError, match=r"pyproject\.toml: discover: 'nofolder' is no path"):
        audit_subjects(find_project([str(root)]), ProbeRequest(today=TODAY))


def test_a_name_on_the_command_line_is_probed_whatever_the_configuration_names(root: Path) -> None:
    write(root, {"pyproject.toml": '[tool.esper-audit]\ndiscover = ["nofolder"]\n'})
    request = ProbeRequest(today=TODAY, subjects=["valve.pi"])
    with pytest.raises(UsageError, match=r"'valve\.pi' is no path"):
        audit_subjects(find_project([str(root)]), request)
