"""The rule `log-of-probability`: the logarithm of a probability that may be exactly zero."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.numerics import log_of_probability_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.numerics.positive_probabilities import is_never_zero
from esper_audit.source.idioms.numerics.probabilities import EXPONENTIAL, probability
from esper_audit.source.idioms.numerics.tensor_calls import tensor_call
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, terminal_name

LOGARITHMS = frozenset({"log", "log2", "log10"})
GUARDS = frozenset({"where", "nan_to_num", "nan_to_num_", "masked_fill", "masked_fill_", "clamp"})
SOFTMAX = "`{}` takes the log of a softmax, which underflows to 0: use `log_softmax`"
SIGMOID = "`{}` takes the log of a sigmoid, which underflows to 0: use `logsigmoid`"
COMPLEMENT = "`{}` takes the log of 1 minus a sigmoid, which rounds to 0: use `logsigmoid(-x)`"
REST = "`{}` takes the log of 1 minus {}, which rounds to 0: clamp it first"


class LogOfProbability(Rule):
    """The logarithm of a softmax or a sigmoid is minus infinity where it underflows.

    What: `log` of a softmax or a sigmoid, of 1 minus one or of the quotient of two, directly, through
    local names, through indexing and reshaping, or through a function of the same file that returns it.

    Why: a softmax is exactly 0 where a logit is 104 below the largest in float32, and where it is 18
    below in float16. A sigmoid is exactly 1 from 17 on. The loss is then infinite and every
    gradient NaN. `log_softmax` and `logsigmoid` have no such limit.

    Quiet: an epsilon, a clamp or a maximum inside the logarithm, or on the probability before;
    a logarithm inside `where`, `nan_to_num` or a clamp; a probability that
    a caller of another file passes; a logarithm that is only shown; the probability, by its index, of what
    the function drew by it; the function that is registered as `log_softmax`; a probability that the
    function divides by, too; a sigmoid of
    angles, cosines or a range of constants, which are bounded; `log_`, which autograd refuses on a softmax.

    Tickets: real code
    """

    contract = "finite-numbers"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "38 of 39 by readers in 215 packages, after mending on them (braindecode, cornac, lightzero "
        "and others); 18 of 28 in the last 90 unseen packages, before mending on them"
    )
    triggers = Triggers(
        calls=LOGARITHMS | {"log1p"},
        parts=frozenset({"oftmax", "igmoid", "expit", "oftmin", "cross_entropy"}),
    )

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report the logarithm of a probability without a guard."""
        call = tensor_call(node, file)
        if call is None or call.name not in LOGARITHMS | {"log1p"} or _is_guarded(call.node, file):
            return
        subject = call.subject
        if call.name == "log1p":
            is_negated = isinstance(subject, ast.UnaryOp) and isinstance(subject.op, ast.USub)
            subject = subject.operand if isinstance(subject, ast.UnaryOp) else subject
            kind = probability(subject, file) if is_negated else ""
            kind = f"1 minus {kind}" if kind and not kind.startswith("1 minus") else ""
        else:
            kind = probability(subject, file)
        is_left = _is_shown(call.node, file) or is_never_zero(subject, call.node, file)
        if kind and kind != EXPONENTIAL and not is_left and not _is_statistic(call.node, file):
            yield Violation(call.node, _message(kind, " ".join(file.code(call.node).split())))


def _is_shown(node: ast.expr, file: FileView) -> bool:
    """Return whether a logarithm leaves torch at once, as a number to be shown."""
    above = file.parent(node)
    while isinstance(above, (ast.Attribute, ast.Call)):
        if isinstance(above, ast.Attribute) and above.attr in ("item", "numpy", "tolist"):
            return True
        above = file.parent(above)
    return False


def _is_statistic(node: ast.expr, file: FileView) -> bool:
    """Return whether a function only shows the local name that takes what is made of a logarithm."""
    statement, functions = file.enclosing(node)[-1], file.functions(node)
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    target = statement.target if isinstance(statement, ast.AugAssign) else (*targets, None)[0]
    if not isinstance(target, ast.Name) or len(targets) > 1 or not functions:
        return False
    names = scan(functions[-1], {ast.Name})
    reads = [n for n in names if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
    shown = [_is_shown(name, file) for name in reads if name.id == target.id]
    return bool(shown) and all(shown)


def _message(kind: str, code: str) -> str:
    if kind == "1 minus a sigmoid":
        return COMPLEMENT.format(code)
    if kind.startswith("1 minus "):
        return REST.format(code, kind.removeprefix("1 minus "))
    return (SIGMOID if "sigmoid" in kind else SOFTMAX).format(code)


def _is_guarded(node: ast.expr, file: FileView) -> bool:
    """Return whether a call around a node replaces what is infinite or NaN."""
    above = file.parent(node)
    while above is not None and not isinstance(above, ast.stmt):
        if isinstance(above, ast.Call) and terminal_name(above.func) in GUARDS:
            return True
        above = file.parent(above)
    return isinstance(above, ast.Assign) and _is_selected(above, file)


def _is_selected(statement: ast.Assign, file: FileView) -> bool:
    """Return whether `where` takes or leaves the value of a statement later on."""
    functions = file.functions(statement)
    calls = scan(functions[-1], {ast.Call}) if functions else []
    chosen = (c for c in calls if isinstance(c, ast.Call) and terminal_name(c.func) == "where")
    names = {dotted(target) for target in statement.targets}
    return any(not names.isdisjoint(map(dotted, call.args)) for call in chosen)
