"""The search for a recipe: build a class, then call it, until both work or the budget is spent."""

from __future__ import annotations

import inspect
import re
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from esper_audit.findings.coverage import RecipeOrigin, Stage
from esper_audit.findings.errors import FAILURES
from esper_audit.probes.discovery.call_repair import repaired_calls
from esper_audit.probes.discovery.constructor import ConstructorSearch
from esper_audit.probes.discovery.failure import TrialFailure, failure_of
from esper_audit.probes.discovery.inputs import call_arguments, call_parameters
from esper_audit.probes.discovery.layouts import first_inputs
from esper_audit.probes.measure.output_tree import differs, tensors_of
from esper_audit.probes.measure.parameters import redraw
from esper_audit.probes.recipes.materialise import (
    FunctionModule,
    build_module,
    draw_call,
    import_name,
)
from esper_audit.probes.recipes.recipe import Recipe
from esper_audit.probes.recipes.values import Arguments, TensorSpec
from esper_audit.probes.subject.determinism import deterministic, seed_streams
from esper_audit.probes.subject.modes import switch_mode

NETWORK = re.compile(
    r"URLError|ConnectionError|Max retries|Name or service not known|name resolution|LocalEntryNotFound"
    r"|OfflineMode|outgoing traffic has been disabled|couldn't connect|network is not allowed"
)
MOST_BUILDS = 40
MOST_CALLS = 160
MOST_REPAIRS = 5  # of one call, one after the other
MOST_WORKING_BUILDS = 6
# Processor seconds, which do not depend on what else the machine does.
BUILD_SECONDS = 3.0
CALL_SECONDS = 2.5
SEARCH_SECONDS = 6.0  # for a class


@dataclass
class TrialResult:
    """The recipe that came furthest, its stage, and the failure that ended the search."""

    recipe: Recipe
    stage: Stage
    reason: str = ""
    failure: TrialFailure | None = None


