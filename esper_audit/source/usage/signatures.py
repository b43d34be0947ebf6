"""Signatures: functions with the same parameters, mentions of a constructor, signatures of hooks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from esper_audit.project.file_roles import Role
from esper_audit.source.facts.records import Definition, DefinitionKind, Use
from esper_audit.source.index.records import Symbol

if TYPE_CHECKING:
    from esper_audit.source.index.index import Index
    from esper_audit.source.index.reference_table import ResolvedMention
    from esper_audit.source.usage.tree import Tree

KINDS = frozenset({DefinitionKind.FUNCTION, DefinitionKind.METHOD})
USES_AS_VALUE = frozenset({Use.READ, Use.DECORATOR, Use.STRING, Use.BASE})
CONSTRUCTOR = "__init__"
HOOK_MODULES = frozenset({"module", "model", "mod", "m", "layer"})
HOOK_INPUTS = frozenset({"input", "inputs", "inp", "args", "grad_input", "prefix"})
HOOK_OUTPUTS = frozenset({"output", "outputs", "out", "result", "grad_output", "kwargs"})


def count_parameters(index: Index) -> Counter[tuple[str, str]]:
    """Count the functions and methods by name and parameter: one may be called in place of another."""
    return Counter(
        (function.short, parameter.name)
        for function in index.all_symbols(KINDS)
        for parameter in index.definition(function).parameters
    )


def display_name(function: Symbol) -> str:
    """Return the name of a function for a message: a constructor has that of its class."""
    return function.symbol.removesuffix(f".{CONSTRUCTOR}")


def mentions_of(tree: Tree, function: Symbol) -> list[ResolvedMention]:
    """Return the mentions of a function. Of a constructor those of the classes that have it."""
    if function.short == CONSTRUCTOR and function.kind is DefinitionKind.METHOD:
        return list(tree.reference_table.of_owner(function))
    return list(tree.reference_table.of(function))


def is_hook(definition: Definition) -> bool:
    """Return whether a function has the signature of torch's module hooks."""
    names = [p.name for p in definition.parameters if p.name not in ("self", "ctx")][:3]
    return (
        len(names) == 3
        and names[0] in HOOK_MODULES
        and names[1] in HOOK_INPUTS
        and names[2] in HOOK_OUTPUTS
    )


def has_only_internal_callers(tree: Tree, function: Symbol, *, in_tests: bool = True) -> bool:
    """Return whether every call of a function is known: none is from outside the tree.

    `in_tests` is whether the uses in tests count.
    """
    outside, owner = tree.external_callers, tree.external_callers.owner(function)
    is_constructor = function.short == CONSTRUCTOR and owner is not None
    if outside.is_called_by_language(function) and not is_constructor:
        return False
    ignored = () if in_tests else (Role.TEST,)
    hits = [hit for hit in mentions_of(tree, function) if hit.role not in ignored]
    calls = [hit for hit in hits if hit.use is Use.CALL and hit.certain]
    if not calls or any(hit.use in USES_AS_VALUE for hit in hits):
        return False
    if outside.is_registered(function) or outside.is_entry(function):
        return False
    if not is_constructor and owner is not None:
        others = any(
            hit.use is Use.CALL and hit.role not in ignored
            for hit in tree.reference_table.possible_uses(function)
        )
        if others or outside.is_prescribed(function):
            return False
    return not outside.is_public_api(owner if is_constructor and owner else function)
