"""The probe `protocol-conformance`: an object has all members of its protocol, with their signatures."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, ClassVar

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.readings import Limits, Reading, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.kinds import Conformance

# The dictionaries in which an `nn.Module` stores assigned attributes, besides `__dict__`.
REGISTERS = ("_parameters", "_buffers", "_modules")
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
NOTHING = object()


class ProtocolConformance(Probe[Conformance]):
    """An object has all members of its protocol, with their signatures.

    What: the probe looks up every member of the protocol without running code. Each must exist. A method
    of the protocol must be a method, and must accept every call that the protocol allows.

    Why: `isinstance` with a protocol compares names only, runs properties, and accepts an object whose
    `__getattr__` returns anything. A wrong signature then raises in the middle of a run.

    Quiet: additional parameters with defaults are allowed. Types of parameters are left to the type checker.

    Tickets: deep dive 4
    """

    contract = "no-hasattr"
    category = Category.API_CONTRACT
    severity = Severity.P2
    takes = Conformance
    limits: ClassVar[Limits] = {
        "missing": must_be_zero("a member of the protocol is missing"),
        "no-method": must_be_zero("a method of the protocol is not a method of the object"),
        "signature": must_be_zero("a method does not accept every call that the protocol allows"),
    }

    def measure(self, subject: Conformance, state: str) -> Iterator[Reading]:
        """Look up every member statically."""
        built = subject.at(state)
        for name, expected in _members(subject.protocol).items():
            found = _found(built, name)
            witness: dict[str, Plain] = {"member": name, "type": type(built).__name__}
            yield Reading("missing", float(found is NOTHING), witness)
            if found is NOTHING or expected is None:
                continue
            plain = found.__func__ if isinstance(found, classmethod | staticmethod) else found
            is_method = inspect.isfunction(plain)
            yield Reading("no-method", float(not is_method), witness)
            if is_method:
                refusal = _refusal(expected, inspect.signature(plain))
                yield Reading("signature", float(bool(refusal)), {**witness, "because": refusal})


def _members(protocol: type) -> dict[str, inspect.Signature | None]:
    """Return the public members: methods with their signatures, attributes with None."""
    members: dict[str, inspect.Signature | None] = {}
    for base in reversed(protocol.__mro__[:-1]):
        for name in vars(base).get("__annotations__", {}):
            members[name] = None
        for name, value in vars(base).items():
            if inspect.isfunction(value):
                members[name] = inspect.signature(value)
            elif isinstance(value, property):
                members[name] = None
    return {name: kind for name, kind in members.items() if not name.startswith("_")}


def _found(built: Any, name: str) -> Any:
    """Return a member without running a property or `__getattr__`, NOTHING if there is none."""
    found = inspect.getattr_static(built, name, NOTHING)
    if found is not NOTHING:
        return found
    own = vars(built) if "__dict__" in dir(type(built)) else {}
    for register in REGISTERS:
        if name in own.get(register, {}):
            return own[register][name]
    return NOTHING


def _refusal(expected: inspect.Signature, offered: inspect.Signature) -> str:
    """Return why `offered` does not accept every call that `expected` allows, empty if it does."""
    theirs = dict(offered.parameters)
    kinds = {parameter.kind for parameter in theirs.values()}
    takes_any = inspect.Parameter.VAR_KEYWORD in kinds, inspect.Parameter.VAR_POSITIONAL in kinds
    for position, (name, parameter) in enumerate(expected.parameters.items()):
        if position == 0:
            continue  # self
        other = theirs.get(name)
        if other is None:
            by_keyword = parameter.kind is inspect.Parameter.KEYWORD_ONLY
            if not (takes_any[0] and (by_keyword or takes_any[1])):
                return f"it has no parameter {name}"
            continue
        if parameter.kind in POSITIONAL and other.kind is inspect.Parameter.KEYWORD_ONLY:
            return f"{name} is keyword-only"
        optional = parameter.default is not inspect.Parameter.empty
        if optional and other.default is inspect.Parameter.empty:
            return f"{name} has no default"
    return _additional_requirement(expected, offered)


def _additional_requirement(expected: inspect.Signature, offered: inspect.Signature) -> str:
    for name, parameter in list(offered.parameters.items())[1:]:
        variable = parameter.kind in (
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.VAR_KEYWORD,
        )
        required = parameter.default is inspect.Parameter.empty and not variable
        if required and name not in expected.parameters:
            return f"it requires {name}"
    return ""
