"""The probe `counted-parameters`: a method that claims a number of parameters returns it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from torch import nn

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.readings import Limits, Reading, must_not_occur
from esper_audit.probes.recipes.program import program
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.universal import UniversalProbe

CLAIMS = re.compile(
    r"(get_|count_|compute_)?(num|number_of|n|total|trainable)?_?(trainable_)?(params|parameters)(_count)?"
)
COUNTING = re.compile(r"num|count|total|^n_|number")


class CountedParameters(UniversalProbe):
    """A method or property that claims a number of parameters returns it.

    What: the number is compared with that of all parameters, of the trainable ones, and of either without
    embeddings.

    Why: a table of models, a budget or a learning-rate rule reads a wrong size.

    Quiet: a method with arguments, and numbers in thousands or millions.

    Tickets: real code
    """

    contract = "parameter-count"
    category = Category.CORRECTNESS
    severity = Severity.P3
    limits: ClassVar[Limits] = {
        "count": must_not_occur("the claimed number of parameters is wrong")
    }

    def measure(self, subject: Discovered, state: str) -> Iterator[Reading]:
        """Compare each claim with the counts."""
        module: nn.Module = subject.at(state)
        for name, claimed in _claims(module):
            true = possible_counts(module)
            is_wrong = not any(abs(claimed - count) < 1 for count in true)
            where: dict[str, Plain] = {"claim": name, "got": claimed, "expected": max(true)}
            yield Reading("count", float(is_wrong), where if is_wrong else {})

    def program_of(
        self, subject: Discovered, detector: str, witness: Mapping[str, Plain]
    ) -> tuple[str, str]:
        """Return a program that counts."""
        name = str(witness["claim"])
        message = f"{name} is wrong"
        body = [
            "count = sum(p.numel() for p in module.parameters())",
            f'assert module.{name} == count, f"{message}: {{module.{name}}}, not {{count}}"',
        ]
        return program(subject.recipe, body), f"AssertionError: {message}"


def possible_counts(module: nn.Module) -> set[int]:
    """Return the numbers that a claim may mean."""
    every = list(module.parameters())
    tables = [m.weight for m in module.modules() if isinstance(m, nn.Embedding)]
    lists = [every, [p for p in every if p.requires_grad]]
    lists += [[p for p in one if not any(p is t for t in tables)] for one in lists]
    return {sum(p.numel() for p in one) for one in lists}


def _claims(module: nn.Module) -> Iterator[tuple[str, float]]:
    """Yield the methods and properties without arguments that claim a number, and what they return."""
    for name in dir(type(module)):
        if not CLAIMS.fullmatch(name) or not COUNTING.search(name):
            continue
        member = inspect.getattr_static(type(module), name)
        try:
            value = module.__getattribute__(name)
            is_method = inspect.isfunction(member)
            value = value() if is_method else value
        # A method that needs arguments, or raises, claims nothing.
        except FAILURES:
            continue
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 1:
            yield f"{name}()" if is_method else name, value
