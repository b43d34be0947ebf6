"""The edges of inputs at which gradients are looked at: all zero, all one, large, constant."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
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


def leaves_at(subject: Discovered, edge: InputEdge) -> tuple[CallArguments, list[Tensor]]:
    """Return the arguments of a call with their floating tensors at an edge, and these tensors."""
    leaves: list[Tensor] = []
    args, kwargs = subject.arguments_of_call()

    def filled(value: Any, name: str) -> Any:
        def fill(tensor: Tensor) -> Tensor:
            if not tensor.is_floating_point():
                return tensor
            chosen = edge if edge.only.fullmatch(name) else ORDINARY
            leaves.append(chosen.fill(tensor, len(leaves)).detach().requires_grad_())
            return leaves[-1]

        return map_tree(value, fill)

    names = positional_names(subject.recipe)
    return (
        tuple(filled(value, name) for value, name in zip(args, names, strict=True)),
        {name: filled(value, name) for name, value in kwargs.items()},
    ), leaves
