"""The rule `argument-fallback`: data taken from another argument where one is left out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity, Span
from esper_audit.rules.file.fallbacks import argument_fallback_cases as cases
from esper_audit.rules.rule import (
    Options,
    Replacement,
    Rule,
    Triggers,
    Violation,
)
from esper_audit.source.idioms.fallbacks.argument_defaults import (
    carries_data,
    default_to_none,
    is_none,
    is_relation,
    replacements,
)
from esper_audit.source.syntax.enclosing import symbol_of
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, defaults, parameters
from esper_audit.source.syntax.spans import (
    argument_code,
    code_of,
    parameter_span,
    parameters_span,
)

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


class ArgumentFallback(Rule):
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
    Options = FallbackOptions
    options: FallbackOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep functions with a parameter that defaults to None."""
        return [n for n in nodes if isinstance(n, Function) and any(default_to_none(n.args))]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report each optional parameter for data that another one replaces."""
        if not isinstance(node, Function):
            return
        pairs = dict.fromkeys(self._fallbacks(node))
        symbol = symbol_of([*file.definitions(node), node]) if pairs else ""
        if ATTENTION.search(symbol.lower()):
            return
        for name, stand_in in pairs:
            scopes = [*file.functions(node), node]
            if not is_relation(name, stand_in) and carries_data(
                node, (name, stand_in), file.source.names, scopes
            ):
                parameter = next(p for p in parameters(node.args) if p.arg == name)
                span = parameter_span(parameter, defaults(node.args)[name], file.source.lines)
                yield Violation(
                    Span(span.line, span.column, span.line, span.column + len(name)),
                    f"`{name}` silently becomes `{stand_in}` where a caller leaves it out",
                    _requirement(node, parameter, span, file),
                    argument=name,
                    code=argument_code(span, file.source.lines),
                )

    def _fallbacks(self, function: Function) -> Iterator[tuple[str, str]]:
        optional = frozenset(default_to_none(function.args))
        if not optional or function.name in SETS_UP:
            return
        required = {p.arg for p in parameters(function.args)} - optional - {"self", "cls"}
        optional -= self.options.by_convention
        if not optional or not required:
            return
        for name, stand_in in replacements(function):
            if name in optional and stand_in in required:
                yield name, stand_in


def _requirement(
    function: Function, optional: ast.arg, span: Span, file: FileView
) -> Replacement | None:
    """Return the parameters with one of them required and keyword-only, where none has to move."""
    arguments, lines = function.args, file.source.lines
    is_keyword = optional in arguments.kwonlyargs
    is_free = arguments.vararg is None and not arguments.kwonlyargs
    is_last = optional in arguments.args[-1:] and is_free
    whole = parameters_span(function, lines)
    written, before = code_of(whole, lines), code_of(span, lines)
    further = written.split("\n")[1:]
    is_indented = all(line.startswith(" " * function.col_offset) for line in further)
    if not (is_keyword or is_last) or not is_indented or written.count(before) != 1:
        return None
    type_ = f": {_without_none(optional.annotation, file)}" if optional.annotation else ""
    after = ("" if is_keyword else "*, ") + optional.arg + type_
    return Replacement(
        whole,
        written.replace(before, after),
        safe=False,
        description=f"require `{optional.arg}`; who left it out has to say what is meant",
    )


def _without_none(annotation: ast.expr, file: FileView) -> str:
    """Return `T` for `T | None` and `Optional[T]`."""
    if isinstance(annotation, ast.BinOp) and is_none(annotation.right):
        return file.code(annotation.left, parentheses=True)
    if isinstance(annotation, ast.Subscript) and file.code(annotation.value).endswith("Optional"):
        return file.code(annotation.slice)
    return file.code(annotation, parentheses=True)
