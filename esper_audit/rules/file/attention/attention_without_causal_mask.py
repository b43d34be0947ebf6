"""The rule `attention-without-causal-mask`: an attention that looks ahead where none may."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.attention import attention_without_causal_mask_cases as cases
from esper_audit.rules.rule import (
    Options,
    Replacement,
    Rule,
    Triggers,
    Violation,
)
from esper_audit.source.idioms.attention.attention_calls import (
    SIGNATURES,
    is_cross,
    is_handwritten,
    lack,
    looks_both_ways,
    registrations,
    words,
)
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, arguments_of, terminal_name

POSITION_OF_IS_CAUSAL = SIGNATURES["scaled_dot_product_attention"].is_causal
MODULE_KINDS = frozenset({"MultiheadAttention"})
AHEAD = "`{}` lets a position see later ones: {}, in `{}`, which {}"
BY_NAME = "is causal by its name"


class CausalMaskOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What says that a module is meant to be causal.

    `words`: words of a class's, base's, function's or file's name.
    `topologies`: strings with which a decorator registers the module or the function that makes it.
    """

    words: frozenset[str] = frozenset({"causal", "autoregressive", "gpt", "decoder"})
    topologies: frozenset[str] = frozenset(
        {"transformer", "decoder", "gpt", "causal", "causal_lm", "autoregressive", "language_model"}
    )


class AttentionWithoutCausalMask(Rule):
    """An attention in a causal module lets a position see later ones.

    What: `scaled_dot_product_attention`, `flex_attention`, a call of an `nn.MultiheadAttention` or a
    softmax of q k^T written by hand, with no mask and no `is_causal` (or the literal False), in a
    module that is meant to be causal: its name, a base's, its function's or its file's says so, or
    it, or the function that makes it, is registered for a causal topology.

    Why: in training each position reads the token it is to predict. The loss falls, the gate sees
    a seed that helps, and nothing of it is left when the model has to write.

    Quiet: any mask but a literal None (a `key_padding_mask` hides no later position), `is_causal`
    that is computed, `**kwargs`; keys from another input than the queries; encoders, vision, pooling
    and the like by name; docstrings that say bidirectional, non-causal, cross-attention, encoder or
    prefix; for a softmax, a function that speaks of masks, biases or a cache at all.

    Tickets: deep dive 1.4, real code
    """

    contract = "causal-mask"
    category = Category.CORRECTNESS
    severity = Severity.P2
    precision = "it says nothing of 40 real packages: how often it is right there is not known"
    triggers = Triggers(calls=frozenset(SIGNATURES))
    Options = CausalMaskOptions
    options: CausalMaskOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report an attention without a mask in what is meant to be causal."""
        if not isinstance(node, ast.Call) or not file.functions(node):
            return
        kind = _kind(node, file)
        for call in _calls_of_layer(node, file) if kind in MODULE_KINDS else [node]:
            yield from self._judge(call, kind, file)

    def _judge(self, call: ast.Call, kind: str, file: FileView) -> Iterator[Violation]:
        functions = file.functions(call)
        if kind not in SIGNATURES or not functions:
            return
        missing = lack(call, SIGNATURES[kind])
        if not missing or (kind == "softmax" and not is_handwritten(call, functions[-1])):
            return
        if is_cross(call, functions[-1]):
            return
        reason = self._reason(functions[-1], file)
        if reason is not None:
            attention = file.code(call.func, parentheses=True)
            yield Violation(
                call,
                AHEAD.format(attention, missing, *reason),
                _repair(call, file) if kind == "scaled_dot_product_attention" else None,
            )

    def _reason(self, function: Function, file: FileView) -> tuple[str, str] | None:
        """Return what is meant to be causal and why, in words; None if nothing is."""
        tree, enclosing = file.tree, [*file.definitions(function), function]
        scopes = [s for s in enclosing if isinstance(s, (ast.FunctionDef, ast.ClassDef))]
        if not scopes:
            return None
        inmost = next((s for s in reversed(scopes) if isinstance(s, ast.ClassDef)), scopes[-1]).name
        path = [part.removesuffix(".py") for part in file.source.path.split("/")[-2:]]
        if looks_both_ways(path, [tree, *scopes]):
            return None
        for scope in reversed(scopes):
            bases = map(ast.unparse, scope.bases) if isinstance(scope, ast.ClassDef) else ()
            for name, shown in ((scope.name, ""), *((base, f"({base})") for base in bases)):
                if not self.options.words.isdisjoint(words(name)):
                    return scope.name + shown, BY_NAME
        for string, owner in registrations(file, scopes):
            if string in self.options.topologies:
                return inmost, f'`{owner.name}` registers for "{string}"'
        if not self.options.words.isdisjoint(words(path[-1])):
            return inmost, "is causal by the name of its file"
        return None


def _kind(call: ast.Call, file: FileView) -> str:
    """Return the attention function or layer that a call names, also by an alias."""
    name = file.resolve(call.func) or file.code(call.func)
    return name.rpartition(".")[2]


def _calls_of_layer(constructor: ast.Call, file: FileView) -> list[ast.Call]:
    """Return the calls of an attribute that a layer is assigned to, in the same class."""
    enclosing = file.enclosing(constructor)
    assignment = enclosing[-1]
    owners = [statement for statement in enclosing if isinstance(statement, ast.ClassDef)]
    if not owners or not isinstance(assignment, ast.Assign) or assignment.value is not constructor:
        return []
    target = assignment.targets[0]
    layer, name = file.code(target, parentheses=True), terminal_name(target)
    calls = (node for node in scan(owners[-1], {ast.Call}) if isinstance(node, ast.Call))
    named = (call for call in calls if terminal_name(call.func) == name)
    return [call for call in named if file.code(call.func, parentheses=True) == layer]


def _repair(call: ast.Call, file: FileView) -> Replacement | None:
    """Return the call with `is_causal=True`: the literal turned, or an argument more."""
    arguments = arguments_of(call)
    for position, argument in enumerate(arguments):
        is_named = isinstance(argument, ast.keyword) and argument.arg == "is_causal"
        is_placed = isinstance(argument, ast.expr) and position == POSITION_OF_IS_CAUSAL
        if is_named or is_placed:
            value = argument.value if isinstance(argument, ast.keyword) else argument
            return _replacement(value, "True")
    last = arguments[-1]
    code = file.code(last, parentheses=True)
    return None if "\n" in code else _replacement(last, f"{code}, is_causal=True")


def _replacement(node: ast.AST, code: str) -> Replacement:
    return Replacement(node, code, safe=False, description="hide later positions by is_causal=True")
