"""The rule `argument-fallback`: data taken from another argument where one is left out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.fallbacks import argument_fallback_cases as cases
from esper_audit.rules.rule import (
    CstRule,
    Options,
    Reach,
    Replacement,
    Triggers,
    Violation,
)
from esper_audit.source.idioms.fallbacks.argument_defaults import (
    carries_data,
    default_to_none,
    is_relation,
    replacements,
)
from esper_audit.source.syntax import cst
from esper_audit.source.syntax.enclosing import chain, symbol_of
from esper_audit.source.syntax.names import Function, parameters
from esper_audit.source.syntax.node_view import View

SETS_UP = frozenset(
    {"__init__", "__new__", "__post_init__", "__init_subclass__", "reset_parameters"}
)
ATTENTION = re.compile("attention|attn")
SELF_ATTENTION = frozenset(
    {"query", "q", "query_states", "key", "keys", "k", "key_states", "value", "values", "v", "kv"}
    | {"value_states", "key_value_states", "context", "memory", "encoder_hidden_states", "x_kv"}
    | {"encoder_output", "encoder_outputs", "cross_attention_states", "kv_input", "attn_kv"}
)


class FallbackOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out on purpose, by a convention that every reader knows.

    `by_convention`: parameters for which another is the documented default; as delivered the
    inputs of an attention (`key`, `value`, `context`, `memory`, ...), which without them attends to
    itself.
    """

    by_convention: frozenset[str] = SELF_ATTENTION


class ArgumentFallback(CstRule):
    """Where an argument is left out, another argument flows in its place.

    What: a parameter for tensor data that defaults to None and that the body then replaces by
    another parameter: `if u is None: u = h`, `u = h if u is None else f(u)`, `u = u or h`,
    `v = u if u is not None else h`, `u = default(u, h)`. A `detach()`, `clone()` or `contiguous()`
    of the other parameter is that parameter: whether gradients flow is then chosen out of sight.

    Why: a caller who forgets the argument gets a number, not an error. Gradients flow along a path
    that nobody asked for, and the isolation that the parameter was made for is gone.

    Quiet: a constant, a fresh tensor, a configuration value, `self.x` or a computation as the
    replacement; an optional addend (`h if u is None else h + u`); sizes, layer types, names and all
    else that is not annotated or used as a tensor; constructors, whose parameters are
    configuration; either-or inputs, both of which default to None (`input_ids`, `inputs_embeds`);
    the sides of a relation (`pos_i`, `pos_j`; `K`, `new_K`), which may be one; the inputs of an
    attention, whose default to self-attention is documented API (any class or function named so;
    elsewhere the names of the option `by_convention`).

    Tickets: B2-DRL-10, real code
    """

    contract = "required-seed-input"
    category = Category.API_CONTRACT
    severity = Severity.P3
    precision = (
        "8 of 8 read were right (timm, x_transformers, diffusers, torch); of torchrl's "
        "13, 10 are documented defaults"
    )
    triggers = Triggers(nodes=frozenset({"FunctionDef"}), words=frozenset({"None"}))
    reach = Reach.FUNCTION
    Options = FallbackOptions
    options: FallbackOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def may_match(self, node: ast.AST, enclosing: Sequence[ast.stmt]) -> bool:
        """Keep functions that replace an optional parameter by another one."""
        return isinstance(node, Function) and any(self._fallbacks(node))

    def check(self, node: cst.CSTNode, view: View) -> Iterator[Violation]:
        """Report each optional parameter for data that another one replaces."""
        if not isinstance(node, cst.FunctionDef):
            return
        scopes = view.functions(node.body)
        if ATTENTION.search(_symbol(scopes[-1], view)):
            return
        for name, stand_in in dict.fromkeys(self._fallbacks(scopes[-1])):
            if not is_relation(name, stand_in) and carries_data(
                scopes[-1], (name, stand_in), view.source.names, scopes
            ):
                parameter = next(p for p in _plain(node.params) if p.name.value == name)
                yield Violation(
                    parameter,
                    f"`{name}` silently becomes `{stand_in}` where a caller leaves it out",
                    _requirement(node.params, parameter, view, scopes[-1].col_offset),
                    argument=name,
                )

    def _fallbacks(self, function: Function) -> Iterator[tuple[str, str]]:
        optional = frozenset(default_to_none(function.args))
        if not optional or function.name in SETS_UP:
            return
        required = {p.arg for p in parameters(function.args)} - optional - {"self", "cls"}
        for name, stand_in in replacements(function):
            if name in optional - self.options.by_convention and stand_in in required:
                yield name, stand_in


def _symbol(function: Function, view: View) -> str:
    enclosing = chain(view.source.tree, function.lineno, function.col_offset)
    return symbol_of(enclosing).lower()


def _plain(params: cst.Parameters) -> list[cst.Param]:
    return [*params.posonly_params, *params.params, *params.kwonly_params]


def _requirement(
    params: cst.Parameters, optional: cst.Param, view: View, indent: int
) -> Replacement | None:
    """Return the parameters with one of them required and keyword-only, where none has to move."""
    is_keyword = optional in params.kwonly_params
    is_last = optional in params.params[-1:] and not isinstance(params.star_arg, cst.CSTNode)
    written = view.code(params).replace("\n", "\n" + " " * indent)
    bare = optional.with_changes(
        comma=cst.MaybeSentinel.DEFAULT, whitespace_after_param=cst.SimpleWhitespace("")
    )
    before = view.code(bare)
    if not (is_keyword or is_last) or written not in view.source.text or written.count(before) != 1:
        return None
    type_ = (
        f": {_without_none(optional.annotation.annotation, view)}" if optional.annotation else ""
    )
    after = ("" if is_keyword else "*, ") + optional.name.value + type_
    return Replacement(
        params,
        written.replace(before, after),
        safe=False,
        description=f"require `{optional.name.value}`; who left it out has to say what is meant",
    )


def _without_none(annotation: cst.BaseExpression, view: View) -> str:
    """Return `T` for `T | None` and `Optional[T]`."""
    if isinstance(annotation, cst.BinaryOperation) and view.code(annotation.right) == "None":
        return view.code(annotation.left)
    if isinstance(annotation, cst.Subscript) and view.code(annotation.value).endswith("Optional"):
        return view.code(annotation.slice[0])
    return view.code(annotation)