def find_recipe(target: str) -> TrialResult:
    """Return the best recipe for a class that can be found within the budget."""
    with deterministic(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _Search(target).run()


class _Search:
    """The state of a search: what was tried, and what came furthest."""

    def __init__(self, target: str) -> None:
        self.target = target
        named = import_name(target)
        self.is_function = not isinstance(named, type)
        self.kind: type[nn.Module] = FunctionModule if self.is_function else named
        self.function = named
        self.constructor = ConstructorSearch(self.kind)
        self.origin = (
            RecipeOrigin.DEFAULT if self.constructor.needs_nothing else RecipeOrigin.GUESSED
        )
        self.best = TrialResult(Recipe(target, origin=self.origin), Stage.FOUND)
        self.calls = 0
        self.call_deadline = self.deadline = 0.0

    def run(self) -> TrialResult:
        """Try builds and calls, and return the first that works."""
        self.deadline = time.process_time() + SEARCH_SECONDS
        if not _defines_forward(self.kind):
            self.best.reason = "the class defines no forward"
        for recipe, module in self._builds():
            if self.best.stage is Stage.FOUND:
                self.best = TrialResult(recipe, Stage.BUILT, self.best.reason)
            if not _defines_forward(self.kind):
                return self.best
            result = self._call(recipe, module)
            if result.stage is Stage.RUN:
                return result
            if result.stage is not Stage.BUILT or not self.best.reason:
                self.best = result
        return self.best

    def _builds(self) -> Iterator[tuple[Recipe, nn.Module]]:
        """Yield recipes that build, from the likeliest arguments on."""
        if self.is_function:
            recipe = Recipe(self.target, origin=self.origin, is_function=True)
            yield recipe, FunctionModule(self.function)
            return
        search = self.constructor
        pending = [search.first()]
        seen: list[Arguments] = []
        working = 0
        deadline = time.process_time() + BUILD_SECONDS
        while pending and len(seen) < MOST_BUILDS and working < MOST_WORKING_BUILDS:
            arguments = pending.pop(0)
            if arguments in seen:
                continue
            seen.append(arguments)
            recipe = Recipe(self.target, arguments, origin=self.origin)
            module, failure = _built(recipe)
            if module is not None:
                working += 1
                before = time.process_time()
                yield recipe, module
                deadline += time.process_time() - before
                pending = [*pending, *search.alternatives(arguments), *search.optional(arguments)]
            elif failure is not None:
                if NETWORK.search(failure.sentence()):
                    self.best.reason = "wants the network, which discovery does not allow"
                    pending = search.without_download(arguments)
                    continue
                if self.best.stage is Stage.FOUND and self.best.failure is None:
                    self.best.reason = reason_of("could not be built", failure)
                    self.best.failure = failure
                pending = [
                    *search.after(arguments, failure),
                    *pending,
                    *search.alternatives(arguments),
                ]
            if time.process_time() > min(deadline, self.deadline):
                return

    def _call(self, recipe: Recipe, module: nn.Module) -> TrialResult:
        """Return the first call that runs, else the failure of the first."""
        parameters = call_parameters(self.function if self.is_function else module.forward)
        result = TrialResult(recipe, Stage.BUILT)
        self.calls = 0
        self.call_deadline = min(time.process_time() + CALL_SECONDS, self.deadline)
        for first in first_inputs(module, recipe.build) if parameters else [TensorSpec(())]:
            for arguments, distance in _calls_with(parameters, first):
                attempt = self._repaired(replace(recipe, call=arguments), module)
                if attempt.stage is Stage.RUN:
                    return attempt
                if attempt.stage is Stage.FED or not result.reason:
                    result = attempt
                if self._is_spent() or (distance and result.stage is Stage.FED):
                    return result
        return result

    def _is_spent(self) -> bool:
        """Return whether the budget of calls is spent."""
        return self.calls >= MOST_CALLS or time.process_time() > self.call_deadline

    def _repaired(self, recipe: Recipe, module: nn.Module) -> TrialResult:
        """Call, and on failure call again as each message suggests."""
        pending = [(recipe, 0)]
        seen: list[Arguments] = []
        first: TrialResult | None = None
        while pending and not self._is_spent():
            tried, depth = pending.pop(0)
            if tried.call in seen:
                continue
            seen.append(tried.call)
            self.calls += 1
            result = attempt_call(tried, module)
            if result.stage is not Stage.BUILT:
                return result
            first = first or result
            if result.failure is not None and depth < MOST_REPAIRS:
                repairs = repaired_calls(tried.call, result.failure)
                pending = [*((replace(tried, call=r), depth + 1) for r in repairs), *pending]
        return first or TrialResult(recipe, Stage.BUILT)


def _calls_with(
    parameters: list[inspect.Parameter], first: TensorSpec
) -> Iterator[tuple[Arguments, int]]:
    if not parameters:
        yield Arguments(), 0
    else:
        yield from call_arguments(parameters, first)


def _built(recipe: Recipe) -> tuple[nn.Module | None, TrialFailure | None]:
    seed_streams(0)
    try:
        module = build_module(recipe)
    # A constructor is foreign code and may raise anything.
    except FAILURES as error:
        return None, failure_of(error, "__init__")
    return module, None


def attempt_call(recipe: Recipe, module: nn.Module) -> TrialResult:
    """Call a module in eval and train mode, and return the stage that it reached."""
    try:
        outputs = _evaluated(recipe, module, seed=0)
        _ = _called(recipe, switch_mode(module, training=True), seed=0)
    # A forward is foreign code and may raise anything.
    except FAILURES as error:
        failure = failure_of(error, "forward")
        return TrialResult(recipe, Stage.BUILT, reason_of("could not be fed", failure), failure)
    if not tensors_of(outputs):
        return TrialResult(recipe, Stage.FED, "fed, but the output holds no tensor")
    if recipe.has_tensors() and not _depends_on_input(recipe, module, outputs):
        return TrialResult(recipe, Stage.FED, "fed, but the output does not depend on the input")
    return TrialResult(recipe, Stage.RUN)


def _depends_on_input(recipe: Recipe, module: nn.Module, outputs: Any) -> bool:
    """Return whether another input gives another output, at birth or with drawn parameters."""
    try:
        if differs(outputs, _evaluated(recipe, module, seed=1)):
            return True
        other = build_module(recipe)
        redraw(other, 2)
        first, second = (_evaluated(recipe, other, seed=seed) for seed in (0, 1))
        return differs(first, second)
    # Foreign code again; what runs with one input only is not exercised.
    except FAILURES:
        return False


def _evaluated(recipe: Recipe, module: nn.Module, seed: int) -> Any:
    with torch.no_grad():
        return _called(recipe, switch_mode(module, training=False), seed)


def _called(recipe: Recipe, module: nn.Module, seed: int) -> Any:
    args, kwargs = draw_call(recipe, seed)
    seed_streams(0)
    return module(*args, **kwargs)


def reason_of(stage: str, failure: TrialFailure) -> str:
    """Return why a class could not be built or fed, on one line."""
    text = failure.sentence()
    return f"{stage}: {text[:160]}"


def _defines_forward(kind: type[nn.Module]) -> bool:
    """Return whether a class has a forward of its own or a base with one."""
    return kind.forward is not nn.Module.forward
