"""The rule `attention-without-causal-mask`: an attention that looks ahead where none may."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit import cst
from esper_audit.attention_calls import (
    SIGNATURES,
    is_cross,
    is_handwritten,
    lack,
    registrations,
    words,
)
from esper_audit.cst_walk import walk
from esper_audit.finding import Category, Severity
from esper_audit.names import Function
from esper_audit.rule import Invalid, Options, Reach, Replacement, Rule, Triggers, Valid, Violation
from esper_audit.statements import chain, functions_in
from esper_audit.view import View

MODULE_KINDS = frozenset({"MultiheadAttention"})
ON_PURPOSE = re.compile(
    r"bi-?directional|non-?causal|not causal|cross-?attention|encoder|prefix|acausal|looks? both ways"
)
OTHER_KINDS = frozenset(
    {"encoder", "cross", "bidirectional", "noncausal", "prefix", "vision", "visual", "image", "vit"}
    | {
        "pool",
        "pooling",
        "pooler",
        "perceiver",
        "resampler",
        "detr",
        "segmentation",
        "mask",
        "bert",
    }
    | {"vae", "unet", "diffusion", "spatial", "non", "memory", "pixel", "object", "detection", "d"}
)


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

    What: x

    Why: x

    Quiet: x

    Tickets: deep dive 1.4, real code
    """

    contract = "causal-mask"
    category = Category.CORRECTNESS
    severity = Severity.P2
    triggers = Triggers(calls=frozenset(SIGNATURES))
    reach = Reach.CLASS
    Options = CausalMaskOptions
    options: CausalMaskOptions

    VALID = (Valid("a", "x=1\n"),)
    INVALID = (Invalid("a", "x=1\n", ()),)

    def may_match(self, node: ast.AST, enclosing: Sequence[ast.stmt]) -> bool:
        """Keep calls that are given no mask; an alias may stand for any of them."""
        functions = functions_in(enclosing)
        if not isinstance(node, ast.Call) or not functions:
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
        if reason:
            attention = view.code(call.func)
            yield Violation(
                call,
                f"`{attention}` lets a position see later ones: {missing}, {reason}",
                _repair(call, view) if kind == "scaled_dot_product_attention" else None,
            )

    def _reason(self, function: Function, view: View) -> str:
        """Return why a function is meant to be causal, in words; empty if it is not."""
        tree = view.source.tree
        enclosing = chain(tree, function.lineno, function.col_offset)
        scopes = [s for s in enclosing if isinstance(s, (ast.FunctionDef, ast.ClassDef))]
        named = {scope.name: scope.name for scope in reversed(scopes)}
        for scope in scopes:
            if isinstance(scope, ast.ClassDef):
                named.update(
                    (ast.unparse(b), f"{scope.name}({ast.unparse(b)})") for b in scope.bases
                )
        path = [part.removesuffix(".py") for part in view.source.path.split("/")[-2:]]
        if _is_other_kind([*named, *path], [tree, *scopes]):
            return ""
        for name, shown in named.items():
            if not self.options.words.isdisjoint(words(name)):
                return f"in `{shown}`, which is causal by its name"
        for string, owner in registrations(tree, scopes):
            if string in self.options.topologies:
                return f'in `{scopes[0].name}`, which `{owner.name}` registers for "{string}"'
        if not self.options.words.isdisjoint(words(path[-1])):
            return f"in `{scopes[0].name}`, which is causal by the name of its file"
        return ""


def _kind(call: cst.Call, view: View) -> str:
    """Return the attention function or layer that a call names, through imports and aliases."""
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


def _is_other_kind(names: Sequence[str], documented: Sequence[ast.AST]) -> bool:
    """Say whether names or docstrings speak of an attention that may look both ways."""
    if any(not OTHER_KINDS.isdisjoint(words(name)) for name in names):
        return True
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    texts = [ast.get_docstring(node) or "" for node in documented if isinstance(node, kinds)]
    return any(ON_PURPOSE.search(text.lower()) for text in texts)


def _repair(call: cst.Call, view: View) -> Replacement | None:
    """Return the call with `is_causal=True`: the literal turned, or an argument more."""
    for position, argument in enumerate(call.args):
        if argument.keyword is not None and argument.keyword.value == "is_causal" or position == 5:
            return _replacement(argument.value, "True")
    last = call.args[-1]
    bare = last.with_changes(
        comma=cst.MaybeSentinel.DEFAULT, whitespace_after_arg=cst.SimpleWhitespace("")
    )
    code = view.code(bare)
    return None if "\n" in code else _replacement(last, f"{code}, is_causal=True")


def _replacement(node: cst.CSTNode, code: str) -> Replacement:
    return Replacement(node, code, safe=False, description="hide later positions by is_causal=True")
