"""The search for a recipe: build a class, then call it, until both work or the budget is spent."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from torch import nn

from esper_audit.findings.coverage import RecipeOrigin, Stage
from esper_audit.probes.discovery.calls.call_objects import (
    annotated_objects,
    other_objects,
    with_objects,
)
from esper_audit.probes.discovery.calls.call_repair import repaired_calls
from esper_audit.probes.discovery.construction.constructor import ConstructorSearch
from esper_audit.probes.discovery.construction.optional_arguments import (
    with_options,
    without_weights,
)
from esper_audit.probes.discovery.failure import TrialFailure
from esper_audit.probes.discovery.inputs import (
    Lists,
    call_arguments,
    call_parameters,
    first_values,
    takes_any_number,
    with_missing,
    with_optional,
)
from esper_audit.probes.discovery.layouts import feature_pyramids, first_inputs, shaped_lists
from esper_audit.probes.discovery.time_limit import TimeLimitReached, time_limit
from esper_audit.probes.discovery.trial import (
    TrialResult,
    attempt_build,
    attempt_call,
    defines_forward,
    reason_of,
)
from esper_audit.probes.discovery.trial_queue import TrialQueue
from esper_audit.probes.recipes.materialise import FunctionModule, import_name
from esper_audit.probes.recipes.recipe import Recipe
from esper_audit.probes.recipes.recipe_file import StoredRecipe
from esper_audit.probes.recipes.values import Arguments, TensorSpec
from esper_audit.probes.subject.determinism import deterministic

NETWORK = re.compile(
    r"URLError|ConnectionError|Max retries|Name or service not known|name resolution|LocalEntryNotFound"
    r"|WriteForbidden.*(?:hub|checkpoint|cache)|OfflineMode"
    r"|outgoing traffic has been disabled|couldn't connect|network is not allowed"
)
MOST_BUILDS = 40
MOST_CALLS = 320
MOST_CALLS_OF_INPUT = 32  # with one first argument
MOST_PAIRS = 8  # of first inputs that a forward with any number of arguments is given twice
MOST_REPAIRS = 8  # of one call, one after the other
MOST_WORKING_BUILDS = 6
MOST_FAILURES = 8  # of the calls of a module, which arguments of its constructor are read from
# Processor seconds, which do not depend on what else the machine does.
BUILD_SECONDS = 3.0
CALL_SECONDS = 2.5
SEARCH_SECONDS = 6.0  # for a class
LONGEST_SECONDS = 10.0  # with the last trial, which is ended
SLOW_SECONDS = 1.5  # a call site that takes longer, such as a full model, is used if no guess runs


def find_recipe(target: str, known: Sequence[StoredRecipe] = ()) -> TrialResult:
    """Return the first known recipe that runs, else the best that can be found within the budget."""
    with deterministic(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _Search(target, known).run().accepted()


class _Search:
    """The state of a search: what was tried, and what came furthest."""

    def __init__(self, target: str, known: Sequence[StoredRecipe]) -> None:
        self.target, self.known = target, known
        named = import_name(target)
        self.is_function = not isinstance(named, type)
        self.kind: type[nn.Module] = FunctionModule if self.is_function else named
        self.function = named
        self.constructor = ConstructorSearch(self.kind)
        self.origin = (
            RecipeOrigin.DEFAULT if self.constructor.needs_nothing else RecipeOrigin.GUESSED
        )
        self.best = TrialResult(Recipe(target, origin=self.origin), Stage.FOUND)
        self.calls = self.most_calls = 0
        # Those of the last module that was built, by text.
        self.call_failures: dict[str, TrialFailure] = {}
        self.call_deadline = self.deadline = 0.0

    def run(self) -> TrialResult:
        """Try the known recipes, then builds and calls, and return the first that works."""
        furthest = TrialResult(self.best.recipe, Stage.FOUND)
        stale, spent = "", 0.0
        for stored in self.known:
            if stored.is_call_site and spent > SLOW_SECONDS:
                continue
            start = time.process_time()
            result = (
                self._within_limit(partial(self._try_known, stored))
                if stored.is_call_site
                else self._try_known(stored)
            )
            taken = time.process_time() - start
            spent += taken
            is_slow = taken > SLOW_SECONDS
            if result.stage is Stage.RUN and not (is_slow and stored.is_call_site):
                return result
            furthest = result if result.is_ahead_of(furthest) else furthest
            stale = stale or _staleness(stored, result)
        found = furthest if furthest.is_constant else self._within_limit(self._guess)
        best = furthest if furthest.is_ahead_of(found) else found
        return replace(best, stale=stale)

    def _within_limit(self, attempt: Callable[[], TrialResult]) -> TrialResult:
        """Return the result of an attempt, what came furthest if it takes too long."""
        try:
            with time_limit(LONGEST_SECONDS):
                return attempt()
        except TimeLimitReached:
            reason = f"no call ended within {LONGEST_SECONDS:.0f} s of processor time"
            self.best.reason = self.best.reason or reason
            return self.best

    def _try_known(self, stored: StoredRecipe) -> TrialResult:
        """Return how far a known recipe comes, with what a declared one leaves out guessed."""
        self.deadline = time.process_time() + SEARCH_SECONDS
        recipe = stored.recipe
        is_fixed = recipe.origin is not RecipeOrigin.DECLARED
        self.best = TrialResult(recipe, Stage.FOUND)
        for built, module in self._builds(recipe, is_fixed=is_fixed):
            if not defines_forward(module):
                return TrialResult(built, Stage.BUILT, "the class defines no forward")
            result = attempt_call(built, module) if stored.has_call else self._call(built, module)
            if result.stage is Stage.RUN:
                return result
            self.best = result if result.is_ahead_of(self.best) else self.best
        return self.best

    def _guess(self) -> TrialResult:
        """Return the best result of a search for builds and calls."""
        self.deadline = time.process_time() + SEARCH_SECONDS
        given = Recipe(self.target, origin=self.origin, is_function=self.is_function)
        self.best = TrialResult(given, Stage.FOUND)
        for recipe, module in self._builds(given, is_fixed=False):
            if not defines_forward(module):
                return TrialResult(recipe, Stage.BUILT, "the class defines no forward")
            if self.best.stage is Stage.FOUND:
                self.best = TrialResult(recipe, Stage.BUILT)
            result = self._call(recipe, module)
            if result.stage is Stage.RUN:
                return result
            if result.stage is not Stage.BUILT or not self.best.reason:
                self.best = result
        return self.best

    def _builds(self, given: Recipe, *, is_fixed: bool) -> Iterator[tuple[Recipe, nn.Module]]:
        """Yield recipes that build: the given one alone, or around it from the likeliest arguments on."""
        if self.is_function:
            yield given, FunctionModule(self.function)
            return
        search = self.constructor
        pending = TrialQueue(
            search.filled(given.build, given.build if is_fixed else search.first())
        )
        tried = working = 0
        deadline = time.process_time() + BUILD_SECONDS
        while pending and tried < MOST_BUILDS and working < MOST_WORKING_BUILDS:
            candidate = pending.pop()
            arguments, tried = candidate.arguments, tried + 1
            recipe = replace(given, build=arguments)
            module, failure = attempt_build(recipe)
            if module is not None:
                working += 1
                before, self.call_failures = time.process_time(), {}
                yield recipe, module
                deadline += time.process_time() - before
                failures = [*self.call_failures.values()][:MOST_FAILURES]
                for one in failures:
                    lacking = search.lacking_in_call(arguments, one)
                    pending.add_first(self._others(given, lacking))
                pending.add_last(self._others(given, search.alternatives(arguments)))
                options = with_options(search.parameters, arguments, search.guesses_of)
                pending.add_last(self._others(given, options))
            elif failure is not None and not candidate.is_no_better(failure):
                suggested = self._others(given, self._suggested(arguments, failure))
                pending.add_after(failure, candidate, suggested)
                pending.add_last(self._others(given, search.alternatives(arguments)))
            if is_fixed or time.process_time() > min(deadline, self.deadline):
                return

    def _others(self, given: Recipe, suggested: Iterable[Arguments]) -> Iterator[Arguments]:
        return (self.constructor.filled(given.build, one) for one in suggested)

    def _suggested(self, arguments: Arguments, failure: TrialFailure) -> Iterable[Arguments]:
        """Return the arguments to try after a failed build, and note the reason of the first."""
        search = self.constructor
        if NETWORK.search(failure.sentence()):
            self.best.reason = "wants the network, which discovery does not allow"
            return without_weights(search.parameters, arguments)
        if self.best.stage is Stage.FOUND and self.best.failure is None:
            self.best.reason = reason_of("could not be built", failure)
            self.best.failure = failure
        return search.after(arguments, failure)

    def _call(self, recipe: Recipe, module: nn.Module) -> TrialResult:
        """Return the first call that runs, else the failure of the first."""
        forward = self._callable(module)
        result = TrialResult(recipe, Stage.BUILT)
        self.calls = 0
        self.call_deadline = min(time.process_time() + CALL_SECONDS, self.deadline)
        inputs = first_inputs(module, recipe.build)
        for calls in self._calls(forward, recipe.build, inputs):
            self.most_calls = min(MOST_CALLS, self.calls + MOST_CALLS_OF_INPUT)
            for arguments, distance in calls:
                if self.calls >= self.most_calls:
                    break
                attempt = self._repaired(replace(recipe, call=arguments), module)
                if attempt.stage is Stage.RUN:
                    return attempt
                if attempt.stage is Stage.FED or not result.reason:
                    result = attempt
                if self._is_spent() or (distance and result.stage is Stage.FED):
                    return result
        return result

    def _calls(
        self, forward: Callable[..., object], build: Arguments, inputs: Sequence[TensorSpec]
    ) -> Iterator[Iterator[tuple[Arguments, int]]]:
        """Yield the calls with each first argument, the likeliest before, with their distance from it."""
        parameters = call_parameters(forward)
        if not parameters:
            yield iter([(Arguments(), 0)])
            return
        objects = partial(other_objects, known=build.kwargs)
        for made in annotated_objects(parameters[0], inputs[0], build.kwargs):
            yield call_arguments(parameters, inputs[0], made, objects)
        lists = Lists(shaped_lists(build), feature_pyramids(build))
        if takes_any_number(forward):
            for specs in (*lists.pyramids, *([one, one] for one in inputs[:MOST_PAIRS])):
                yield iter([(Arguments(tuple(specs)), 0)])
        for first, value in first_values(parameters[0], inputs, lists, forward):
            yield call_arguments(parameters, first, value, objects)

    def _callable(self, module: nn.Module) -> Callable[..., object]:
        """Return what is called: the function, the forward, or a `__call__` of the class's own."""
        if self.is_function:
            return self.function  # type: ignore[no-any-return]  # of an imported name
        is_own = type(module).__call__ is not nn.Module.__call__
        return module.__call__ if is_own else module.forward

    def _is_spent(self) -> bool:
        """Return whether the budget of calls is spent."""
        return self.calls >= MOST_CALLS or time.process_time() > self.call_deadline

    def _repaired(self, recipe: Recipe, module: nn.Module) -> TrialResult:
        """Call, and on failure call again as each message suggests."""
        pending = TrialQueue(recipe.call)
        furthest = TrialResult(recipe, Stage.BUILT)
        while pending and self.calls < self.most_calls and not self._is_spent():
            candidate = pending.pop()
            self.calls += 1
            tried = replace(recipe, call=candidate.arguments)
            result = attempt_call(tried, module)
            if {} in [value for _, value in tried.call.items()] and result.stage is Stage.RUN:
                return TrialResult(tried, Stage.FED, "fed, but with no tensor")
            if result.stage is not Stage.BUILT:
                return result
            failure = result.failure
            if not furthest.reason or (failure and failure.is_after(furthest.failure)):
                furthest = result
            if failure is None or candidate.is_no_better(failure):
                continue
            self.call_failures.setdefault(failure.sentence(), failure)
            if candidate.depth < MOST_REPAIRS:
                forward, built = self._callable(module), recipe.build.kwargs
                for suggested in (
                    with_missing(forward, candidate.arguments, failure),
                    with_optional(forward, candidate.arguments, failure),
                    with_objects(self.kind, forward, candidate.arguments, failure, built),
                    repaired_calls(candidate.arguments, failure),
                ):
                    pending.add_after(failure, candidate, suggested)
        return furthest


def _staleness(stored: StoredRecipe, result: TrialResult) -> str:
    """Return which line of the file of recipes does not run any more, empty if it does or is in no file."""
    is_stale = result.stage is Stage.FOUND or (stored.has_call and result.stage is Stage.BUILT)
    if not is_stale or not stored.line:
        return ""
    return f"line {stored.line}, {stored.recipe.origin}: {result.reason}"
