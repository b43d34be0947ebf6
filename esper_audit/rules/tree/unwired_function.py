"""The rule `unwired-function`: a function that no program code reaches."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.project.file_roles import Role
from esper_audit.rules.tree import unwired_function_cases as cases
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.index.records import Symbol
from esper_audit.source.index.reference_table import ResolvedMention
from esper_audit.source.usage.escapes import has_escaping_object
from esper_audit.source.usage.reachability import (
    MODULE_LEVEL,
    NO_USE,
    Unreached,
    UseGraph,
    running_function,
    users,
)
from esper_audit.source.usage.signatures import KINDS
from esper_audit.source.usage.tree import Tree

# Functions for debugging are called temporarily and by hand.
DEBUGGING = re.compile(r"debug", re.IGNORECASE)


class UnwiredFunction(TreeRule):
    """A function that no program code reaches.

    What: a function or method of production code that no other reached code calls, reads, decorates
    with or names in a string; tests and bare imports do not count.

    Why: it looks like a part of the program. It was written and tested, and is assumed to run.

    Quiet: entry points of the packaging; exported functions; public functions, unless the package
    only serves a script, as a user of the library may call them, as well as public methods of any
    object and documented public names of private modules; functions that are declared to be kept for
    compatibility or for debugging; decorators that may register; overrides, protocols, abstract
    methods, methods that a base outside the tree may call, or that a mixin has for such a base;
    dunder methods and names that frameworks call (`pytest_...`); stubs; names that code composes
    (`getattr(self, f"visit_{kind}")`), or that documentation, configuration or a longer string
    contains, where prose counts for public names only; methods of an object that is passed to code
    outside the tree; a method of an unused class, and a function inside a reported one; a use whose
    owner is not known but that has the name, or is an object of another class with such a method.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P3
    precision = "96 of 100 findings were correct (34 packages)"

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the functions that no root reaches."""
        functions = {f.key: f for f in tree.in_scope(tree.index.all_symbols(KINDS))}
        unwired = _unwired(tree, functions)
        for key in sorted(unwired):
            function = functions[key]
            if self._is_reported_elsewhere(tree, function, unwired):
                continue
            answer = tree.index.references(function)
            if answer.is_complete:
                yield tree.at_symbol(function, _message(tree, function))
            else:
                yield tree.undecided(function, answer)

    def _is_reported_elsewhere(self, tree: Tree, function: Symbol, unwired: set[str]) -> bool:
        """Return whether a function is a stub, or its owner or enclosing function is unused itself."""
        if tree.index.definition(function).stub:
            return True
        around = function.key.rpartition(".")[0]
        owner = tree.external_callers.owner(function)
        if owner is None:
            return around in unwired
        return all(
            hit.use in NO_USE or hit.is_inside(owner) for hit in tree.reference_table.of(owner)
        )


def _source(hit: ResolvedMention) -> str | None:
    """Return the key of the function in which a use runs, None in a test. Scripts are roots."""
    if hit.role is Role.TEST:
        return None
    return running_function(hit) if hit.role is Role.PRODUCTION else MODULE_LEVEL


def _unwired(tree: Tree, functions: dict[str, Symbol]) -> set[str]:
    """Return the keys that neither module-level code nor code outside the tree reaches."""

    def source_of(hit: ResolvedMention) -> str | None:
        source = _source(hit)
        return source if source is None or source in functions else MODULE_LEVEL

    unreached = Unreached(UseGraph(tree, functions, source_of), functions)
    unreached.discard(MODULE_LEVEL)
    for key in sorted(unreached.keys):
        if key in unreached.keys and _is_possibly_run(tree, functions[key]):
            unreached.discard(key)
    return unreached.keys


def _is_possibly_run(tree: Tree, function: Symbol) -> bool:
    """Return whether a function may run without a mention in the tree."""
    if tree.external_callers.may_run(function) or tree.dynamic_names.may_mean(function.short):
        return True
    in_prose = tree.external_callers.may_be_documented(function)
    is_named = tree.text_mentions.has(function.short, in_prose=in_prose)
    if is_named or _is_kept(tree, function):
        return True
    if function.short.startswith("_"):
        return False
    owner = tree.external_callers.owner(function)
    if tree.external_callers.is_of_library(function):
        return owner is not None or tree.index.definition(function).documented
    return owner is not None and has_escaping_object(tree, owner)


def _is_kept(tree: Tree, function: Symbol) -> bool:
    """Return whether a function is declared to be kept for compatibility or for debugging."""
    if tree.external_callers.is_kept_for_compatibility(tree.text(function)):
        return True
    node = tree.function(function)
    documented = ast.get_docstring(node) if node is not None else None
    return DEBUGGING.search(f"{function.short} {documented or ''}") is not None


def _message(tree: Tree, function: Symbol) -> str:
    name = function.symbol
    sources = {source for hit in users(tree, function) if (source := _source(hit)) is not None}
    if sources:
        first = min(sources).rpartition(":")[2]
        return f"only `{first}` reaches `{name}`, and nothing reaches `{first}`"
    in_tests = any(
        hit.role is Role.TEST and hit.use not in NO_USE for hit in tree.reference_table.of(function)
    )
    if in_tests:
        return f"only tests reach `{name}`: production code does not"
    return f"nothing reaches `{name}`: it is defined and never used"
