"""The rule `gradient-nan-at-zero`: a root or a power whose gradient is infinite at zero."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.numerics import gradient_nan_at_zero_cases as cases
from esper_audit.rules.rule import Options, Rule, Triggers, Violation
from esper_audit.source.idioms.numerics.ema_update import literal_number
from esper_audit.source.idioms.numerics.gradient_modes import (
    ends_graph,
    is_differentiated,
    is_without_gradients,
)
from esper_audit.source.idioms.numerics.tensor_calls import enclosing_family, tensor_call
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins
from esper_audit.source.idioms.zeros.expected_zeros import has_expected_zero, is_returned
from esper_audit.source.idioms.zeros.zero_values import LEARNED_POWER, is_learned, zero_reason
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import defaults, dotted

ROOTS = frozenset({"sqrt", "pow", "float_power"})
PROBABILITY_WORDS = ("softmax", "sigmoid", "softmin", "probability")
MESSAGE = "the gradient of `{}` is infinite at 0, which {} reaches: add an epsilon inside"


SURE = frozenset({"a clamp at 0", "a mean squared error", LEARNED_POWER})


class RootOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether roots of values that are 0 only in rare cases are reported too.

    `every_root`: also report roots of any square, and of probabilities, and roots that nothing
    returned is computed from.
    """

    every_root: bool = False


class GradientNanAtZero(Rule):
    """A root or a power below 1 has an infinite gradient at zero.

    What: `sqrt`, or a power with an exponent between 0 and 1 (a literal, or the default of a
    parameter), of a value that is 0 for ordinary inputs: the square of a difference of two tensors, of
    all neighbours in one or of an argument, `clamp(min=0)`, a mean squared error, the mean of a learned
    power of a relu (whose exponent gets the NaN), where a loss or what the `forward` of a
    module reaches returns a value computed from the root; and a power, other than `sqrt`, of a
    sigmoid, a softmax, or 1 minus one, wherever autograd is on.

    Why: the gradient is infinite times 0, which is NaN, and one NaN reaches every weight. Two equal
    embeddings, a silent frame or a saturated sigmoid are enough. The value itself is right, so no
    test of the forward shows it.

    Quiet: an epsilon or a positive clamp inside; `norm`, `hypot`, `cdist`, which handle 0; `no_grad`,
    `.data`, `.detach()`; exponents of 1 and more; functions that no module and no loss reaches; a
    relu, whose gradient at 0 is 0; the energy of all of an argument; differences of elements of one
    tensor, from a constant or from a mean; roots that are only compared, printed or turned into
    indices, and roots of probabilities and of other squares (option `every_root`).

    Off by default: many roots are of measures and maps that nothing differentiates, which one file does
    not show.

    Tickets: real code
    """

    contract = "finite-numbers"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P2
    roles = OUTSIDE_TESTS

    default = False
    precision = (
        "5 of 12 by readers in 27 packages seen last; before: 6 of 6 by readers in 28 packages, after "
        "mending; 6 of 33 before; 4 of 10 in 49 packages more, before mending on them"
    )

    triggers = Triggers(
        calls=ROOTS, nodes=frozenset({"BinOp"}), parts=frozenset({"sqrt", "pow", "**"})
    )

    Options = RootOptions
    options: RootOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Drop the arithmetic that is no power."""
        return [n for n in nodes if not isinstance(n, ast.BinOp) or isinstance(n.op, ast.Pow)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report roots and powers below 1 of values that may be 0."""
        operand, exponent = _power(node, file)
        if operand is None or not isinstance(node, ast.expr) or ends_graph(operand):
            return
        if exponent is not None and not _is_fraction(exponent, file):
            return
        reason = zero_reason(operand, file)
        is_probability = any(word in reason for word in PROBABILITY_WORDS)
        if not reason or is_without_gradients(node, file):
            return
        if not is_probability and not is_differentiated(node, file):
            return
        if self.options.every_root or self._is_usual(node, operand, reason, file):
            yield Violation(node, MESSAGE.format(" ".join(file.code(node).split()), reason))

    @staticmethod
    def _is_usual(node: ast.expr, operand: ast.expr, reason: str, file: FileView) -> bool:
        """Return whether ordinary inputs reach the zero, and a gradient comes back from the root."""
        if any(word in reason for word in PROBABILITY_WORDS):
            call = tensor_call(node, file)
            return call is None or call.name != "sqrt"
        is_zero = reason in SURE or has_expected_zero(operand, file)
        return is_zero and is_returned(node, file)


def _power(node: ast.AST, file: FileView) -> tuple[ast.expr | None, ast.expr | None]:
    if isinstance(node, ast.BinOp):
        return (node.left, node.right) if isinstance(node.op, ast.Pow) else (None, None)
    call = tensor_call(node, file)
    if call is None:
        return None, None
    if call.name == "sqrt":
        return call.subject, None
    if call.name in ROOTS:
        return call.subject, call.argument("exponent", 0)
    return None, None


def _is_fraction(exponent: ast.expr, file: FileView) -> bool:
    """Return whether an exponent is between 0 and 1: a literal, or a parameter with such a default."""
    value = _number(exponent)
    if value is None and isinstance(exponent, ast.BinOp) and isinstance(exponent.op, ast.Div):
        # A root with a learned exponent, `1 / self.p`, starts above 1.
        return literal_number(exponent.left) == 1 and is_learned(exponent.right, file)
    if value is None and dotted(exponent):
        default = _default(exponent, file)
        value = _number(default) if default is not None else None
    return value is not None and 0 < value < 1


def _number(node: ast.expr) -> float | None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        upper, lower = literal_number(node.left), literal_number(node.right)
        return upper / lower if upper is not None and lower else None
    return literal_number(node)


def _default(node: ast.expr, file: FileView) -> ast.expr | None:
    """Return the default of a parameter, also of one that the constructor stores on the object."""
    functions = file.functions(node)
    if isinstance(node, ast.Name):
        origins = file.once(ValueOrigins).of(node, calls=0)
        own = (defaults(function.args).get(node.id) for function in reversed(functions))
        local = [None if origin is node else origin for origin in origins]
        return next((value for value in (*local, *own) if value is not None), None)
    family = enclosing_family(node, file)
    if not isinstance(node, ast.Attribute) or dotted(node.value) != "self" or family is None:
        return None
    stored = [use for use in family.bindings(node.attr) if use.method.name == "__init__"]
    if len(stored) != 1 or stored[0].value is None:
        return None
    value = stored[0].value
    return defaults(stored[0].method.args).get(dotted(value)) if dotted(value) else value
