"""What is done for claims about subjects, in the sandbox: counting, evaluating, probing one unit."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.probe_record import ProbeRecord
from esper_audit.probes.formula import Cell, Formula, NoValue, Number, tabulated
from esper_audit.probes.subject.kinds import Average, Ratio
from esper_audit.probes.subject.loading import load_subjects
from esper_audit.probes.subject.subject import Blueprint, Module, Subject
from esper_audit.text.phrases import did_you_mean, quoted

if TYPE_CHECKING:
    from torch import nn


class ValueTable(msgspec.Struct, frozen=True):
    """The values of formulas, a row a point; or, where the subject is gone, what is absent."""

    rows: list[list[Cell]] = []
    absent: str = ""


class UnitResult(msgspec.Struct, frozen=True):
    """What became of a unit; or, where nothing promises it, what is absent."""

    record: ProbeRecord | None = None
    absent: str = ""


def tabulate(
    source: str,
    subject: str,
    formulas: list[str],
    points: list[dict[str, Number]],
    root: str = "",
) -> dict[str, Any]:
    """Evaluate formulas that ask a subject, or none, at points; a job for the sandbox.

    `source` is relative to `root`, where the subjects' files look for theirs.
    """
    names = points[0].keys() if points else ()
    read = [Formula(text, names, QUANTITIES) for text in formulas]
    if not subject:
        return _plain(ValueTable(tabulated(read, points)))
    os.chdir(root)
    subjects = {one.name: one for one in load_subjects(source)}
    if subject not in subjects:
        return _plain(ValueTable(absent=f"no subject {subject!r}{did_you_mean(subject, subjects)}"))
    asked = {name for formula in read for name in formula.quantities_used}
    lacking = [name for name in sorted(asked) if not _can_tell(name, subjects[subject])]
    if lacking:
        kind = type(subjects[subject]).__name__
        return _plain(
            ValueTable(absent=f"no {lacking[0]} of {subject!r}, which is a subject of kind {kind}")
        )
    known: dict[tuple[str, tuple[Number, ...]], Number] = {}

    def quantity(name: str, arguments: tuple[Number, ...]) -> Number:
        key = (name, arguments)
        if key not in known:
            known[key] = _asked(name, subjects[subject], arguments)
        return known[key]

    return _plain(ValueTable(tabulated(read, points, quantity)))


def probe(root: str, source: str, unit: str) -> dict[str, Any]:
    """Run one unit of the probes, if it is promised; a job for the sandbox."""
    from esper_audit.probes.probe import measured, units

    os.chdir(root)
    subjects = [subject for subject in load_subjects(source) if f"[{subject.name}@" in unit]
    promised = {candidate.id: candidate for candidate in units(subjects)}
    if unit not in promised:
        return _plain(UnitResult(absent=f"nothing promises {unit}{did_you_mean(unit, promised)}"))
    return _plain(UnitResult(measured(promised[unit])))


def _plain(result: ValueTable | UnitResult) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(result)
    return plain


def _asked(name: str, subject: Subject, arguments: tuple[Number, ...]) -> Number:
    try:
        return QUANTITIES[name](subject, *arguments)
    except NoValue:
        raise
    # What a subject may raise is not ours to enumerate; that it did is why there is no value here.
    except FAILURES as error:
        said = f"{name} raised {type(error).__name__}: {quoted(str(error))}"
        raise NoValue(said) from error


def _parameters(subject: Subject, *dims: Number) -> int:
    return sum(p.numel() for p in _counted(subject, dims).parameters())


def _trainable(subject: Subject, *dims: Number) -> int:
    return sum(p.numel() for p in _counted(subject, dims).parameters() if p.requires_grad)


def _buffers(subject: Subject, *dims: Number) -> int:
    return sum(buffer.numel() for buffer in _counted(subject, dims).buffers())


def _estimate(subject: Subject, *dims: Number) -> float:
    assert isinstance(subject, Blueprint)
    assert subject.estimate is not None
    return subject.estimate(*_widths(subject, dims))


def _ratio(subject: Subject, *norms_and_counts: Number) -> float:
    assert isinstance(subject, Ratio)
    if len(norms_and_counts) != 4:
        raise NoValue("ratio takes seed_norm, host_norm, seed_params, host_params")
    seed_norm, host_norm, seed_params, host_params = norms_and_counts
    told = subject.call(
        subject.build(), float(seed_norm), float(host_norm), int(seed_params), int(host_params)
    )
    if told is None:
        raise NoValue("ratio is unmeasured")
    return told


def _average(subject: Subject, *samples: Number) -> float:
    assert isinstance(subject, Average)
    built = subject.build()
    for sample in samples:
        subject.update(built, float(sample))
    return subject.value(built)


QUANTITIES: dict[str, Callable[..., Number]] = {
    "parameters": _parameters,
    "trainable": _trainable,
    "buffers": _buffers,
    "estimate": _estimate,
    "ratio": _ratio,
    "average": _average,
}
TELLS: Mapping[str, type[Subject]] = {
    "parameters": Module,
    "trainable": Module,
    "buffers": Module,
    "estimate": Blueprint,
    "ratio": Ratio,
    "average": Average,
}


def _can_tell(name: str, subject: Subject) -> bool:
    if name == "estimate" and isinstance(subject, Blueprint):
        return subject.estimate is not None
    return isinstance(subject, TELLS[name])


def _counted(subject: Subject, dims: tuple[Number, ...]) -> nn.Module:
    """Build what is to be counted; raises NoValue for parameters that have no shape yet."""
    from esper_audit.probes.measure.parameters import built_to_count, has_no_shape

    (width,) = _widths(subject, dims)
    module = built_to_count(subject.build, width)
    if module is None:
        raise NoValue(f"cannot be built at width {width} without values")
    if has_no_shape(module):
        raise NoValue("parameters have no shape before the first forward")
    return module


def _widths(subject: Subject, dims: tuple[Number, ...]) -> tuple[int, ...]:
    """Return the width that was asked for, or the first that the subject declares."""
    widths = dims or subject.arguments()
    if len(widths) != 1 or widths[0] != int(widths[0]) or widths[0] < 1:
        raise NoValue(f"one width is wanted, a positive integer; got {', '.join(map(str, widths))}")
    return (int(widths[0]),)
