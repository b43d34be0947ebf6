"""Reasons for a module to compare or join the samples of a batch: names, edges, statistics of the batch."""

from __future__ import annotations

import inspect
import re

from torch import nn

from esper_audit.probes.recipes.argument_names import forward_parameters, named_arguments
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.recipes.values import TensorSpec
from esper_audit.probes.subject.class_source import is_own_module

ON_PURPOSE = re.compile(
    r"loss|contrast|mix_?up|cut_?mix|queue|router|moe|expert|graph|distance|similarity|pairwise"
    r"|(?-i:\bmetric|Metric)",
    re.IGNORECASE,
)
NUMBERS = re.compile(r"\b(int|float|bool)\b")
BY_CLASS = re.compile(r"batch|index|gather|scatter", re.IGNORECASE)
# Arguments that say which rows belong together, and parts that take statistics of the batch.
JOINING = re.compile(r"edge|adj(acency)?(_|$)|neighbou?r", re.IGNORECASE)
# After the first argument, which holds the rows: the number of the graph that each row belongs to.
OF_GRAPHS = re.compile(r"batch(_(index|idx|vec|ptr))?|ptr")
OF_BATCH = re.compile(
    r"mini_?batch|\bin-?batch|(over|across|of) the (whole |entire )?batch(?![ _]?(size|dim))"
    r"|batch[- _]?(statistic|norm|mean|varian)",
    re.IGNORECASE,
)
# A shape names the axis of the batch, which says nothing of what is done along it.
OF_SHAPE = re.compile(
    r"(axis|dim(ension)?|element|sample|item|row|sequence|image|frame|member|size)s? (of|in) the batch",
    re.IGNORECASE,
)


def reason_to_mix(module: nn.Module, documentation: str) -> str:
    """Return why a module mixes the samples of a batch on purpose, empty if nothing shows it."""
    name, described = type(module).__name__, OF_SHAPE.sub("", documentation)
    is_named = ON_PURPOSE.search(f"{name} {described}") or BY_CLASS.search(name)
    if is_named or OF_BATCH.search(described):
        return "mixes the samples of a batch, by its name or docstring"
    arguments = [*inspect.signature(module.forward).parameters]
    if any(map(JOINING.search, arguments)) or any(map(OF_GRAPHS.fullmatch, arguments[1:])):
        return "joins rows by edges, or by the number of their graph"
    parts = {type(part) for part in module.modules() if is_own_module(type(part))}
    texts = [OF_SHAPE.sub("", f"{part.__name__} {part.__doc__}") for part in parts]
    is_of_batch = any(map(OF_BATCH.search, texts))
    return "has a part that takes statistics of the batch" if is_of_batch else ""


def takes_numbers(subject: Discovered) -> bool:
    """Return whether an argument that is a tensor in the call is annotated as numbers, which no sample has."""
    given = dict(named_arguments(subject.recipe))
    texts = [
        str(one.annotation)
        for one in forward_parameters(subject.recipe)
        if isinstance(given.get(one.name), TensorSpec)
    ]
    return any(NUMBERS.search(text) and "Tensor" not in text for text in texts)
