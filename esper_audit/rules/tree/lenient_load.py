"""The rule `lenient-load`: a loader has a default for a key that is always saved, or asks for one that never is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.rules.tree import lenient_load_cases as cases
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.idioms.state.key_places import key_place
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.names import Function, terminal_name
from esper_audit.source.usage.saved_states import SavedStates, StatePair
from esper_audit.source.usage.tree import Tree

VERSION = re.compile(r"(^|_)(version|format|schema)(_|$)")
OLD_STATES = re.compile(
    r"backward|compat|legacy|older|old |previous version|before v?\d|migrat", re.IGNORECASE
)


class LenientLoad(TreeRule):
    """A loader has a default for a key that every save writes, or asks for a key that no save writes.

    What: the constant keys of a function that loads a state, beside those of the functions that save
    it: of the same class or module by name, else those of other files that write at least two of its
    keys. Reported are `state.get("k", 0.0)` for a key that all of them write on every path, and a key
    that none of them writes.

    Why: the default never applies to a whole state. It applies to a truncated or foreign one, which
    then loads without an error and continues with a made-up value.

    Quiet: a default of None (an Optional field), a key with handled absence, keys that are written
    under a condition, savers whose keys are not completely known; loaders that read a version or
    format, or whose text speaks of older states.

    Tickets: real code
    """

    contract = "checkpoint"
    category = Category.CORRECTNESS
    severity = Severity.P3
    default = False
    precision = (
        "0 of 13 findings would be merged (flair, kornia, lightning, timm): a library that publishes "
        "checkpoints keeps the default for older ones, so it is off unless a project adopts it"
    )
    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the keys of each loader that its savers contradict."""
        states = SavedStates(tree)
        for pair in states.beside():
            yield from _violations(tree, pair, _needless(tree, pair))
        for pair in states.apart():
            yield from _violations(tree, pair, [*_needless(tree, pair), *_unwritten(pair)])


def _needless(tree: Tree, pair: StatePair) -> list[tuple[str, str]]:
    """Return the keys with a default that never applies, each with the message."""
    function = tree.function(pair.loader)
    if function is None or any(VERSION.search(key) for key in pair.read.keys):
        return []
    if any(saver.written.is_open for saver in pair.savers) or _is_about_old_states(tree, pair):
        return []
    always = frozenset.intersection(*(saver.always for saver in pair.savers))
    names = " and ".join(f"`{saver.symbol.short}`" for saver in pair.savers)
    verb = "writes" if len(pair.savers) == 1 else "write"
    return [
        (key, f"has a default for `{key}`, which {names} always {verb}")
        for key in sorted(pair.read.optional & always & _keys_with_value(function))
    ]


def _unwritten(pair: StatePair) -> list[tuple[str, str]]:
    """Return the keys that no save writes, each with the message."""
    if any(saver.written.is_open for saver in pair.savers):
        return []
    written = frozenset().union(*(saver.written.keys for saver in pair.savers))
    names = " nor ".join(f"`{saver.symbol.name}`" for saver in pair.savers)
    verb = "does not write" if len(pair.savers) == 1 else "writes"
    start = "" if len(pair.savers) == 1 else "neither "
    return [
        (key, f"asks for `{key}`, which {start}{names} {verb}")
        for key in sorted((pair.read.required | pair.read.optional) - pair.read.handled - written)
    ]


def _violations(
    tree: Tree, pair: StatePair, found: list[tuple[str, str]]
) -> Iterator[TreeViolation]:
    function = tree.function(pair.loader)
    for key, message in found:
        place = key_place(key, function) if function is not None else None
        if place is None:
            yield tree.at_symbol(pair.loader, message)
        else:
            yield tree.at_node(pair.loader.path, place, message, subject=pair.loader.symbol)


def _keys_with_value(function: Function) -> frozenset[str]:
    """Return the keys that a function gets with another default than None."""
    calls = (node for node in scan(function, {ast.Call}) if isinstance(node, ast.Call))
    return frozenset(
        key.value
        for call in calls
        if terminal_name(call.func) in ("get", "pop") and len(call.args) == 2
        for key, default in [call.args]
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
        if not (isinstance(default, ast.Constant) and default.value is None)
    )


def _is_about_old_states(tree: Tree, pair: StatePair) -> bool:
    """Return whether the text of a loader shows that it also loads what older versions saved."""
    return OLD_STATES.search(tree.text(pair.loader)) is not None
