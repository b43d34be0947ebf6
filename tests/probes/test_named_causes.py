"""A failure names what a maintainer looks for: the attribute that is lost, the line that changes a setting."""

from __future__ import annotations

import inspect

import pytest
from subjects.complete_state import FirstBatch, NotSaved, PlainList, RandomWires
from subjects.global_state import Seeds, SilencesWarnings, TurnsGradientsOff
from support.recipes import SEQUENCES, discovered
from torch import nn

from esper_audit.findings.probe_record import ProbeRecord
from esper_audit.probes.probe import discover_probes
from esper_audit.probes.subject.subject import BIRTH
from esper_audit.probes.units import Unit, measure_unit

pytestmark = pytest.mark.torch


def record_of(probe: str, kind: type[nn.Module]) -> ProbeRecord:
    return measure_unit(Unit(discovered(kind, SEQUENCES), BIRTH, discover_probes()[probe](), ()))


@pytest.mark.parametrize(
    ("kind", "attribute"),
    [
        (RandomWires, "wires"),
        (NotSaved, "projection"),
        (PlainList, "layers"),
        (FirstBatch, "shift"),
    ],
)
def test_the_attribute_is_named_that_no_state_dict_holds(
    kind: type[nn.Module], attribute: str
) -> None:
    assert record_of("complete-state", kind).witness["attribute"] == attribute


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (Seeds, "torch.manual_seed(0)"),
        (TurnsGradientsOff, "torch.set_grad_enabled(False)"),
        (SilencesWarnings, 'warnings.simplefilter("ignore", category=DeprecationWarning)'),
    ],
)
def test_the_line_is_named_that_changes_a_setting(kind: type[nn.Module], code: str) -> None:
    path, _, number = str(record_of("global-state", kind).witness["line"]).rpartition(":")
    file = inspect.getsourcefile(kind)
    assert file is not None
    assert file.endswith(path)
    with open(file, encoding="utf-8") as source:
        assert source.readlines()[int(number) - 1].strip() == code
