"""The probe `deterministic-evaluation`: in eval mode a call depends on its arguments alone."""

from __future__ import annotations

import inspect
import random
import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.execution.tensor_state import changed_state, tensor_state
from esper_audit.probes.measure.output_tree import DIFFERENT, cloned, first_difference, is_same
from esper_audit.probes.measure.readings import Limits, Reading, must_not_occur
from esper_audit.probes.recipes.materialise import import_name
from esper_audit.probes.recipes.program import program
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.subject.modes import switch_mode
from esper_audit.probes.universal import (
    UniversalProbe,
    is_noisy_in_training,
    is_sampling_by_name,
    sampling_calls,
)

RESETTING = re.compile(r"reset(_(states?|cache|memory|mem|buffers?|hidden|stream))?")
OF_EARLIER_BATCHES = re.compile(r"momentum|decay|^ema|queue|memory|history")
SETTLING_CALLS = 2  # caches and lazy buffers are made in the first calls
COMPARED = 'assert torch.equal(first{path}, second{path}), "{message}"'


class DeterministicEvaluation(UniversalProbe):
    """In eval mode a call depends on its arguments alone.

    What: in eval mode, after two calls that let caches settle, the probe compares parameters, buffers and
    plain tensor attributes before and after a call, and its output with that under another random seed
    and with that after a call with other arguments. Each of the three is a detector of its own. A state that
    moves, and a memory of the previous call, are listed as possible.

    Why: dropout that stays active, statistics that move in evaluation and a memory of the previous call
    make a comparison of models depend on chance.

    Quiet: a module that samples by its name, its docstring or a call of a sampling function has this as a
    property, unless its docstring says that it does so in training. So has one with a method `reset` that
    keeps a state. Dropout is no sampling. A module that draws numbers without using them is sound, and so is
    one whose state changes by rounding. A loss with an option such as `momentum` keeps statistics on purpose, and
    a module with a random generator of its own goes on in its stream.

    Tickets: real code
    """

    contract = "eval-determinism"
    category = Category.CORRECTNESS
    severity = Severity.P1
    limits: ClassVar[Limits] = {
        "state": must_not_occur("a call in eval mode changes the module's state"),
        "random": must_not_occur("the output in eval mode depends on the random stream"),
        "remembers": must_not_occur("the output in eval mode depends on the previous call"),
    }
    possible: ClassVar[frozenset[str]] = frozenset({"state", "remembers"})

    def measure(self, subject: Discovered, state: str) -> Iterator[Reading]:
        """Evaluate under two seeds, and after other arguments."""
        module: nn.Module = switch_mode(subject.at(state), training=False)
        for _ in range(SETTLING_CALLS):
            subject.evaluate(module, subject.arguments_of_call())
        before = tensor_state(module)
        first = cloned(subject.evaluate(module, subject.arguments_of_call()))
        after = tensor_state(module)
        changed = changed_state(before, after)
        yield Reading("state", float(bool(changed)), {"tensor": changed} if changed else {})
        if any(name in after and not is_same(before[name], after[name]) for name in before):
            return  # it explains a difference between calls
        path = self._difference(subject, module, first, stream=0)
        if not path:
            path = self._difference(subject, module, first, stream=1)
            yield Reading("random", float(bool(path)), {DIFFERENT: path} if path else {})
            if path:
                return
            subject.evaluate(module, subject.arguments_of_call(1))
            path = self._difference(subject, module, first, stream=0)
        yield Reading("remembers", float(bool(path)), {DIFFERENT: path} if path else {})

    @staticmethod
    def _difference(subject: Discovered, module: nn.Module, first: object, stream: int) -> str:
        again = cloned(subject.evaluate(module, subject.arguments_of_call(), stream))
        return first_difference(first, again)

    def by_design(self, subject: Discovered, detector: str, witness: Mapping[str, Plain]) -> str:
        """Return the reason if the module samples by name, or keeps a state that a method of it resets."""
        if detector != "random":
            method = resetting_method(subject.build())
            kind = import_name(subject.recipe.target)
            if flag := update_flag(kind):
                return f"keeps a state, which the argument {flag} of a call leaves alone"
            if stream := own_stream(subject.build()):
                return f"draws from a random stream of its own, {stream}"
            option = statistics_option(kind)
            if option:
                return f"is a loss that keeps statistics of earlier batches, by its option {option}"
            return f"keeps a state between calls, which `{method}()` resets" if method else ""
        if is_noisy_in_training(subject):
            return ""
        if is_sampling_by_name(subject):
            return "samples in eval mode, by its name or docstring"
        call = sampling_calls(subject.build())
        return f"samples in eval mode, by {call}" if call else ""

    def program_of(
        self, subject: Discovered, detector: str, witness: Mapping[str, Plain]
    ) -> tuple[str, str]:
        """Return a program that calls in eval mode and compares."""
        if detector == "state":
            name = str(witness.get("tensor", ""))
            message = f"a call in eval mode changes {name}"
            body = [
                "with torch.no_grad():",
                "    module(CALL), module(CALL)",
                f"    before = module.{name}.clone()",
                "    module(CALL)",
                f'assert torch.equal(module.{name}, before), "{message}"',
            ]
            return program(subject.recipe, body), f"AssertionError: {message}"
        path = str(witness.get(DIFFERENT, "")).removeprefix("output")
        message = self.limits[detector].sentence
        other = ["    module(OTHER_CALL)"] if detector == "remembers" else []
        body = [
            "with torch.no_grad():",
            "    first = module(CALL)",
            *other,
            "    second = module(CALL)",
            COMPARED.format(path=path, message=message),
        ]
        return program(subject.recipe, body), f"AssertionError: {message}"


def own_stream(module: nn.Module) -> str:
    """Return the attribute in which a module keeps a random generator, empty if it has none."""
    streams = (np.random.Generator, np.random.RandomState, random.Random, torch.Generator)
    return next((name for name, v in vars(module).items() if isinstance(v, streams)), "")


def update_flag(kind: type[nn.Module]) -> str:
    """Return the yes-or-no argument of a call that says whether to update a state, empty if there is none."""
    parameters = inspect.signature(kind.forward).parameters.values()
    flags = (p.name for p in parameters if isinstance(p.default, bool))
    return next((name for name in flags if "update" in name), "")


def statistics_option(kind: type) -> str:
    """Return the option of a loss that weighs the statistics of earlier batches, empty if it has none.

    Losses are seldom switched to eval mode.
    """
    if not kind.__name__.endswith("Loss"):
        return ""
    options = inspect.signature(kind).parameters
    return next((name for name in options if OF_EARLIER_BATCHES.search(name)), "")


def resetting_method(module: nn.Module) -> str:
    """Return the method by which a module, or a part of it, resets its state, empty if it has none."""
    for kind in {type(part): None for part in module.modules()}:
        own = (name for owner in kind.__mro__ if owner is not nn.Module for name in vars(owner))
        found = next((name for name in own if RESETTING.fullmatch(name)), "")
        if found and not kind.__module__.startswith("torch."):
            return found
    return ""
