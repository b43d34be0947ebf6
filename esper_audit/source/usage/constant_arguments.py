"""The constants that all calls of a function pass for a parameter, and the annotated type of a call's result."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from esper_audit.source.facts.records import MANY, Parameter, Use
from esper_audit.source.idioms.branches.conditions import DISJOINT_TYPES, TYPE_ALIASES
from esper_audit.source.idioms.branches.nullable_returns import is_nullable
from esper_audit.source.index.records import Caller, Passing, Symbol
from esper_audit.source.index.targets import ResolvedBy
from esper_audit.source.syntax.names import dotted
from esper_audit.source.usage.signatures import display_name, has_only_internal_callers

if TYPE_CHECKING:
    from esper_audit.source.facts.module_facts import ModuleFacts
    from esper_audit.source.usage.tree import Tree

Constants = dict[str, tuple[frozenset[str], str]]


def constant_arguments(tree: Tree, function: Symbol, names: frozenset[str]) -> Constants:
    """Return, of some parameters, the constants that all calls pass, with the reason as text.

    A parameter that every call leaves out is `argument-never-passed`, and none of these.
    """
    if not names or not has_only_internal_callers(tree, function):
        return {}
    found: Constants = {}
    for parameter in tree.index.definition(function).parameters:
        if parameter.name in names and parameter.kind not in MANY:
            values = _values(tree, function, parameter)
            if values:
                found[parameter.name] = (values, _reason(function, values))
    return found


def _values(tree: Tree, function: Symbol, parameter: Parameter) -> frozenset[str]:
    """Return the literals that calls pass, none if one call passes anything else, or no call passes any."""
    answer = tree.index.callers(function, parameter.name)
    given = [_value(caller, parameter) for caller in answer.items]
    passes = any(
        caller.passing is Passing.PASSES and not function.holds(caller.place)
        for caller in answer.items
    )
    if not passes or not answer.is_complete or not all(map(_is_literal, given)):
        return frozenset()
    return frozenset(given)


def _value(caller: Caller, parameter: Parameter) -> str:
    if caller.passing is Passing.PASSES:
        return caller.value
    return parameter.default if caller.passing is Passing.OMITS else ""


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return False
    return True


def _reason(function: Symbol, values: frozenset[str]) -> str:
    if len(values) == 1:
        return f"every call of `{display_name(function)}` passes {min(values)}"
    return f"calls of `{display_name(function)}` pass nothing but {', '.join(sorted(values))}"


def annotated_type(tree: Tree, module: ModuleFacts, call: ast.Call, known: dict[str, str]) -> str:
    """Return the type that all functions a call may run are annotated to return, if it is a plain one.

    `known` holds the types by function, so that no file is parsed for each call of its functions.
    """
    word = dotted(call.func).rpartition(".")[2]
    line = call.func.end_lineno or call.lineno
    types = set()
    for mention in module.mentions.get(word, ()):
        if mention.line == line and mention.use is Use.CALL:
            targets = tree.index.target_resolver.targets(module, mention)
            if not targets.keys or targets.open or targets.resolved_by is ResolvedBy.NAME:
                return ""
            for key in targets.keys - known.keys():
                known[key] = _returned(tree, tree.index.of_key(key))
            types |= {known[key] for key in targets.keys}
    return types.pop() if len(types) == 1 else ""


def _returned(tree: Tree, function: Symbol) -> str:
    definition = tree.index.definition(function)
    found = TYPE_ALIASES.get(definition.annotation, definition.annotation)
    is_plain = found in DISJOINT_TYPES and not definition.generator
    if not is_plain or tree.external_callers.is_registered(function):
        return ""
    node = tree.function(function)
    return "" if node is None or is_nullable(node) else found
