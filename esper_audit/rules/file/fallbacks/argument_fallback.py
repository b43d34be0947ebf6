"""The rule `argument-fallback`: another argument replaces an omitted one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.fallbacks import argument_fallback_cases as cases
from esper_audit.rules.rule import (
    Options,
    Reach,
    Replacement,
    Rule,
    Triggers,
    Violation,
)
from esper_audit.source.idioms.fallbacks.argument_defaults import (
    fallback_pairs,
    is_relation_pair,
    is_tensor_parameter,
    parameters_defaulting_to_none,
)
from esper_audit.source.syntax import cst
from esper_audit.source.syntax.enclosing import chain, symbol_of
from esper_audit.source.syntax.names import Function, parameters
from esper_audit.source.syntax.node_view import View

CONSTRUCTORS = frozenset(
    {"__init__", "__new__", "__post_init__", "__init_subclass__", "reset_parameters"}
)
ATTENTION = re.compile("attention|attn")
SELF_ATTENTION = frozenset(
    {"query", "q", "query_states", "key", "keys", "k", "key_states", "value", "values", "v", "kv"}
    | {"value_states", "key_value_states", "context", "memory", "encoder_hidden_states", "x_kv"}
    | {"encoder_output", "encoder_outputs", "cross_attention_states", "kv_input", "attn_kv"}
)


class FallbackOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters that callers omit on purpose.

    `by_convention`: parameters with another parameter as their documented default; initially the
    inputs of an attention (`key`, `value`, `context`, `memory`, ...), which is self-attention
    without them.
    """

    by_convention: frozenset[str] = SELF_ATTENTION


class ArgumentFallback(Rule):
    """An omitted argument is silently replaced by another argument.

    What: a parameter for tensor data that defaults to None and that the body then replaces by
    another parameter: `if u is None: u = h`, `u = h if u is None else f(u)`, `u = u or h`,
    `v = u if u is not None else h`, `u = default(u, h)`. A `detach()`, `clone()` or `contiguous()`
    of the other parameter counts as that parameter.

    Why: a caller that forgets the argument gets a number instead of an error. Gradients flow along
    an unintended path, and the isolation that the parameter provides is lost.

    Quiet: a constant, a fresh tensor, a configuration value, `self.x` or a computation as the
    replacement; an optional addend (`h if u is None else h + u`); sizes, layer types, names and all
    parameters that are not annotated or used as tensors; constructors, whose parameters are
    configuration; either-or inputs that both default to None (`input_ids`, `inputs_embeds`); the
    sides of a relation (`pos_i`, `pos_j`; `K`, `new_K`), which may be the same; the inputs of an
    attention, for which self-attention is the documented default (any class or function with
    attention in its name, elsewhere the names of the option `by_convention`).

    Tickets: B2-DRL-10, real code
    """

    contract = "required-seed-input"
    category = Category.API_CONTRACT
    severity = Severity.P3
    precision = (
        "8 of 8 findings were correct (timm, x_transformers, diffusers, torch); of torchrl's "
        "13 findings, 10 are documented defaults"
    )
    triggers = Triggers(nodes=frozenset({"FunctionDef"}), words=frozenset({"None"}))
    reach = Reach.FUNCTION
    Options = FallbackOptions
    options: FallbackOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def may_match(self, node: ast.AST, enclosing: Sequence[ast.stmt]) -> bool:
        """Keep functions that replace an optional parameter by another parameter."""
        return isinstance(node, Function) and any(self._fallbacks(node))

    def check(self, node: cst.CSTNode, view: View) -> Iterator[Violation]:
        """Report each optional tensor parameter that another parameter replaces."""
        if not isinstance(node, cst.FunctionDef):
            return
        scopes = view.functions(node.body)
        if ATTENTION.search(_lower_symbol(scopes[-1], view)):
            return
        for name, fallback in dict.fromkeys(self._fallbacks(scopes[-1])):
            if not is_relation_pair(name, fallback) and is_tensor_parameter(
                scopes[-1], (name, fallback), view.source.names, scopes
            ):
                parameter = next(p for p in _named_parameters(node.params) if p.name.value == name)
                yield Violation(
                    parameter,
                    f"`{name}` silently becomes `{fallback}` if a caller omits it",
                    _required(node.params, parameter, view, scopes[-1].col_offset),
                    argument=name,
                )

    def _fallbacks(self, function: Function) -> Iterator[tuple[str, str]]:
        optional = frozenset(parameters_defaulting_to_none(function.args))
        if not optional or function.name in CONSTRUCTORS:
            return
        required = {p.arg for p in parameters(function.args)} - optional - {"self", "cls"}
        for name, fallback in fallback_pairs(function):
            if name in optional - self.options.by_convention and fallback in required:
                yield name, fallback


def _lower_symbol(function: Function, view: View) -> str:
    enclosing = chain(view.source.tree, function.lineno, function.col_offset)
    return symbol_of(enclosing).lower()


def _named_parameters(params: cst.Parameters) -> list[cst.Param]:
    return [*params.posonly_params, *params.params, *params.kwonly_params]


def _required(
    params: cst.Parameters, optional: cst.Param, view: View, indent: int
) -> Replacement | None:
    """Return the parameters with one made required and keyword-only, if their order can stay."""
    is_keyword = optional in params.kwonly_params
    is_last = optional in params.params[-1:] and not isinstance(params.star_arg, cst.CSTNode)
    code = view.code(params).replace("\n", "\n" + " " * indent)
    bare = optional.with_changes(
        comma=cst.MaybeSentinel.DEFAULT, whitespace_after_param=cst.SimpleWhitespace("")
    )
    before = view.code(bare)
    if not (is_keyword or is_last) or code not in view.source.text or code.count(before) != 1:
        return None
    type_ = (
        f": {_without_none(optional.annotation.annotation, view)}" if optional.annotation else ""
    )
    after = ("" if is_keyword else "*, ") + optional.name.value + type_
    return Replacement(
        params,
        code.replace(before, after),
        safe=False,
        description=f"make `{optional.name.value}` required; callers that omit it must pass it",
    )


def _without_none(annotation: cst.BaseExpression, view: View) -> str:
    """Return `T` for `T | None` and `Optional[T]`."""
    if isinstance(annotation, cst.BinaryOperation) and view.code(annotation.right) == "None":
        return view.code(annotation.left)
    if isinstance(annotation, cst.Subscript) and view.code(annotation.value).endswith("Optional"):
        return view.code(annotation.slice[0])
    return view.code(annotation)
