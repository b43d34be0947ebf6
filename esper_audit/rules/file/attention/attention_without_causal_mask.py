"""The rule `attention-without-causal-mask`: an attention that looks ahead where none may."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.attention import attention_without_causal_mask_cases as cases
from esper_audit.rules.rule import (
    CstRule,
    Options,
    Reach,
    Replacement,
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
from esper_audit.source.syntax import cst
from esper_audit.source.syntax.cst_walk import walk
from esper_audit.source.syntax.enclosing import chain, functions_in
from esper_audit.source.syntax.names import Function
from esper_audit.source.syntax.node_view import View

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


class AttentionWithoutCausalMask(CstRule):
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
    reach = Reach.CLASS
    Options = CausalMaskOptions
    options: CausalMaskOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def may_match(self, node: ast.AST, enclosing: Sequence[ast.stmt]) -> bool:
        """Keep calls that are given no mask; an alias may stand for any of them."""
        functions = functions_in(list(enclosing))
        if not isinstance(node, ast.Call) or not functions or looks_both_ways([], enclosing):
            return False
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name == "softmax":
            return is_handwritten(node, functions[-1])
        signature = SIGNATURES.get(name)
        return signature is None or name in MODULE_KINDS or bool(lack(node, signature))

    def check(self, node: cst.CSTNode, view: View) -> Iterator[Violation]:
        """Report an attention without a mask in what is meant to be causal."""
        if not isinstance(node, cst.Call) or not view.functions(node):
            return
        kind = _kind(node, view)
        for call in _calls_of_layer(node, view) if kind in MODULE_KINDS else [node]:
            yield from self._judge(call, kind, view)

    def _judge(self, call: cst.Call, kind: str, view: View) -> Iterator[Violation]:
        functions = view.functions(call)
        parsed = ast.parse(view.code(call), mode="eval").body
        if kind not in SIGNATURES or not isinstance(parsed, ast.Call) or not functions:
            return
        missing = lack(parsed, SIGNATURES[kind])
        if not missing or is_cross(parsed, functions[-1]):
            return
        if kind == "softmax" and not is_handwritten(parsed, functions[-1]):
            return
        reason = self._reason(functions[-1], view)
        if reason is not None:
            attention = view.code(call.func)
            yield Violation(
                call,
                AHEAD.format(attention, missing, *reason),
                _repair(call, view) if kind == "scaled_dot_product_attention" else None,
            )

    def _reason(self, function: Function, view: View) -> tuple[str, str] | None:
        """Return what is meant to be causal and why, in words; None if nothing is."""
        tree = view.source.tree
        enclosing = chain(tree, function.lineno, function.col_offset)
        scopes = [s for s in enclosing if isinstance(s, (ast.FunctionDef, ast.ClassDef))]
        inmost = next((s for s in reversed(scopes) if isinstance(s, ast.ClassDef)), scopes[-1]).name
        path = [part.removesuffix(".py") for part in view.source.path.split("/")[-2:]]
        if looks_both_ways(path, [tree, *scopes]):
            return None
        for scope in reversed(scopes):
            bases = map(ast.unparse, scope.bases) if isinstance(scope, ast.ClassDef) else ()
            for name, shown in ((scope.name, ""), *((base, f"({base})") for base in bases)):
                if not self.options.words.isdisjoint(words(name)):
                    return scope.name + shown, BY_NAME
        for string, owner in registrations(tree, scopes):
            if string in self.options.topologies:
                return inmost, f'`{owner.name}` registers for "{string}"'
        if not self.options.words.isdisjoint(words(path[-1])):
            return inmost, "is causal by the name of its file"
        return None


def _kind(call: cst.Call, view: View) -> str:
    """Return the attention function or layer that a call names, also by an alias."""
    name = view.resolve(call.func) or view.code(call.func)
    return name.rpartition(".")[2]


def _calls_of_layer(constructor: cst.Call, view: View) -> list[cst.Call]:
    """Return the calls of an attribute that a layer is assigned to, in the same class."""
    assignment = view.enclosing(constructor, cst.Assign)
    owner = view.enclosing(constructor, cst.ClassDef)
    if assignment is None or owner is None or assignment.value is not constructor:
        return []
    layer = view.code(assignment.targets[0].target)
    calls = (node for node in walk(owner) if isinstance(node, cst.Call))
    return [call for call in calls if view.code(call.func) == layer]


def _repair(call: cst.Call, view: View) -> Replacement | None:
    """Return the call with `is_causal=True`: the literal turned, or an argument more."""
    for position, argument in enumerate(call.args):
        keyword = argument.keyword.value if argument.keyword is not None else ""
        if keyword == "is_causal" or (not keyword and position == POSITION_OF_IS_CAUSAL):
            return _replacement(argument.value, "True")
    last = call.args[-1]
    bare = last.with_changes(
        comma=cst.MaybeSentinel.DEFAULT, whitespace_after_arg=cst.SimpleWhitespace("")
    )
    code = view.code(bare)
    return None if "\n" in code else _replacement(last, f"{code}, is_causal=True")


def _replacement(node: cst.CSTNode, code: str) -> Replacement:
    return Replacement(node, code, safe=False, description="hide later positions by is_causal=True")
