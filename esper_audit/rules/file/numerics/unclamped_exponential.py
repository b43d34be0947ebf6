"""The rule `unclamped-exponential`: the exponential of a log-ratio that nothing bounds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.numerics import unclamped_exponential_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.norms.importance_weights import is_importance_weight
from esper_audit.source.idioms.numerics.gradient_modes import ends_graph, is_without_gradients
from esper_audit.source.idioms.numerics.guards import has_bound, is_bounded, is_bounded_above
from esper_audit.source.idioms.numerics.probabilities import selected
from esper_audit.source.idioms.numerics.tensor_calls import TensorCall, tensor_call
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins, passed_arguments
from esper_audit.source.syntax.ast_walk import scan, walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, terminal_name, text_of

LOG_PROBABILITY = re.compile(
    r"(?i)(^|_)(log_?probs?|log_?ps?|logpi|log_?pi|log_?prob_?\w*|log_?likelihoods?|lprobs?)(_|$)"
)
LOG_RATIO = re.compile(r"(?i)(^|_)(log_?ratios?|log_?rs?)(_|$)")
LOG_CALLS = frozenset({"log_prob", "log_softmax", "logsigmoid", "log_probs"})
AT_MOST_ZERO = frozenset({"logsumexp", "max", "amax", "logaddexp"})
MESSAGE = "`{}` is infinite where the two log-probabilities are {}: clamp the difference first"
APART = "89 apart (12 in float16)"


class UnclampedExponential(Rule):
    """The exponential of a difference of log-probabilities overflows where policies drift apart.

    What: `exp(a - b)` of two log-probabilities (by `log_prob`, `log_softmax`, what callers pass, or else
    by name or key), summed, masked or negated, where neither the difference nor the result is clamped;
    and in the estimator `exp(r) - r - 1` of a divergence also where only the result is.

    Why: one token that the reference finds likely and the policy does not makes the loss infinite. A
    clamp of the result keeps the value and not the gradient: 0 times infinity is NaN.

    Quiet: a clamp of the difference; a ratio that is clipped afterwards; differences from a maximum
    or a `logsumexp`; `no_grad`; log-variances and other exponents; a function that negates nothing and
    names no loss, as where a surrogate is maximised under a trust region, unless it divides the ratios by
    their own sum or multiplies them step by step.

    Off unless selected: a ratio of policies is bounded by a trust region in most algorithms, and
    maintainers keep the formula of the paper.

    Tickets: real code
    """

    contract = "finite-numbers"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    default = False
    precision = (
        "0 of 6 in the 20 packages read last (agilerl, DI-engine); before: 0 of 1 by readers in "
        "28 packages; 4 of 4 in 19 others (trl; two are its open issue 3015); 0 of 4 in 49 packages more, before "
        "mending on them"
    )
    triggers = Triggers(calls=frozenset({"exp", "expm1"}))

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report exponentials of log-ratios without a bound."""
        call = tensor_call(node, file)
        if call is None or call.name not in ("exp", "expm1"):
            return
        ratio = _log_ratio(call.subject, file)
        if ratio is None or is_without_gradients(call.node, file):
            return
        is_used = _is_minimised(call, file) or is_importance_weight(call.node, file)
        if not _is_divergence(call, file) and (_is_clipped(call, file) or not is_used):
            return
        yield Violation(call.node, MESSAGE.format(" ".join(file.code(call.node).split()), APART))


def _log_ratio(node: ast.expr, file: FileView) -> ast.expr | None:
    """Return the difference of log-probabilities that an expression is, None if it is bounded or none."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _log_ratio(node.operand, file)
    origins = file.once(ValueOrigins).of(node, _reduced)
    if any(has_bound(origin) or ends_graph(origin) for origin in (node, *origins)):
        return None
    for origin in origins:
        if isinstance(origin, ast.UnaryOp) and isinstance(origin.op, ast.USub):
            return _log_ratio(origin.operand, file)
        if isinstance(origin, ast.BinOp) and isinstance(origin.op, ast.Sub):
            sides = (origin.left, origin.right)
            if all(_is_log_probability(side, file) for side in sides):
                return origin
        elif isinstance(origin, ast.Name) and LOG_RATIO.search(origin.id):
            return origin
    return None


def _reduced(node: ast.expr, file: FileView) -> ast.expr | None:
    """Return the operand of a sum or mean over the sequence, of a mask, or of a selection."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        sides = (side for side in (node.left, node.right) if isinstance(side, ast.BinOp))
        return next((side for side in sides if isinstance(side.op, ast.Sub)), None)
    call = tensor_call(node, file)
    is_reduction = call is not None and call.name in ("sum", "mean")
    return call.subject if call is not None and is_reduction else selected(node, file)


def _is_log_probability(node: ast.expr, file: FileView, depth: int = 1) -> bool:
    """Return whether a value is a log-probability, by what makes it, what callers pass, or its name."""
    origins = file.once(ValueOrigins).of(node, selected)
    calls = [terminal_name(o.func) for o in origins if isinstance(o, ast.Call)]
    if not AT_MOST_ZERO.isdisjoint(calls):
        return False
    if not LOG_CALLS.isdisjoint(calls):
        return True
    names = [dotted(node), *map(dotted, origins), *map(_key, (node, *origins))]
    if any(LOG_PROBABILITY.search(name.rpartition(".")[2]) for name in names):
        return True
    parameters = [o for o in origins if isinstance(o, ast.Name)] if depth else []
    given = [argument for name in parameters for argument in passed_arguments(name, file)]
    return bool(given) and all(_is_log_probability(each, file, depth - 1) for each in given)


def _key(node: ast.expr) -> str:
    """Return the text by which a value is taken from a batch, empty for anything else."""
    key = node.slice if isinstance(node, ast.Subscript) else None
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""


def _is_clipped(call: TensorCall, file: FileView) -> bool:
    """Return whether the result, or the name it is assigned to, is clamped."""
    if is_bounded(call.node, file):
        return True
    statement = file.enclosing(call.node)[-1]
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    functions = file.functions(call.node)
    if not isinstance(target, ast.Name) or not functions:
        return False
    names = (n for n in scan(functions[-1], {ast.Name}) if isinstance(n, ast.Name))
    uses = (n for n in names if n.id == target.id and isinstance(n.ctx, ast.Load))
    return any(is_bounded_above(use, file) for use in uses)


def _is_minimised(call: TensorCall, file: FileView) -> bool:
    """Return whether the function of an exponential negates something or computes a loss by name.

    A surrogate that is maximised under a trust region, and a test of acceptance, do neither.
    """
    functions = file.functions(call.node)
    scope: ast.AST = functions[-1] if functions else file.tree
    for node in scan(scope, {ast.UnaryOp, ast.Name}):
        if isinstance(node, ast.UnaryOp):
            if isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
                return True
        elif isinstance(node, ast.Name) and "loss" in node.id.lower():
            return True
    return bool(functions) and "loss" in functions[-1].name.lower()


def _is_divergence(call: TensorCall, file: FileView) -> bool:
    """Return whether an exponential stands in `exp(r) - r - 1` or `exp(r) - 1 - r`."""
    above, below = file.parent(call.node), call.node
    exponent = text_of(call.subject)
    while isinstance(above, ast.BinOp):
        is_minuend = isinstance(above.op, ast.Sub) and above.left is below
        if is_minuend and any(text_of(part) == exponent for part in walk(above.right)):
            return True
        above, below = file.parent(above), above  # type: ignore[assignment]  # an expression
    return False
