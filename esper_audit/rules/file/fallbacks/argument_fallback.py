"""The rule `argument-fallback`: another argument replaces an omitted one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

import msgspec

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
    Fallback,
    fallbacks,
    has_none_as_default,
    is_none,
    parameters_defaulting_to_none,
    targets_of,
)
from esper_audit.source.idioms.fallbacks.intended_defaults import is_left_out_on_purpose
from esper_audit.source.idioms.fallbacks.placeholders import is_only_described, is_placeholder
from esper_audit.source.idioms.fallbacks.tensor_parameters import (
    TensorParameters,
    is_key_or_value,
    is_relation_pair,
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

CONSTRUCTORS = frozenset(
    {"__init__", "__new__", "__post_init__", "__init_subclass__", "reset_parameters"}
)
ATTENTION = re.compile("attention|attn")
SELF_ATTENTION = frozenset(
    {"query", "q", "query_states", "key", "keys", "k", "key_states", "value", "values", "v", "kv"}
    | {"value_states", "key_value_states", "context", "memory", "encoder_hidden_states", "x_kv"}
    | {"encoder_output", "encoder_outputs", "cross_attention_states", "kv_input", "attn_kv"}
)
DEFAULTS = re.compile("optional|default|if none|if not given|if omitted", re.IGNORECASE)
RESIDUALS = frozenset({"residual", "shortcut", "identity", "skip"})


class FallbackOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters that callers omit on purpose, and how strictly the others are judged.

    `by_convention`: parameters with another parameter as their documented default; initially the
    inputs of an attention (`key`, `value`, `context`, `memory`, ...), which is self-attention
    without them, and the branch around a residual block (`shortcut`), which is its input.
    `adopted`: report each parameter that nothing shows to be no tensor, whatever the function. It is
    set where the project names the contract among its policies.
    """

    by_convention: frozenset[str] = SELF_ATTENTION | RESIDUALS
    adopted: bool = False

    def where_adopted(self) -> FallbackOptions:
        """Return the options of a project that names the contract among its policies."""
        return msgspec.structs.replace(self, adopted=True)


class ArgumentFallback(Rule):
    """An omitted argument is silently replaced by another argument.

    What: a parameter for tensor data that defaults to None and that the body then replaces by
    another parameter: `if u is None: u = h`, `u = h if u is None else f(u)`, `u = u or h`,
    `v = u if u is not None else h`, `u = default(u, h)`. A `detach()`, `clone()`, `contiguous()` or
    `to()` of the other parameter counts as that parameter.

    Why: a caller that forgets the argument gets a number instead of an error. Gradients flow along
    an unintended path, and the isolation that the parameter provides is lost.

    Quiet: a constant, a fresh tensor, a configuration value, `self.x` or a computation as the
    replacement; an optional addend (`h if u is None else h + u`); arguments that move (`low, high = 0,
    low`); sizes, layer types, names and all parameters that are not annotated or used as tensors
    (with the option `adopted` only those that are annotated or used as something else); without
    `adopted` also parameters that no annotation makes a tensor, since most of them are conventions, and
    those whose docstring states the default, what a caller in the file leaves out on purpose (it passes
    None, or an argument of its own that is None by default), what the function tests in several places,
    pairs of all rows of both (`cdist`, `x @ z.T`: one set with itself), indices, what only updates a
    state of the object, what is read for its type, device or shape alone or only kept in a container,
    `out` and `out_q`, and placeholders that are not read: beside a flag
    (`has_u=u is not None`), or for a kernel (`kernel[grid](u if u is not None else h)`); constructors,
    whose parameters are configuration; either-or inputs that both default to None (`input_ids`,
    `inputs_embeds`); the sides of a relation (`pos_i`, `pos_j`; `K`, `new_K`), which may be the same;
    the keys and values of an attention, for which self-attention is the documented default (in a
    class or function with attention in its name what it projects to keys and values, elsewhere the
    names of the option `by_convention`).

    Tickets: B2-DRL-10, real code
    """

    contract = "required-seed-input"
    category = Category.API_CONTRACT
    severity = Severity.P3
    precision = (
        "0 of 0 in 99 packages, after mending on them; 0 of 8 in six rounds before mending on each; of "
        "21 by use or documented readers would merge none, so such are reported where the contract is "
        "adopted"
    )
    triggers = Triggers(nodes=frozenset({"FunctionDef"}), words=frozenset({"None"}))
    Options = FallbackOptions
    options: FallbackOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep functions with a parameter that defaults to None."""
        return [f for f in nodes if isinstance(f, Function) and has_none_as_default(f.args)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report each optional tensor parameter that another parameter replaces."""
        possible = list(self._fallbacks(node, file)) if isinstance(node, Function) else []
        if not possible or not isinstance(node, Function):
            return
        given, reported = TensorParameters(node, file), set()
        for found in possible:
            name, fallback = found.parameter, found.replacement
            if (name, fallback) in reported or not self._is_tensor(node, found, given):
                continue
            if not self.options.adopted and (
                not given.is_annotated(name) or self._is_convention(node, found, file)
            ):
                continue
            reported.add((name, fallback))
            parameter = next(p for p in parameters(node.args) if p.arg == name)
            span = parameter_span(parameter, defaults(node.args)[name], file.source.lines)
            yield Violation(
                Span(span.line, span.column, span.line, span.column + len(name)),
                f"`{name}` silently becomes `{fallback}` if a caller omits it",
                _required(node, parameter, span, file),
                argument=name,
                code=argument_code(span, file.source.lines),
            )

    def _fallbacks(self, function: Function, file: FileView) -> Iterator[Fallback]:
        optional = frozenset(parameters_defaulting_to_none(function.args))
        if not optional or function.name in CONSTRUCTORS:
            return
        required = {p.arg for p in parameters(function.args)} - optional - {"self", "cls"}
        optional -= self.options.by_convention
        if not optional or not required or not _may_replace(function, file):
            return
        for found in fallbacks(function):
            if found.parameter in optional and found.replacement in required:
                yield found

    def _is_tensor(self, function: Function, found: Fallback, given: TensorParameters) -> bool:
        """Return whether a replaced parameter is tensor data, or with `adopted` may be."""
        targets = targets_of(function, found)
        is_tensor = given.is_possible_tensor if self.options.adopted else given.is_tensor
        return is_tensor(found.parameter, found.replacement, targets)

    def _is_convention(self, function: Function, found: Fallback, file: FileView) -> bool:
        """Return whether a replacement is one of the kinds that the docstring names as conventions."""
        if is_relation_pair(found.parameter, found.replacement) or is_placeholder(function, found):
            return True
        if found.parameter.partition("_")[0] == "out" or _is_documented(found.parameter, function):
            return True
        if is_only_described(function, found, file):
            return True
        symbol = symbol_of([*file.definitions(function), function])
        targets = targets_of(function, found) | {found.parameter}
        if is_left_out_on_purpose(function, found, targets, file):
            return True
        return bool(ATTENTION.search(symbol.lower())) and is_key_or_value(function, targets)


