"""The probe `own-attributes`: a forward reads only attributes and names that exist."""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from torch import nn

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.discovery.failure import TrialFailure, failure_of
from esper_audit.probes.measure.readings import Limits, Reading, must_not_occur
from esper_audit.probes.recipes.materialise import import_name
from esper_audit.probes.recipes.program import program
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.recipes.turned_options import turned_options
from esper_audit.probes.subject.attribute_setter import companion_of, later_setter
from esper_audit.probes.subject.modes import switch_mode
from esper_audit.probes.universal import UniversalProbe

NO_ATTRIBUTE = re.compile(r"'(\w+)' object has no attribute '(\w+)'")
NO_NAME = re.compile(r"^(?:global )?name '(\w+)' is not defined")
IMPORTS = ("import ", "from ")


class OwnAttributes(UniversalProbe):
    """A forward reads only attributes of the module, and names of its file, that exist.

    What: a call, in eval and in train mode, must not end with an AttributeError for an attribute of the
    module itself or a NameError. Nor must one after each yes-or-no option of the constructor was turned, or
    after as many outputs as inputs were asked for.

    Why: a misspelt attribute raises at the first forward of a configuration that no test covers.

    Quiet: a base class, whose subclasses set the attribute; an attribute that another method sets, or code
    outside of the class; one that the constructor sets only if another argument is given, too; a name that
    the file imports where the package is there.

    Tickets: real code
    """

    contract = "own-attributes"
    category = Category.CORRECTNESS
    severity = Severity.P1
    limits: ClassVar[Limits] = {
        "attribute": must_not_occur("the forward reads an attribute that is set nowhere"),
        "name": must_not_occur("the forward reads a name that is not defined"),
        "option": must_not_occur(
            "with an option of the constructor the module reads what is set nowhere"
        ),
    }

    def measure(self, subject: Discovered, state: str) -> Iterator[Reading]:
        """Call in both modes and, under each option, in eval mode, and look at what it raises."""
        for mode in ("eval", "train"):
            failure = _failure_of_call(subject, state, mode)
            if failure is not None:
                where: dict[str, Plain] = {"mode": mode, "error": failure.sentence()}
                detector = "name" if NO_NAME.match(failure.message) else "attribute"
                yield Reading(detector, float(_is_own_failure(failure, subject)), where)
                return
        yield Reading("attribute", 0.0)
        for option, other in turned_options(subject).items():
            failure = _failure_of_call(other, state, "eval")
            if failure is not None and _is_own_failure(failure, subject):
                where = {"mode": "eval", "option": option, "error": failure.sentence()}
                yield Reading("option", 1.0, where)
                return

    def by_design(self, subject: Discovered, detector: str, witness: Mapping[str, Plain]) -> str:
        """Return the reason if subclasses, or code that runs later than the constructor, set the attribute."""
        kind = import_name(subject.recipe.target)
        if detector == "name":
            return ""
        if kind.__subclasses__():
            return "is a base class"
        found = NO_ATTRIBUTE.search(str(witness["error"]))
        option = str(witness.get("option", "")).partition("=")[0]
        if found and option and (other := companion_of(kind, found[2], option)):
            return f"wants {other} beside {option}"
        setter = later_setter(kind, found[2]) if found else ""
        return f"is called after {setter} set `{found[2]}`" if found and setter else ""

    def program_of(
        self, subject: Discovered, detector: str, witness: Mapping[str, Plain]
    ) -> tuple[str, str]:
        """Return a program that calls the module."""
        option = witness.get("option")
        recipe = turned_options(subject)[str(option)].recipe if option else subject.recipe
        text = program(recipe, ["module(CALL)"], mode=str(witness["mode"]))
        return text, str(witness["error"])[:60]


def _failure_of_call(subject: Discovered, state: str, mode: str) -> TrialFailure | None:
    """Return what building and calling a module in a mode raises, None if it does not."""
    try:
        module: nn.Module = switch_mode(subject.at(state), training=mode == "train")
        subject.run(module, subject.arguments_of_call())
    # Only two kinds of errors are the module's own.
    except FAILURES as error:
        return failure_of(error, "forward")
    return None


def _is_own_failure(failure: TrialFailure, subject: Discovered) -> bool:
    """Return whether an error is about an attribute that a class lacks, or a name that its file lacks."""
    kind = import_name(subject.recipe.target)
    name = failure.type == "NameError" and NO_NAME.match(failure.message)
    if not name:
        return failure.type == "AttributeError" and is_own(failure.message, kind)
    file, _, _ = failure.place.rpartition(":")
    imports = (line for line in linecache.getlines(file) if line.lstrip().startswith(IMPORTS))
    return not any(re.search(rf"\b{name[1]}\b", line) for line in imports)


def is_own(message: str, kind: type[nn.Module]) -> bool:
    """Return whether an error is about an attribute that a class lacks.

    A property that the class has may raise for an attribute of something else, and torch renames the error.
    """
    found = NO_ATTRIBUTE.match(message)
    if found is None or found[1] not in {base.__name__ for base in kind.__mro__}:
        return False
    return not any(found[2] in vars(base) for base in kind.__mro__)
