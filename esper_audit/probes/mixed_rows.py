"""Reasons for a module to compare or join the samples of a batch: names, edges, statistics of the batch."""

from __future__ import annotations

import inspect
import re

from torch import nn

from esper_audit.probes.subject.class_source import is_own_module

BY_NAME = re.compile(
    r"loss|batch|contrast|mix_?up|cut_?mix|queue|router|moe|expert|graph|distance|similarity|metric|pairwise",
    re.IGNORECASE,
)
# Arguments that say which rows belong together, and parts that take statistics of the batch.
JOINING = re.compile(r"edge|adj(acency)?(_|$)|neighbou?r", re.IGNORECASE)
OF_BATCH = re.compile(r"mini_?batch|(over|across|of) the batch", re.IGNORECASE)


def reason_to_mix(module: nn.Module, documentation: str) -> str:
    """Return why a module mixes the samples of a batch on purpose, empty if nothing shows it."""
    if BY_NAME.search(f"{type(module).__name__} {documentation}"):
        return "mixes the samples of a batch, by its name or docstring"
    if any(map(JOINING.search, inspect.signature(module.forward).parameters)):
        return "joins the rows by edges"
    parts = {type(part) for part in module.modules() if is_own_module(type(part))}
    is_of_batch = any(OF_BATCH.search(f"{part.__name__} {part.__doc__}") for part in parts)
    return "has a part that takes statistics of the batch" if is_of_batch else ""
