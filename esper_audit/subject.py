"""The public names for subjects files, tests of promises, and reproducers."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` would cost every command its time
if TYPE_CHECKING:
    from esper_audit.findings.probe_record import Verdict as Verdict
    from esper_audit.probes.measure.dependence.output_dependency import (
        SequenceFunction as SequenceFunction,
    )
    from esper_audit.probes.measure.dependence.output_dependency import (
        altered_difference as altered_difference,
    )
    from esper_audit.probes.measure.dependence.output_dependency import (
        later_gradients as later_gradients,
    )
    from esper_audit.probes.measure.dependence.output_dependency import (
        prefix_difference as prefix_difference,
    )
    from esper_audit.probes.measure.parameters.redrawing import redraw as redraw
    from esper_audit.probes.subject.inputs import ids as ids
    from esper_audit.probes.subject.inputs import pictures as pictures
    from esper_audit.probes.subject.inputs import sequences as sequences
    from esper_audit.probes.subject.kinds import Average as Average
    from esper_audit.probes.subject.kinds import Conformance as Conformance
    from esper_audit.probes.subject.kinds import Decision as Decision
    from esper_audit.probes.subject.kinds import Gate as Gate
    from esper_audit.probes.subject.kinds import Grown as Grown
    from esper_audit.probes.subject.kinds import Host as Host
    from esper_audit.probes.subject.kinds import ObservedGate as ObservedGate
    from esper_audit.probes.subject.kinds import Ratio as Ratio
    from esper_audit.probes.subject.kinds import Schedule as Schedule
    from esper_audit.probes.subject.loading import subject_of as subject_of
    from esper_audit.probes.subject.subject import Blend as Blend
    from esper_audit.probes.subject.subject import Blueprint as Blueprint
    from esper_audit.probes.subject.subject import Catalogue as Catalogue
    from esper_audit.probes.subject.subject import Checkpointed as Checkpointed
    from esper_audit.probes.subject.subject import Draw as Draw
    from esper_audit.probes.subject.subject import Module as Module
    from esper_audit.probes.subject.subject import PlainValue as PlainValue
    from esper_audit.probes.subject.subject import Promise as Promise
    from esper_audit.probes.subject.subject import State as State
    from esper_audit.probes.subject.subject import Subject as Subject
    from esper_audit.probes.subject.subject import SubjectError as SubjectError
    from esper_audit.probes.subject.subject import applied as applied
    from esper_audit.probes.subject.subject import as_born as as_born
    from esper_audit.probes.subject.subject import promise as promise
    from esper_audit.probes.units import probe_unit as probe_unit
    from esper_audit.pytest_plugin.plugin import promises as promises
    from esper_audit.pytest_plugin.promises import PromisedUnit as PromisedUnit

HOMES = {
    "Verdict": "esper_audit.findings.probe_record",
    "SequenceFunction": "esper_audit.probes.measure.dependence.output_dependency",
    "altered_difference": "esper_audit.probes.measure.dependence.output_dependency",
    "later_gradients": "esper_audit.probes.measure.dependence.output_dependency",
    "prefix_difference": "esper_audit.probes.measure.dependence.output_dependency",
    "redraw": "esper_audit.probes.measure.parameters.redrawing",
    "ids": "esper_audit.probes.subject.inputs",
    "pictures": "esper_audit.probes.subject.inputs",
    "sequences": "esper_audit.probes.subject.inputs",
    "Average": "esper_audit.probes.subject.kinds",
    "Conformance": "esper_audit.probes.subject.kinds",
    "Decision": "esper_audit.probes.subject.kinds",
    "Gate": "esper_audit.probes.subject.kinds",
    "Grown": "esper_audit.probes.subject.kinds",
    "Host": "esper_audit.probes.subject.kinds",
    "ObservedGate": "esper_audit.probes.subject.kinds",
    "Ratio": "esper_audit.probes.subject.kinds",
    "Schedule": "esper_audit.probes.subject.kinds",
    "subject_of": "esper_audit.probes.subject.loading",
    "Blend": "esper_audit.probes.subject.subject",
    "Blueprint": "esper_audit.probes.subject.subject",
    "Catalogue": "esper_audit.probes.subject.subject",
    "Checkpointed": "esper_audit.probes.subject.subject",
    "Draw": "esper_audit.probes.subject.subject",
    "Module": "esper_audit.probes.subject.subject",
    "PlainValue": "esper_audit.probes.subject.subject",
    "Promise": "esper_audit.probes.subject.subject",
    "State": "esper_audit.probes.subject.subject",
    "Subject": "esper_audit.probes.subject.subject",
    "SubjectError": "esper_audit.probes.subject.subject",
    "applied": "esper_audit.probes.subject.subject",
    "as_born": "esper_audit.probes.subject.subject",
    "promise": "esper_audit.probes.subject.subject",
    "probe_unit": "esper_audit.probes.units",
    "promises": "esper_audit.pytest_plugin.plugin",
    "PromisedUnit": "esper_audit.pytest_plugin.promises",
}


def __getattr__(name: str) -> object:
    """Import a public name from the room that defines it.

    Raise AttributeError for any other name.
    """
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = vars(import_module(HOMES[name]))[name]
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(HOMES)
