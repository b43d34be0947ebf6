"""The sandbox jobs of claims about subjects: evaluate formulas over a subject, and measure one unit."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.probe_record import ProbeRecord
from esper_audit.probes.formula import Cell, Formula, NoValue, Number, tabulate_formulas
from esper_audit.probes.subject.kinds import Average, Ratio
from esper_audit.probes.subject.loading import load_subjects
from esper_audit.probes.subject.subject import Blueprint, Module, Subject
from esper_audit.text.phrases import did_you_mean, quoted

if TYPE_CHECKING:
    from torch import nn


class ValueTable(msgspec.Struct, frozen=True):
    """The values of formulas, one row for each point.

    `absent` names a missing subject or quantity instead.
    """

    rows: list[list[Cell]] = []
    absent: str = ""


class UnitResult(msgspec.Struct, frozen=True):
    """The record of a unit.

    `absent` is the reason if no subject promises the unit.
    """

    record: ProbeRecord | None = None
    absent: str = ""


def tabulate(
    source: str,
    subject: str,
    formulas: list[str],
    points: list[dict[str, Number]],
    root: str = "",
) -> dict[str, Any]:
    """Evaluate formulas at points, as a job of the sandbox.

    `source` is a subjects file relative to `root`. An empty `subject` evaluates formulas without quantities.
    """
    names = points[0].keys() if points else ()
    formulas_read = [Formula(text, names, QUANTITIES) for text in formulas]
    if not subject:
        return _plain(ValueTable(tabulate_formulas(formulas_read, points)))
    os.chdir(root)
    subjects = {one.name: one for one in load_subjects(source)}
    if subject not in subjects:
        return _plain(ValueTable(absent=f"no subject {subject!r}{did_you_mean(subject, subjects)}"))
    used = {name for formula in formulas_read for name in formula.quantities_used}
    lacking = [name for name in sorted(used) if not _has_quantity(name, subjects[subject])]
    if lacking:
        kind = type(subjects[subject]).__name__
        return _plain(
            ValueTable(absent=f"no {lacking[0]} of {subject!r}, which is a subject of kind {kind}")
        )
    known: dict[tuple[str, tuple[Number, ...]], Number] = {}

    def quantity(name: str, arguments: tuple[Number, ...]) -> Number:
        key = (name, arguments)
        if key not in known:
            known[key] = _quantity(name, subjects[subject], arguments)
        return known[key]

    return _plain(ValueTable(tabulate_formulas(formulas_read, points, quantity)))


def measure_promised_unit(root: str, source: str, unit: str) -> dict[str, Any]:
    """Measure one unit if a subject promises it, as a job of the sandbox."""
    from esper_audit.probes.units import measure_unit, units_of

    os.chdir(root)
    subjects = [subject for subject in load_subjects(source) if f"[{subject.name}@" in unit]
    promised = {candidate.id: candidate for candidate in units_of(subjects)}
    if unit not in promised:
        return _plain(
            UnitResult(absent=f"no subject promises {unit}{did_you_mean(unit, promised)}")
        )
    return _plain(UnitResult(measure_unit(promised[unit])))


def _plain(result: ValueTable | UnitResult) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(result)
    return plain


def _quantity(name: str, subject: Subject, arguments: tuple[Number, ...]) -> Number:
    try:
        return QUANTITIES[name](subject, *arguments)
    except NoValue:
        raise
    # A subject is foreign code and may raise anything: the error is the reason for the missing value.
    except FAILURES as error:
        reason = f"{name} raised {type(error).__name__}: {quoted(str(error))}"
        raise NoValue(reason) from error


def _parameters(subject: Subject, *dims: Number) -> int:
    return sum(p.numel() for p in _build_counted(subject, dims).parameters())


def _trainable(subject: Subject, *dims: Number) -> int:
    return sum(p.numel() for p in _build_counted(subject, dims).parameters() if p.requires_grad)


def _buffers(subject: Subject, *dims: Number) -> int:
    return sum(buffer.numel() for buffer in _build_counted(subject, dims).buffers())


def _estimate(subject: Subject, *dims: Number) -> float:
    assert isinstance(subject, Blueprint)
    assert subject.estimate is not None
    return subject.estimate(*_widths(subject, dims))


def _ratio(subject: Subject, *norms_and_counts: Number) -> float:
    assert isinstance(subject, Ratio)
    if len(norms_and_counts) != 4:
        raise NoValue(
            f"ratio takes four arguments: seed_norm, host_norm, seed_params, host_params "
            f"(got {len(norms_and_counts)})"
        )
    seed_norm, host_norm, seed_params, host_params = norms_and_counts
    ratio = subject.call(
        subject.build(), float(seed_norm), float(host_norm), int(seed_params), int(host_params)
    )
    if ratio is None:
        raise NoValue("ratio is unmeasured")
    return ratio


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
QUANTITY_KINDS: Mapping[str, type[Subject]] = {
    "parameters": Module,
    "trainable": Module,
    "buffers": Module,
    "estimate": Blueprint,
    "ratio": Ratio,
    "average": Average,
}


def _has_quantity(name: str, subject: Subject) -> bool:
    if name == "estimate" and isinstance(subject, Blueprint):
        return subject.estimate is not None
    return isinstance(subject, QUANTITY_KINDS[name])


def _build_counted(subject: Subject, dims: tuple[Number, ...]) -> nn.Module:
    """Return the module of a width, on the meta device if possible.

    Raise NoValue if it cannot be counted.
    """
    from esper_audit.probes.measure.parameters.counting import (
        build_for_count,
        has_uninitialised_parameters,
    )

    (width,) = _widths(subject, dims)
    module = build_for_count(subject.build, width)
    if module is None:
        raise NoValue(f"the module cannot be built on the meta device at width {width}")
    if has_uninitialised_parameters(module):
        raise NoValue("parameters have no shape before the first forward")
    return module


def _widths(subject: Subject, dims: tuple[Number, ...]) -> tuple[int, ...]:
    """Return the given width, or the first one that the subject declares."""
    widths = dims or subject.arguments()
    if len(widths) != 1 or widths[0] != int(widths[0]) or widths[0] < 1:
        got = ", ".join(map(str, widths))
        raise NoValue(f"expected one width, a positive integer (got {got})")
    return (int(widths[0]),)
