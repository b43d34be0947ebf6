"""The probe `inputs-unmodified`: a call leaves its arguments as they were."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.output_tree import cloned, is_same, named_tensors
from esper_audit.probes.measure.readings import Limits, Reading, must_not_occur
from esper_audit.probes.recipes.argument_names import positional_names
from esper_audit.probes.recipes.materialise import CallArguments, import_name
from esper_audit.probes.recipes.program import program
from esper_audit.probes.recipes.source_text import recipe_text
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.recipes.values import map_arguments
from esper_audit.probes.subject.modes import switch_mode
from esper_audit.probes.universal import UniversalProbe

MIXED = "mixed"  # of a witness: masks hold both values
ARGUMENT = re.compile(r"\[0\]\[(?P<number>\d+)\]|\[1\]\['(?P<keyword>\w+)'\]")
IN_PLACE = re.compile(
    r"(modif|chang|overwrit|work|operat|writ)\w*\b.{0,30}\bin[- ]?place", re.IGNORECASE
)
IDENTITY = "torch.nn:Identity"
IN_PLACE_NAME = re.compile(r"_$|(^|_)(in_?place|fill|draw|overwrite)(_|$)")


class InputsUnmodified(UniversalProbe):
    """A call leaves the tensors that it is given as they were.

    What: the probe clones every tensor of the arguments, calls the module in eval and in train mode, and
    compares the arguments with the clones in every bit. A mask is then drawn at random, too.

    Why: the caller still owns its features, initial conditions and masks. A residual connection, a second
    call or a metric then reads other values than it computed, without an error.

    Quiet: a module with `inplace=True`, and one whose name ends in an underscore or says it (`fill_holes`,
    `draw_line`), overwrites on request. So does a module that is nothing but an activation of torch with
    `inplace=True`. One that was given an identity for a layer overwrites what a layer would have made.

    Tickets: real code
    """

    contract = "inputs-unmodified"
    category = Category.CORRECTNESS
    severity = Severity.P1
    limits: ClassVar[Limits] = {
        "overwritten": must_not_occur("a call overwrites its argument"),
    }

    def measure(self, subject: Discovered, state: str) -> Iterator[Reading]:
        """Call in both modes and compare the arguments with clones, also with masks of either value."""
        for mode in ("eval", "train"):
            path = _overwritten(subject, state, mode)
            yield Reading("overwritten", float(bool(path)), {"mode": mode, "argument": path})
        mixed = _with_mixed_masks(subject)
        # A module may refuse a mask by any error.
        with contextlib.suppress(*FAILURES):
            path = _overwritten(mixed, state, "eval") if mixed is not subject else ""
            where: dict[str, Plain] = {"mode": "eval", "argument": path, MIXED: True}
            yield Reading("overwritten", float(bool(path)), where)

    def by_design(self, subject: Discovered, detector: str, witness: Mapping[str, Plain]) -> str:
        """Return the reason if the module was asked to work in place."""
        build = subject.recipe.build.kwargs
        named = [name for name in build if str(name).startswith("inplace") and build[name]]
        module = import_name(subject.recipe.target)
        is_inplace = (
            named or IN_PLACE_NAME.search(subject.recipe.class_name) or _is_activation(subject)
        )
        if subject.recipe.is_guessed and IDENTITY in str(subject.recipe.build):
            return "was given an identity in place of a layer"
        is_documented = IN_PLACE.search(module.__doc__ or "")
        return (
            "works in place by its name, option or docstring" if is_inplace or is_documented else ""
        )

    def program_of(
        self, subject: Discovered, detector: str, witness: Mapping[str, Plain]
    ) -> tuple[str, str]:
        """Return a program that compares the arguments with clones."""
        subject = _with_mixed_masks(subject) if witness.get(MIXED) else subject
        names = recipe_text(subject.recipe).names
        mode = str(witness["mode"])
        message = f"the call overwrites its argument in {mode} mode"
        clones = ", ".join(f"{name}.clone()" for name in names)
        equal = "torch.equal(argument, clone)"
        body = [
            f"before = [{clones}]",
            "with torch.no_grad():",
            "    module(CALL)",
            f"for argument, clone in zip([{', '.join(names)}], before):",
            f'    assert {equal}, "{message}"',
        ]
        text = program(subject.recipe, body, mode=mode)
        return text, f"AssertionError: {message}"


def _with_mixed_masks(subject: Discovered) -> Discovered:
    """Return the subject with masks that are neither all true nor all false, itself if it is given none."""
    call = map_arguments(
        subject.recipe.call, lambda s: replace(s, high=0.5) if s.dtype == "bool" else s
    )
    same = call == subject.recipe.call
    return subject if same else replace(subject, recipe=replace(subject.recipe, call=call))


def _overwritten(subject: Discovered, state: str, mode: str) -> str:
    """Return the path of the first argument that a call in a mode overwrites, empty if it leaves all."""
    module = switch_mode(subject.at(state), training=mode == "train")
    call = subject.arguments_of_call()
    before = cloned(call)
    with torch.no_grad():
        subject.run(module, call)
    return _argument_text(_changed(before, call), subject)


def _argument_text(path: str, subject: Discovered) -> str:
    """Return the path of a tensor in a call, with the name of the parameter for the number of an argument."""
    found = ARGUMENT.match(path)
    if found is None:
        return path
    if found["keyword"]:
        return found["keyword"] + path[found.end() :]
    name = positional_names(subject.recipe)[int(found["number"])]
    return (name or "argument") + path[found.end() :]


def _changed(before: Any, call: CallArguments) -> str:
    """Return the path of the first tensor that is another one now, without what an object computed since."""
    after = named_tensors(cloned(call))
    tensors = named_tensors(before)
    return next(
        (p or "argument" for p, t in tensors.items() if p not in after or not is_same(t, after[p])),
        "",
    )


def _is_activation(subject: Discovered) -> bool:
    """Return whether a module holds nothing but one layer of torch with `inplace=True`."""
    if subject.recipe.is_function:
        return False
    children = [*subject.build().children()]
    return len(children) == 1 and bool(vars(children[0]).get("inplace"))
