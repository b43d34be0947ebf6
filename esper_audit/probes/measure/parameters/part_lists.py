"""Lists and dictionaries of parts of which a call chooses some, or uses the last one in part."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set

import torch
from torch import nn

from esper_audit.probes.recipes.materialise import CallArguments
from esper_audit.probes.subject.class_source import own_parts


def in_chosen_lists(module: nn.Module, chosen: Sequence[Set[str]]) -> set[str]:
    """Return the parameters of parts that no call reaches, where calls reach various equal parts of their list."""
    found: set[str] = set()
    for path, container in module.named_modules():
        if not isinstance(container, nn.ModuleList | nn.ModuleDict):
            continue
        prefix = f"{path}." if path else ""
        names = {
            key: {f"{prefix}{key}.{name}" for name, _ in part.named_parameters()}
            for key, part in container.named_children()
        }
        reached = {key: [not names[key].isdisjoint(call) for call in chosen] for key in names}
        varied = {_form(container, key) for key in names if any(reached[key]) > all(reached[key])}
        for key in names:
            if not any(reached[key]) and _form(container, key) in varied:
                found |= names[key]
    return found


def in_last_blocks(module: nn.Module, missed: Collection[str]) -> set[str]:
    """Return the parameters of a part of the last block of a list, if the same part of the block before is reached.

    Of the last block another part has to be reached: a block that nothing reaches is left out.
    """
    found: set[str] = set()
    for path, container in module.named_modules():
        blocks = [*container.named_children()]
        if not isinstance(container, nn.ModuleList | nn.Sequential) or len(blocks) < 2:
            continue
        prefix = f"{path}." if path else ""
        (before, _), (last, block) = blocks[-2:]
        names = [name for name, _ in block.named_parameters()]
        unreached = {name for name in names if f"{prefix}{last}.{name}" in missed}
        is_reached_before = all(f"{prefix}{before}.{name}" not in missed for name in unreached)
        if is_reached_before and len(unreached) < len(names):
            found |= {f"{prefix}{last}.{name}" for name in unreached}
    return found


def under_other_keys(module: nn.Module, call: CallArguments) -> set[str]:
    """Return the parameters in dictionaries of parts, in those under other keys than one that is given.

    A call gives it, or an attribute of a part that a constructor was given.
    """
    args, kwargs = call
    held = (value for part in own_parts(module) for value in vars(part).values())
    texts = (value for value in held if isinstance(value, str))
    given = {*texts, *(str(v) for v in (*args, *kwargs.values()) if isinstance(v, str | int))}
    return {
        f"{path}.{key}.{name}" if path else f"{key}.{name}"
        for path, container in module.named_modules()
        if isinstance(container, nn.ModuleDict) and given & {*container.keys()}
        for key, part in container.named_children()
        if key not in given
        for name, _ in part.named_parameters()
    }


def _form(container: nn.Module, key: str) -> tuple[type[nn.Module], tuple[torch.Size, ...]]:
    """Return what equal parts of a list have in common."""
    part = container.get_submodule(key)
    return type(part), tuple(parameter.shape for parameter in part.parameters())
