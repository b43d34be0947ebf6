"""Gradients at an edge of the inputs: whether they are finite, where they stop being so, and why it may be meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.execution.gradient_origin import gradient_origin, weighted_sum
from esper_audit.probes.measure.execution.input_edges import (
    InputEdge,
    half_at,
    is_target,
    leaves_at,
)
from esper_audit.probes.measure.output_tree import named_tensors
from esper_audit.probes.measure.parameters.gradients import backward
from esper_audit.probes.recipes.argument_names import named_specs
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.subject.modes import switch_mode


def live_outputs(
    subject: Discovered, module: nn.Module, edge: InputEdge
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """Return the outputs that have a gradient at an edge, none if one is not finite, and the inputs."""
    call, leaves = leaves_at(subject, edge)
    outputs = named_tensors(subject.run(module, call))
    floating = {path: t for path, t in outputs.items() if t.is_floating_point()}
    if not all(bool(t.isfinite().all()) for t in floating.values()):
        return {}, leaves
    return {path: t for path, t in floating.items() if t.requires_grad and t.numel()}, leaves


def bad_gradient(
    subject: Discovered,
    module: nn.Module,
    edge: InputEdge,
    total: Callable[[Iterable[Tensor]], Tensor] = weighted_sum,
) -> str:
    """Return what has a gradient that is not finite although all outputs are, empty if nothing has."""
    outputs, leaves = live_outputs(subject, module, edge)
    if not outputs:
        return ""
    for parameter in module.parameters():
        parameter.grad = None
    backward(total(outputs.values()))
    specs = named_specs(subject.recipe)
    names = [name for name, spec in specs if spec.is_floating and not is_target(name)]
    names += [""] * len(leaves)
    named = [*zip(names, leaves, strict=False), *module.named_parameters()]
    bad = [n for n, t in named if t.grad is not None and not bool(t.grad.isfinite().all())]
    return (bad[0] or "an input") if bad else ""


def plain_sum(outputs: Iterable[Tensor]) -> Tensor:
    """Return the sum of the outputs."""
    return torch.stack([t.sum() for t in outputs]).sum()


def origin_at(subject: Discovered, state: str, edge: InputEdge) -> dict[str, Plain]:
    """Return the operation in which the gradients stop being finite, and its line."""
    module = switch_mode(subject.at(state), training=False)
    origin = gradient_origin(lambda: subject.run(module, leaves_at(subject, edge)[0]))
    return {"operation": origin.operation, "line": origin.line} if origin else {}


def is_loss(subject: Discovered) -> bool:
    """Return whether a function is named a loss, compares with a target, or returns a single number."""
    is_named = "loss" in subject.recipe.class_name.lower()
    if is_named or any(is_target(name) for name, _ in named_specs(subject.recipe)):
        return True
    output = subject.evaluate(subject.build(), subject.arguments_of_call())
    return isinstance(output, Tensor) and output.numel() == 1


def is_zero_loss(subject: Discovered, module: nn.Module, edge: InputEdge) -> bool:
    """Return whether the outputs at an edge are single zeros, and gradients with half of the values there finite."""
    outputs = live_outputs(subject, module, edge)[0].values()
    is_zero = all(t.numel() == 1 and not bool(t.any()) for t in outputs)
    return is_zero and not bad_gradient(subject, module, half_at(edge))
