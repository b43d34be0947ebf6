"""The rule `wrong-parameter-count`: a count of parameters that tied or optional weights make wrong."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.declarations import wrong_parameter_count_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.declarations.matrix_terms import short_terms
from esper_audit.source.idioms.declarations.parameter_totals import (
    counting_steps,
    identifiers_behind,
    identifiers_of,
    optional_layers,
    sizes_of,
    subtractions_where_tied,
)
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, terminal_name
from esper_audit.text.phrases import quoted

COUNT = re.compile(
    r"^(get_|count_|estimate_|compute_|_)*(n|num|total|model)?_?param(eter)?s?(_count|_estimate|_num)?$"
)
WORDS = frozenset(
    {"n_params", "num_params", "num_parameters", "n_parameters", "param_count", "parameter_count"}
    | {
        "count_parameters",
        "count_params",
        "total_params",
        "estimate_params",
        "param_estimate",
        "numel",
    }
    | {"get_num_params", "nparams", "estimate_parameters", "model_params", "parameter_estimate"}
    | {
        "total_parameters",
        "num_param",
        "params_count",
        "n_param",
        "compute_params",
        "get_num_parameters",
    }
)


class WrongParameterCount(Rule):
    """A count of parameters that tied or optional weights make wrong.

    What: a subtraction, under a condition that weights are tied, from a sum over `parameters()`, or of a
    linear layer's weight that the constructor ties whatever it is given; a formula of the sizes that
    never reads a switch with which the file builds a further layer of the same sizes (a gate, an
    adapter, an untied head), or that counts fewer matrices of two sizes (`2 * width * hidden`) than the
    one class that is built of them, or reads them of its configuration, has.

    Why: `parameters()` yields a shared parameter once, so that the tied embedding is then counted zero
    times. A formula for two matrices is a third short where a gate adds one, and what is ranked, priced
    or sharded by it is wrong at every size.

    Quiet: a sum with `remove_duplicate=False` or over a state dict; any other subtraction without a
    condition, as of the embedding;
    a switch that the formula reads; layers without matrices (norms, dropout).

    Tickets: real code
    """

    contract = "param-estimate"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "0 of 0 by readers in 46 packages, after mending on them, the known bugs are found; 0 of 1 in the "
        "last 65 unseen packages, before mending on them; no finding in 147 packages as widened since"
    )
    triggers = Triggers(
        calls=frozenset({"numel", "nelement"}),
        attributes=WORDS,
        nodes=frozenset({"FunctionDef"}),
        collected=frozenset({"If", "IfExp", "Call"}),
        words=WORDS,
    )

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep calls of `numel`, and what a formula binds or is called."""
        return [node for node in nodes if isinstance(node, ast.Call) or _is_formula(node)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report subtractions from sums without duplicates, and formulas that miss a switch."""
        if isinstance(node, ast.Call) and terminal_name(node.func) in ("numel", "nelement"):
            yield from self._check_sum(node, file)
        elif _is_formula(node) and isinstance(node, (ast.Attribute, Function)):
            yield from self._check_formula(node, file)

    def _check_sum(self, node: ast.Call, file: FileView) -> Iterator[Violation]:
        functions = file.functions(node)
        calls = scan(functions[-1], {ast.Call}) if functions else []
        counted = [c for c in calls if isinstance(c, ast.Call) and terminal_name(c.func) == "numel"]
        if not counted or min(counted, key=lambda call: (call.lineno, call.col_offset)) is not node:
            return
        for step, total in subtractions_where_tied(functions[-1], file):
            message = f"`{quoted(file.code(step))}` counts the tied weights zero times"
            yield Violation(
                step,
                f"{message}: the sum `{total}` over `parameters()` has them once. Leave the subtraction out.",
            )

    def _check_formula(self, node: ast.Attribute | Function, file: FileView) -> Iterator[Violation]:
        function = node if isinstance(node, Function) else file.functions(node)[-1]
        if isinstance(node, ast.Attribute) and not _is_first(node, function):
            return
        steps = counting_steps(node, function)
        known = (
            identifiers_of(node) if node is function else identifiers_behind(steps, function, file)
        )
        for short in short_terms(function, file) if node is function else ():
            code, name = quoted(file.code(short.term)), short.owner.name
            message = f"`{code}` counts {short.counted} matrices of these sizes, and `{name}` has {short.matrices}"
            yield Violation(short.term, f"{message} (line {short.owner.lineno}). Count them all.")
        for switch, layer in optional_layers(file):
            sizes = {name for argument in layer.args[:2] for name in sizes_of(argument)}
            is_within = function in file.functions(layer)
            if switch in known or is_within or not sizes or not sizes <= known:
                continue
            ranked = [(len(sizes & identifiers_of(s)), s.lineno, at) for at, s in enumerate(steps)]
            step = steps[max(ranked)[2]] if ranked else node
            added = f"line {layer.lineno} adds `{quoted(file.code(layer))}`"
            message = f"the count does not read `{switch}`, with which {added}"
            yield Violation(step, f"{message}. Count that layer where the switch is on.")


def _is_formula(node: ast.AST) -> bool:
    """Return whether a node is a function with the name of a count, or binds an attribute of that name."""
    if isinstance(node, Function):
        return COUNT.search(node.name) is not None
    return isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)


def _is_first(node: ast.Attribute, function: Function) -> bool:
    bound = [n for n in scan(function, {ast.Attribute}) if isinstance(n, ast.Attribute)]
    lines = [n.lineno for n in bound if n.attr == node.attr and isinstance(n.ctx, ast.Store)]
    return min(lines) == node.lineno
