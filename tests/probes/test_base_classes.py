"""Classes that only others make complete are told from those that can run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from esper_audit.findings.coverage import ClassCoverage, Coverage, Stage, coverage_numbers
from esper_audit.probes.discovery.base_classes import is_base_class
from esper_audit.probes.discovery.classes import find_classes
from esper_audit.probes.discovery.failure import failure_of

pytestmark = pytest.mark.torch


class Silent(nn.Module):
    """Has no forward."""


class Refusing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        """Return something."""
        raise NotImplementedError("a subclass defines it")


class Idle(nn.Module):
    def forward(self, x: Tensor) -> None:
        pass


class Delegating(Silent):
    def forward(self, x: Tensor) -> Tensor:
        """Return what a base returns."""
        return super().forward(x)  # type: ignore[no-any-return]


class Template(nn.Module):
    """Calls a method that others define."""

    def forward(self, x: Tensor) -> Tensor:
        return self.scaled(x + 1)

    def scaled(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class Filled(Template):
    def scaled(self, x: Tensor) -> Tensor:
        return 2 * x


class Partial(nn.Module):
    """Has not written one branch yet."""

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() > 1:
            raise NotImplementedError("only vectors")
        return x


def called(kind: type[nn.Module]) -> bool:
    """Return whether a class is a base, by the failure of its call."""
    try:
        kind()(torch.ones(2, 2))
    except NotImplementedError as error:
        return is_base_class(kind, failure_of(error, "forward"))
    return is_base_class(kind)


@pytest.mark.parametrize("kind", [Silent, Refusing, Idle, Delegating, Template])
def test_a_class_that_leaves_its_forward_to_others_is_a_base(kind: type[nn.Module]) -> None:
    assert called(kind)


@pytest.mark.parametrize("kind", [Filled, Partial, nn.Linear])
def test_a_class_with_a_forward_is_none(kind: type[nn.Module]) -> None:
    assert not (is_base_class(kind) if kind is nn.Linear else called(kind))


def test_bases_are_counted_apart_from_what_can_run() -> None:
    classes = [
        ClassCoverage(name=str(n), path="a.py", line=n, stage=stage, is_base=is_base)
        for n, (stage, is_base) in enumerate([(Stage.RUN, False), (Stage.BUILT, True)])
    ]
    numbers = coverage_numbers(Coverage(classes))
    assert [numbers[key] for key in ("found", "built", "ran", "bases")] == [1, 1, 1, 1]


def test_a_module_that_an_import_left_behind_is_not_importable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    module = "from torch import nn\n\nclass {}(nn.Module):\n    pass\n"
    (tmp_path / "outer" / "__init__.py").write_text("")
    (tmp_path / "outer" / "user.py").write_text(
        "from outer.inner.whole import Whole\n" + module.format("Later")
    )
    (inner / "__init__.py").write_text("from . import whole\nimport nowhere\n")
    (inner / "whole.py").write_text(module.format("Whole"))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    found = find_classes(["outer.inner.whole", "outer.user"], str(tmp_path))
    assert found.classes == []
    assert sorted(found.not_importable) == ["outer.inner.whole", "outer.user"]
    assert "outer.inner.whole" not in sys.modules
