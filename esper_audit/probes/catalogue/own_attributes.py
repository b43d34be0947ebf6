"""The probe `own-attributes`: a forward reads only attributes and names that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from torch import nn

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.discovery.failure import failure_of
from esper_audit.probes.measure.readings import Limits, Reading, must_not_occur
from esper_audit.probes.recipes.materialise import import_name
from esper_audit.probes.recipes.program import program
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.subject.modes import switch_mode
from esper_audit.probes.universal import UniversalProbe

NO_ATTRIBUTE = re.compile(r"^'(\w+)' object has no attribute '(\w+)'")
NO_NAME = re.compile(r"^(?:global )?name '(\w+)' is not defined")


class OwnAttributes(UniversalProbe):
    """A forward reads only attributes of the module, and names of its file, that exist.

    What: a call, in eval and in train mode, must not end with an AttributeError for an attribute of the
    module itself or a NameError.

    Why: a misspelt attribute raises at the first forward of a configuration that no test covers.

    Quiet: a base class, whose subclasses set the attribute.

    Tickets: real code
    """

    contract = "own-attributes"
    category = Category.CORRECTNESS
    severity = Severity.P1
    limits: ClassVar[Limits] = {
        "attribute": must_not_occur("the forward reads an attribute that is set nowhere"),
        "name": must_not_occur("the forward reads a name that is not defined"),
    }

    def measure(self, subject: Discovered, state: str) -> Iterator[Reading]:
        """Call in both modes, and look at what it raises."""
        kind = import_name(subject.recipe.target)
        for mode in ("eval", "train"):
            module: nn.Module = switch_mode(subject.at(state), training=mode == "train")
            try:
                subject.run(module, subject.arguments_of_call())
            # Only two kinds of errors are the module's own.
            except FAILURES as error:
                failure = failure_of(error, "forward")
                where: dict[str, Plain] = {"mode": mode, "error": failure.sentence()}
                is_name = failure.type == "NameError" and NO_NAME.match(failure.message)
                detector = "name" if is_name else "attribute"
                yield Reading(
                    detector, float(bool(is_name) or is_own(failure.message, kind)), where
                )
                return
        yield Reading("attribute", 0.0)

    def by_design(self, subject: Discovered, detector: str, witness: Mapping[str, Plain]) -> str:
        """Return the reason if subclasses are to set the attribute."""
        kind = import_name(subject.recipe.target)
        return "is a base class" if detector == "attribute" and kind.__subclasses__() else ""

    def program_of(
        self, subject: Discovered, detector: str, witness: Mapping[str, Plain]
    ) -> tuple[str, str]:
        """Return a program that calls the module."""
        text = program(subject.recipe, ["module(CALL)"], mode=str(witness["mode"]))
        return text, str(witness["error"])[:60]


def is_own(message: str, kind: type[nn.Module]) -> bool:
    """Return whether an error is about an attribute that a class lacks.

    A property that the class has may raise for an attribute of something else, and torch renames the error.
    """
    found = NO_ATTRIBUTE.match(message)
    if found is None or found[1] not in {base.__name__ for base in kind.__mro__}:
        return False
    return not any(found[2] in vars(base) for base in kind.__mro__)
