"""The probe `param-estimate`: the declared size of a blueprint is correct at every width."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import permutations
from typing import ClassVar

from msgspec.structs import replace
from torch import nn
from torch.nn.parameter import is_lazy

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.parameters.counting import build_for_count
from esper_audit.probes.measure.parameters.size_polynomial import size_formula
from esper_audit.probes.measure.readings import Limit, Limits, Reading, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.subject import Blueprint, Catalogue, Estimate, SubjectError
from esper_audit.rules.rule import Options

Recipe = tuple[Callable[[int], nn.Module], Estimate]


class ParamEstimateParameters(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`relative` is the allowed error of an estimate, relative to the count.

    `dims` are the widths, those that the subject declares if there are none.
    """

    dims: tuple[int, ...] = ()
    relative: float = 0.0


class ParamEstimate(Probe[Blueprint | Catalogue]):
    """The declared size of a blueprint is correct at every width.

    What: the probe compares the declared estimate with the parameter count at the widths that the subject
    or its promise declares, on the meta device. The witness has the count as a polynomial of the width. In
    a catalogue the order by estimate must be the order by count. Parameters that a count misses are reported.

    Why: a constant that was measured at one width orders blueprints wrongly at other widths. A policy that
    is charged by the number of parameters learns from a wrong price.

    Quiet: tied parameters count once. A module that cannot be built on the meta device is built on the CPU,
    up to width 512. Promise `relative` for an approximate estimate.

    Tickets: B3-DRL-02, B3-DRL-01, B3-DRL-03
    """

    contract = "param-estimate"
    category = Category.API_CONTRACT
    severity = Severity.P2
    takes = (Blueprint, Catalogue)
    requires = ("build",)
    columns = ("blueprint", "dim", "declared", "actual", "ratio", "formula")
    Parameters = ParamEstimateParameters
    parameters: ParamEstimateParameters
    limits: ClassVar[Limits] = {
        "uninitialised": must_be_zero("parameters have no shape before the first forward"),
        "elsewhere": must_be_zero(
            "parameters lie on different devices, so some belong to another module"
        ),
        "unregistered": must_be_zero("modules in a plain list or dict are not counted"),
        "estimate": Limit("at most", 0.0, "the estimate differs from the count"),
        "order": must_be_zero("the order by estimate differs from the order by count"),
    }

    def allowed(self) -> Limits:
        """Return the limits, with the promised tolerance."""
        estimate = replace(self.limits["estimate"], threshold=self.parameters.relative)
        return {**self.limits, "estimate": estimate}

    def measure(self, subject: Blueprint | Catalogue, state: str) -> Iterator[Reading]:
        """Count every blueprint at every width."""
        sizes: dict[str, dict[int, tuple[float, int]]] = {}
        for name, (build, estimate) in _recipes(subject).items():
            counts: dict[int, int] = {}
            for dim in self.parameters.dims or subject.dims:
                module = build_for_count(build, dim)
                if module is None:
                    continue
                yield from _uncountable(module, name)
                counts[dim] = sum(0 if is_lazy(p) else p.numel() for p in module.parameters())
            formula = size_formula(counts) if counts else ""
            sizes[name] = {dim: (float(estimate(dim)), count) for dim, count in counts.items()}
            for dim, (declared, actual) in sizes[name].items():
                wrong = abs(declared - actual) / max(actual, 1)
                ratio = declared / actual if actual else float(declared == actual)
                cells: tuple[Plain, ...] = (name, dim, declared, actual, ratio, formula)
                yield Reading("estimate", wrong, dict(zip(self.columns, cells, strict=True)))
        yield from _order(sizes)


def _recipes(subject: Blueprint | Catalogue) -> Mapping[str, Recipe]:
    if isinstance(subject, Catalogue):
        return subject.build()
    if subject.estimate is None:
        raise SubjectError(
            f"subject {subject.name!r} promises param-estimate without an estimate. Declare `estimate`."
        )
    return {subject.name: (subject.build, subject.estimate)}


def _uncountable(module: nn.Module, name: str) -> Iterator[Reading]:
    parameters = [p for p in module.parameters() if not is_lazy(p)]
    lazy = sum(1 for _ in module.parameters()) - len(parameters)
    hidden = [
        f"{path}.{attribute}".removeprefix(".")
        for path, part in module.named_modules()
        for attribute, value in vars(part).items()
        if not attribute.startswith("_") and _has_modules(value)
    ]
    yield Reading("uninitialised", float(lazy), {"blueprint": name})
    mixed = len({p.device.type for p in parameters}) > 1
    yield Reading("elsewhere", float(mixed), {"blueprint": name})
    where = hidden[0] if hidden else "none"
    yield Reading("unregistered", float(len(hidden)), {"blueprint": name, "attribute": where})


def _has_modules(value: object) -> bool:
    held = value.values() if isinstance(value, dict) else value
    is_plain = isinstance(value, list | tuple | dict)
    return is_plain and any(isinstance(part, nn.Module) for part in held)  # type: ignore[attr-defined]  # one of the three


def _order(sizes: Mapping[str, Mapping[int, tuple[float, int]]]) -> Iterator[Reading]:
    """Yield a reading for each pair and width: 1 if the smaller count has the larger estimate."""
    for first, second in permutations(sizes, 2):
        for dim in sizes[first].keys() & sizes[second].keys():
            (estimate, count), (other_estimate, other_count) = sizes[first][dim], sizes[second][dim]
            witness: dict[str, Plain] = {"dim": dim, "cheaper": first, "dearer": second}
            yield Reading(
                "order", float(count < other_count and estimate > other_estimate), witness
            )
