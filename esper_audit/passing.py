"""Whether a call passes a parameter: positional arguments are counted against the real signature."""

from __future__ import annotations

from collections.abc import Sequence

from esper_audit.facts import Arguments, Parameter, ParameterKind
from esper_audit.reference import Passing

BY_POSITION = (ParameterKind.POSITIONAL_ONLY, ParameterKind.PLAIN)


def passing(
    parameters: Sequence[Parameter] | None, arguments: Arguments, name: str
) -> tuple[Passing, str]:
    """Return whether a call passes the parameter `name`, and the literal that it passes.

    `parameters` are those that the call fills, without `self`; None where the signature is not known.
    """
    if name in arguments.keywords:
        return Passing.PASSES, arguments.literals.get(name, "")
    forwards = arguments.star or arguments.double_star or arguments.partial
    if parameters is None:
        unknown = forwards or arguments.positional
        return (Passing.MAY_FORWARD if unknown else Passing.OMITS), ""
    by_position = [p.name for p in parameters if p.kind in BY_POSITION]
    extra = next((p for p in parameters if p.name == name), None)
    if extra is not None and extra.kind in (ParameterKind.ARGS, ParameterKind.KWARGS):
        return _extra(extra.kind, by_position, parameters, arguments), ""
    position = by_position.index(name) if name in by_position else None
    if position is not None and position < arguments.positional:
        return Passing.PASSES, arguments.literals.get(str(position), "")
    may = (arguments.star and position is not None) or arguments.double_star or arguments.partial
    is_positional_only = extra is not None and extra.kind is ParameterKind.POSITIONAL_ONLY
    if is_positional_only:
        may = arguments.star or arguments.partial
    return (Passing.MAY_FORWARD if may else Passing.OMITS), ""


def _extra(
    kind: ParameterKind,
    by_position: Sequence[str],
    parameters: Sequence[Parameter],
    arguments: Arguments,
) -> Passing:
    """Return whether a call gives anything to `*args` or `**kwargs`."""
    if kind is ParameterKind.ARGS:
        given = arguments.positional > len(by_position)
        forwards = arguments.star
    else:
        given = bool(set(arguments.keywords) - {p.name for p in parameters})
        forwards = arguments.double_star
    if given:
        return Passing.PASSES
    return Passing.MAY_FORWARD if forwards else Passing.OMITS