def _may_replace(function: Function, file: FileView) -> bool:
    """Return whether a function has a condition, or a call of a function `default`."""
    conditions = (ast.If, ast.IfExp, ast.BoolOp)
    return any(file.inside(function, kind) for kind in conditions) or any(
        function in file.functions(call) for call in file.calls("default")
    )


def _is_documented(parameter: str, function: Function) -> bool:
    """Return whether the docstring of a function states the default where it names a parameter."""
    text = ast.get_docstring(function) or ""
    end = r"(?=\n\s*\n|\n\s*[\w`]+\s*(?:\(.*?\))?\s*:|\Z)"
    named = re.finditer(rf"\b{re.escape(parameter)}\b.*?{end}", text, re.DOTALL)
    return any(DEFAULTS.search(entry[0]) for entry in named)


def _required(
    function: Function, optional: ast.arg, span: Span, file: FileView
) -> Replacement | None:
    """Return the parameters with one made required and keyword-only, if their order can stay."""
    arguments, lines = function.args, file.source.lines
    is_keyword = optional in arguments.kwonlyargs
    has_no_star = arguments.vararg is None and not arguments.kwonlyargs
    is_last = optional in arguments.args[-1:] and has_no_star
    place = parameters_span(function, lines)
    code, before = code_of(place, lines), code_of(span, lines)
    later_lines = code.split("\n")[1:]
    is_indented = all(line.startswith(" " * function.col_offset) for line in later_lines)
    if not (is_keyword or is_last) or not is_indented or code.count(before) != 1:
        return None
    type_ = f": {_without_none(optional.annotation, file)}" if optional.annotation else ""
    after = ("" if is_keyword else "*, ") + optional.arg + type_
    return Replacement(
        place,
        code.replace(before, after),
        safe=False,
        description=f"make `{optional.arg}` required; callers that omit it must pass it",
    )


def _without_none(annotation: ast.expr, file: FileView) -> str:
    """Return `T` for `T | None` and `Optional[T]`."""
    if isinstance(annotation, ast.BinOp) and is_none(annotation.right):
        return file.code(annotation.left, parentheses=True)
    if isinstance(annotation, ast.Subscript) and file.code(annotation.value).endswith("Optional"):
        return file.code(annotation.slice)
    return file.code(annotation, parentheses=True)
