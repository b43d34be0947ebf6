"""The rule `attention-without-causal-mask`: an attention in a causal module attends to later positions."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.attention import attention_without_causal_mask_cases as cases
from esper_audit.rules.rule import (
    Options,
    Reach,
    Replacement,
    Rule,
    Triggers,
    Violation,
)
from esper_audit.source.idioms.attention.attention_calls import (
    SIGNATURES,
    identifier_words,
    is_bidirectional,
    is_cross_attention,
    is_handwritten_attention,
    missing_mask,
    registrations,
)
from esper_audit.source.syntax import cst
from esper_audit.source.syntax.cst_walk import walk
from esper_audit.source.syntax.enclosing import chain, functions_in
from esper_audit.source.syntax.names import Function
from esper_audit.source.syntax.node_view import View

IS_CAUSAL_POSITION = SIGNATURES["scaled_dot_product_attention"].is_causal
MODULE_KINDS = frozenset({"MultiheadAttention"})
LATER_POSITIONS = "`{}` attends to later positions: {}, in `{}`, which {}"
BY_NAME = "is causal by its name"


class CausalMaskOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The names of causal modules.

    `words`: words in the name of a class, base, function or file.
    `topologies`: strings with which a decorator registers the module or its factory.
    """

    words: frozenset[str] = frozenset({"causal", "autoregressive", "gpt", "decoder"})
    topologies: frozenset[str] = frozenset(
        {"transformer", "decoder", "gpt", "causal", "causal_lm", "autoregressive", "language_model"}
    )


class AttentionWithoutCausalMask(Rule):
    """An attention in a causal module attends to later positions.

    What: `scaled_dot_product_attention`, `flex_attention`, a call of an `nn.MultiheadAttention` or a
    handwritten softmax of q k^T, without a mask and without `is_causal` (or with the literal
    False), in a module that is intended to be causal: a name of the module, its base, its function
    or its file contains such a word, or the module or its factory is registered for a causal
    topology.

    Why: in training each position reads the token that it has to predict. The loss falls, the gate
    accepts the seed, and the advantage is gone when the model generates text.

    Quiet: any mask except the literal None (a `key_padding_mask` hides no later position), a
    computed `is_causal`, `**kwargs`; keys from another input than the queries; encoders, vision,
    pooling and similar modules by name; docstrings that contain bidirectional, non-causal,
    cross-attention, encoder or prefix; for a softmax, a function that uses any mask, bias or cache.

    Tickets: deep dive 1.4, real code
    """

    contract = "causal-mask"
    category = Category.CORRECTNESS
    severity = Severity.P2
    precision = "no finding in 40 packages: the precision is not known"
    triggers = Triggers(calls=frozenset(SIGNATURES))
    reach = Reach.CLASS
    Options = CausalMaskOptions
    options: CausalMaskOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def may_match(self, node: ast.AST, enclosing: Sequence[ast.stmt]) -> bool:
        """Keep calls without a mask, also of a function that may be an alias."""
        functions = functions_in(list(enclosing))
        if not isinstance(node, ast.Call) or not functions or is_bidirectional([], enclosing):
            return False
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name == "softmax":
            return is_handwritten_attention(node, functions[-1])
        signature = SIGNATURES.get(name)
        return signature is None or name in MODULE_KINDS or bool(missing_mask(node, signature))

    def check(self, node: cst.CSTNode, view: View) -> Iterator[Violation]:
        """Report an attention without a mask in a causal module."""
        if not isinstance(node, cst.Call) or not view.functions(node):
            return
        kind = _kind(node, view)
        for call in _calls_of_layer(node, view) if kind in MODULE_KINDS else [node]:
            yield from self._check_call(call, kind, view)

    def _check_call(self, call: cst.Call, kind: str, view: View) -> Iterator[Violation]:
        functions = view.functions(call)
        parsed = ast.parse(view.code(call), mode="eval").body
        if kind not in SIGNATURES or not isinstance(parsed, ast.Call) or not functions:
            return
        missing = missing_mask(parsed, SIGNATURES[kind])
        if not missing or is_cross_attention(parsed, functions[-1]):
            return
        if kind == "softmax" and not is_handwritten_attention(parsed, functions[-1]):
            return
        reason = self._reason(functions[-1], view)
        if reason is not None:
            attention = view.code(call.func)
            yield Violation(
                call,
                LATER_POSITIONS.format(attention, missing, *reason),
                _fix(call, view) if kind == "scaled_dot_product_attention" else None,
            )

    def _reason(self, function: Function, view: View) -> tuple[str, str] | None:
        """Return the name of the causal scope and the reason as text, or None."""
        tree = view.source.tree
        enclosing = chain(tree, function.lineno, function.col_offset)
        scopes = [s for s in enclosing if isinstance(s, (ast.FunctionDef, ast.ClassDef))]
        innermost = next(
            (s for s in reversed(scopes) if isinstance(s, ast.ClassDef)), scopes[-1]
        ).name
        path = [part.removesuffix(".py") for part in view.source.path.split("/")[-2:]]
        if is_bidirectional(path, [tree, *scopes]):
            return None
        for scope in reversed(scopes):
            bases = map(ast.unparse, scope.bases) if isinstance(scope, ast.ClassDef) else ()
            for name, shown in ((scope.name, ""), *((base, f"({base})") for base in bases)):
                if not self.options.words.isdisjoint(identifier_words(name)):
                    return scope.name + shown, BY_NAME
        for string, owner in registrations(tree, scopes):
            if string in self.options.topologies:
                return innermost, f'`{owner.name}` registers for "{string}"'
        if not self.options.words.isdisjoint(identifier_words(path[-1])):
            return innermost, "is causal by the name of its file"
        return None


def _kind(call: cst.Call, view: View) -> str:
    """Return the name of the called attention function or layer, with aliases resolved."""
    name = view.resolve(call.func) or view.code(call.func)
    return name.rpartition(".")[2]


def _calls_of_layer(constructor: cst.Call, view: View) -> list[cst.Call]:
    """Return the calls of the attribute that a layer is assigned to, in the same class."""
    assignment = view.enclosing(constructor, cst.Assign)
    owner = view.enclosing(constructor, cst.ClassDef)
    if assignment is None or owner is None or assignment.value is not constructor:
        return []
    layer = view.code(assignment.targets[0].target)
    calls = (node for node in walk(owner) if isinstance(node, cst.Call))
    return [call for call in calls if view.code(call.func) == layer]


def _fix(call: cst.Call, view: View) -> Replacement | None:
    """Return the fix `is_causal=True`: a replaced literal or an additional argument."""
    for position, argument in enumerate(call.args):
        keyword = argument.keyword.value if argument.keyword is not None else ""
        if keyword == "is_causal" or (not keyword and position == IS_CAUSAL_POSITION):
            return _replacement(argument.value, "True")
    last = call.args[-1]
    bare = last.with_changes(
        comma=cst.MaybeSentinel.DEFAULT, whitespace_after_arg=cst.SimpleWhitespace("")
    )
    code = view.code(bare)
    return None if "\n" in code else _replacement(last, f"{code}, is_causal=True")


def _replacement(node: cst.CSTNode, code: str) -> Replacement:
    return Replacement(
        node, code, safe=False, description="hide later positions with is_causal=True"
    )
