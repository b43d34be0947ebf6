"""The edges of inputs at which gradients are looked at: all zero, all one, large, constant."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from esper_audit.probes.measure.execution.precise_run import map_tree
from esper_audit.probes.recipes.argument_names import positional_names
from esper_audit.probes.recipes.materialise import CallArguments
from esper_audit.probes.recipes.subject import Discovered

# What may be of any size. A logarithm, an angle, a distance or a weight of 100 has no meaning.
OF_ANY_SIZE = re.compile(
    r"x\d?|(in_?)?(inputs?|tensors?|features?|feats?|data)|z|h|hidden(_states?)?|activations?|logits?|scores?"
    r"|outputs?|pred(ict(ion|ed))?s?|y_?(pred|hat)|emb(edding)?s?|queries|query|q|k|keys?",
    re.IGNORECASE,
)


TARGETS = re.compile(
    r"(y_?)?(true|targets?|labels?|gts?|ground_?truths?|references?)|.*_(targets?|labels?|gt|true)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class InputEdge:
    """A kind of values: `fill` makes those of a tensor by its number, `text` is the expression for a shape.

    `only` restricts them to arguments by name.
    """

    name: str
    fill: Callable[[Tensor, int], Tensor]
    text: str = ""
    only: re.Pattern[str] = re.compile(".*")


# At a distance of zero the formulas of physics are singular as published.
EXCEPT_DISTANCES = re.compile(
    r"(?!(.*_)?(d|r|rij|dist(ances?|s|flat)?(_.*)?|.*_dist(ances?|s)?|radi(us|i)|edge_(len(gths?)?|weight))$).*",
    re.IGNORECASE,
)
ORDINARY = InputEdge("ordinary", lambda t, _: t)
EDGES = (
    InputEdge(
        "all zero", lambda t, _: torch.zeros_like(t), "torch.zeros({shape})", EXCEPT_DISTANCES
    ),
    InputEdge("all one", lambda t, _: torch.ones_like(t), "torch.ones({shape})"),
    InputEdge(
        "large",
        lambda t, _: torch.full_like(t, 100.0),
        "torch.full(({shape}), 100.0)",
        OF_ANY_SIZE,
    ),
)
# Each input another number, whose mean over any count is exact.
EXACT = (0.5, 0.25, 0.75, 0.125, 0.375, 0.625)
CONSTANT = InputEdge("constant", lambda t, number: torch.full_like(t, EXACT[number % 6]))
COLOURS = InputEdge("of colours", lambda t, _: t.abs().clamp(max=1.0))


def edge_named(name: str) -> InputEdge:
    """Return the edge of a name."""
    return next(edge for edge in (ORDINARY, *EDGES) if edge.name == name)


def half_at(edge: InputEdge) -> InputEdge:
    """Return the edge at which the first half of the values of a tensor lie, the others being ordinary."""

    def fill(tensor: Tensor, number: int) -> Tensor:
        is_first = torch.arange(tensor.numel()).view(tensor.shape) < tensor.numel() / 2
        return torch.where(is_first, edge.fill(tensor, number), tensor)

    return replace(edge, fill=fill)


def is_target(name: str) -> bool:
    """Return whether an argument is what an output is compared with, of which no gradient is used."""
    return bool(TARGETS.fullmatch(name))


def leaves_at(subject: Discovered, edge: InputEdge) -> tuple[CallArguments, list[Tensor]]:
    """Return the arguments of a call with their floating tensors at an edge, and those that need a gradient."""
    leaves, filled_so_far = list[Tensor](), list[Tensor]()
    args, kwargs = subject.arguments_of_call()

    def filled(value: Any, name: str) -> Any:
        def fill(tensor: Tensor) -> Tensor:
            if not tensor.is_floating_point():
                return tensor
            chosen = edge if edge.only.fullmatch(name) else ORDINARY
            value = chosen.fill(tensor, len(filled_so_far)).detach()
            filled_so_far.append(value)
            if is_target(name):
                return value
            leaves.append(value.requires_grad_())
            return value

        return map_tree(value, fill)

    names = positional_names(subject.recipe)
    return (
        tuple(filled(value, name) for value, name in zip(args, names, strict=True)),
        {name: filled(value, name) for name, value in kwargs.items()},
    ), leaves
