"""One trial of a recipe: the stage that it reaches, and the failure that ended it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from esper_audit.findings.coverage import STAGES, Stage
from esper_audit.findings.errors import FAILURES
from esper_audit.probes.discovery.failure import TrialFailure, failure_of
from esper_audit.probes.measure.dependence.value_flow import has_value_flow
from esper_audit.probes.measure.output_tree import differs, tensors_of
from esper_audit.probes.measure.parameters.redrawing import redraw
from esper_audit.probes.recipes.materialise import build_module, draw_call
from esper_audit.probes.recipes.recipe import Recipe
from esper_audit.probes.sandbox.refused_allocation import is_about_memory
from esper_audit.probes.subject.determinism import seed_streams
from esper_audit.probes.subject.modes import switch_mode


@dataclass
class TrialResult:
    """The recipe that came furthest, its stage, and the failure that ended the search.

    `is_constant` is set where no value of the input reaches the output, as in a mean that is a parameter.
    `stale` names the known recipe that runs no more.
    """

    recipe: Recipe
    stage: Stage
    reason: str = ""
    failure: TrialFailure | None = None
    stale: str = ""
    is_constant: bool = False

    def is_ahead_of(self, other: TrialResult) -> bool:
        """Return whether this one came further."""
        return STAGES.index(self.stage) > STAGES.index(other.stage)

    def accepted(self) -> TrialResult:
        """Return this result as that of a class that runs, if its output is constant by what it computes."""
        is_run = self.stage is Stage.FED and self.is_constant
        return replace(self, stage=Stage.RUN, reason="") if is_run else self


def attempt_build(recipe: Recipe) -> tuple[nn.Module | None, TrialFailure | None]:
    """Return a module by a recipe, or the failure of its constructor."""
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
        found = tensors_of(outputs)  # computes what is lazy
        _ = _called(recipe, switch_mode(module, training=True), seed=0)
    # A forward is foreign code and may raise anything.
    except FAILURES as error:
        failure = failure_of(error, "forward")
        return TrialResult(recipe, Stage.BUILT, reason_of("could not be fed", failure), failure)
    if not found:
        return TrialResult(recipe, Stage.FED, "fed, but the output holds no tensor")
    if recipe.has_tensors() and not _depends_on_input(recipe, module, outputs):
        reason = "fed, but the output does not depend on the input"
        is_constant = not _has_value_flow(recipe, module)
        return TrialResult(recipe, Stage.FED, reason, is_constant=is_constant)
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


def _has_value_flow(recipe: Recipe, module: nn.Module) -> bool:
    """Return whether values of the input reach the output, or decide what is computed."""
    args, kwargs = draw_call(recipe)
    try:
        switch_mode(module, training=False)
        with torch.no_grad():
            return has_value_flow([args, kwargs], lambda: module(*args, **kwargs))
    # Foreign code again, and an operation may not work under a mode.
    except FAILURES:
        return True


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
    if is_about_memory(text):
        return f"{stage}: ran out of memory (the limit is probing.memory)"
    return f"{stage}: {text[:160]}"


def defines_forward(module: nn.Module) -> bool:
    """Return whether a module has a forward, by its class or by its constructor."""
    return "forward" in vars(module) or type(module).forward is not nn.Module.forward
