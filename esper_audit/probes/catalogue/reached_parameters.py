"""The probe `reached-parameters`: in train mode every trainable parameter gets a gradient."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

import torch
from torch import nn

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.parameters.attribute_use import (
    is_cut,
    is_used_by_base,
    is_used_by_subclass,
    is_used_elsewhere,
    is_written,
    reads,
)
from esper_audit.probes.measure.parameters.parameter_reach import reached_by, reached_elsewhere
from esper_audit.probes.measure.parameters.part_lists import in_last_blocks
from esper_audit.probes.measure.readings import Limits, Reading, must_not_occur
from esper_audit.probes.recipes.materialise import import_name
from esper_audit.probes.recipes.program import program
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.recipes.values import CallSpec
from esper_audit.probes.subject.attribute_setter import outer_caller
from esper_audit.probes.subject.modes import switch_mode
from esper_audit.probes.universal import UniversalProbe

EVERY = "every"  # of a witness: all parameters without a gradient
MOST_NAMED = 6
FROZEN = re.compile(r"teacher|ema|momentum|target|frozen|prior|codebook|mask_?token|queue", re.I)
# How code outside of the forward may come to a part, the likeliest first.
REACHED_ELSEWHERE = (
    (is_used_by_subclass, "is used by a subclass"),
    (is_used_elsewhere, "is used by another method"),
    (is_used_by_base, "is used by the forward of its base"),
    (is_written, "holds values that a method writes"),
)


class ReachedParameters(UniversalProbe):
    """In train mode every trainable parameter gets a gradient.

    What: a forward in train mode and a backward through all of its floating outputs. A parameter that
    requires a gradient and gets none is not reached. All of them are named. Then the module is called with
    other data, other plain arguments, and other values of attributes that code sets after the constructor.

    Why: what is never reached never learns. DistributedDataParallel stops at it with a message that names
    no parameter.

    Quiet: a parameter that only other data, an optional argument, an attribute that is set later, another
    method, a subclass or other code reaches is a property. So is one that is frozen by name, a part of a list
    from which the calls choose various equal parts, and values that a method writes. What no call reaches is
    a finding, such as the last of the layers that a loop leaves out.

    Tickets: real code
    """

    contract = "parameters-reached"
    category = Category.CORRECTNESS
    severity = Severity.P2
    limits: ClassVar[Limits] = {
        "unreached": must_not_occur("trainable parameters get no gradient"),
    }
    possible: ClassVar[frozenset[str]] = frozenset({"unreached"})

    def measure(self, subject: Discovered, state: str) -> Iterator[Reading]:
        """Run forward and backward, and name the parameters without a gradient."""
        module = switch_mode(subject.at(state), training=True)
        reached = reached_by(subject, module, subject.arguments_of_call())
        if reached is None:
            return  # nothing to learn by these outputs
        missed = [n for n, p in module.named_parameters() if p.requires_grad and n not in reached]
        if not missed:
            yield Reading("unreached", 0.0)
            return
        elsewhere = reached_elsewhere(subject, module, reached, missed)
        missed_always = [name for name in missed if name not in elsewhere]
        shown = missed_always or missed
        named = ", ".join(shown[:MOST_NAMED]) + (" ..." if len(shown) > MOST_NAMED else "")
        witness: dict[str, Plain] = {"parameters": named, EVERY: " ".join(shown)}
        if not missed_always:
            witness["reached"] = elsewhere[missed[0]]
        yield Reading("unreached", float(len(shown)), witness)

    def by_design(self, subject: Discovered, detector: str, witness: Mapping[str, Plain]) -> str:
        """Return the reason if an argument, a method or a flag decides whether they are reached."""
        names = str(witness["parameters"]).split(", ")
        if "reached" in witness:
            return f"{names[0]} is reached {witness['reached']}"
        kind: type[nn.Module] = import_name(subject.recipe.target)
        module = subject.build()
        every = set(str(witness[EVERY]).split())
        if every <= in_last_blocks(module, every):
            return f"{names[0]} is a part of the last block of a list, whose output nothing takes"
        if cut := next((name for name in names if _is_cut(module, name)), ""):
            return f"{cut} is read as a number"
        if any(FROZEN.search(name) for name in names):
            return f"{names[0]} is frozen by name"
        given = {
            str(k) for k, v in subject.recipe.build.kwargs.items() if isinstance(v, CallSpec | list)
        }
        if given and any(name.partition(".")[0] in given for name in names):
            return f"{names[0]} belongs to a module that the constructor was given"
        heads = {name.partition(".")[0] for name in names}
        if optional_arguments(kind.forward, subject):
            return f"{names[0]} may be reached by an optional argument that is not given"
        for is_reached, reason in REACHED_ELSEWHERE:
            if found := sorted(head for head in heads if is_reached(kind, head)):
                return f"{found[0]} {reason}"
        head = names[0].partition(".")[0]
        is_plain = reads(kind, head) or head in dir(torch.Tensor)
        caller = "" if is_plain else outer_caller(kind, head)
        return f"{head} is called by code in {caller}" if caller else ""

    def program_of(
        self, subject: Discovered, detector: str, witness: Mapping[str, Plain]
    ) -> tuple[str, str]:
        """Return a program that names the parameters without a gradient."""
        message = "parameters without a gradient"
        body = [
            "def tensors(tree):",
            "    if isinstance(tree, torch.Tensor):",
            "        return [tree] if tree.requires_grad else []",
            "    items = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, (list, tuple)) else ()",
            "    return [t for item in items for t in tensors(item)]",
            "sum(t.sum() for t in tensors(module(CALL))).backward()",
            "missed = [n for n, p in module.named_parameters() if p.requires_grad and p.grad is None]",
            f'assert not missed, f"{message}: {{missed}}"',
        ]
        if isinstance(subject.evaluate(subject.build(), subject.arguments_of_call()), torch.Tensor):
            body[:6] = ["module(CALL).sum().backward()"]
        return program(subject.recipe, body, mode="train"), f"AssertionError: {message}"


def _is_cut(module: nn.Module, name: str) -> bool:
    """Return whether the class that owns a parameter reads it as a number."""
    owner, _, attribute = name.removesuffix(" ...").rpartition(".")
    return is_cut(type(module.get_submodule(owner)), attribute)


def optional_arguments(forward: object, subject: Discovered) -> list[str]:
    """Return the optional tensor arguments of a forward that the call does not give."""
    parameters = list(inspect.signature(forward).parameters.values())[1:]  # type: ignore[arg-type]  # a function
    given = {*map(str, subject.recipe.call.kwargs)}
    later = parameters[len(subject.recipe.call.args) :]
    return [p.name for p in later if p.default is None and p.name not in given]
