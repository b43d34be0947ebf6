"""The rule `division-by-log`: a division by a logarithm that is zero for one or for none."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.numerics import division_by_log_cases as cases
from esper_audit.rules.rule import Options, Rule, Triggers, Violation
from esper_audit.source.idioms.numerics.counts import count_reason
from esper_audit.source.idioms.numerics.ema_update import literal_number
from esper_audit.source.idioms.numerics.guards import (
    has_bound,
    is_compared,
    is_replaced,
    tests_around,
)
from esper_audit.source.idioms.numerics.tensor_calls import tensor_call
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins
from esper_audit.source.idioms.zeros.divisions import divisions
from esper_audit.source.idioms.zeros.first_positions import first_position
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, terminal_name, text_of

NUMBERS = frozenset({"math.log", "math.log2", "math.log10"})
OF_NUMPY = frozenset({"numpy.log", "numpy.log2", "numpy.log10"})
OF_SUCCESSOR = frozenset({"math.log1p", "numpy.log1p"})
LOGARITHMS = frozenset({"log", "log2", "log10"})
EMPTY = "`{}` divides by `{}`, which is 0 where {} is 0: clamp the {} first"
FIRST = "`{}` divides by `{}`, which is 0 at the first position: begin to count at 2"
SINGLE = "`{}` divides by `{}`, which is 0 where {} is 1: treat that case apart"


class DivisionByLogOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`lengths`: also report a division by numpy's `log(n)` of a length, which warns for a length of 1."""

    lengths: bool = False


class DivisionByLog(Rule):
    """A division by the logarithm of a count, which is zero for none or for one.

    What: a division by `log(n + 1)` or `log1p(n)` of a count in a tensor (a degree by `scatter_add`,
    `bincount` or `index_add`, a sum of a mask) that may be 0, or by `log(n)` of one, which may be 1; a
    division by the logarithm of positions that begin at 1 (`arange(n) + 1`, `i + 1` in a loop over
    `enumerate`); a division by `math.log(n)` of a length (`len(x)`, `x.shape[i]`, `x.size(i)`) that may
    be 1, with the option `lengths` also by numpy's.

    Why: the logarithm is exactly 0 for a node without edges, an empty row, a single class. The
    quotient is infinite, and infinity times the 0 of that node is NaN; of plain numbers the division
    raises.

    Quiet: a clamp of the count, an epsilon beside the logarithm, a test of the count, a first item that
    is cut off or assigned, logarithms of constants and of values without a known origin; lengths by
    numpy, as of the classes or the users, which are 1 in theory only, and where numpy warns (option
    `lengths`).

    Tickets: real code
    """

    contract = "finite-numbers"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "1 of 1 by readers in 27 packages, none in 131 others; lengths by numpy are an option; 0 "
        "of 2 in the last 65 unseen packages, before mending on them; no finding in 147 as widened since"
    )
    triggers = Triggers(calls=LOGARITHMS | {"log1p"})

    Options = DivisionByLogOptions
    options: DivisionByLogOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report divisions by a logarithm that may be 0."""
        if not isinstance(node, ast.Call) or is_replaced(node, file):
            return
        message, subject = _zero(node, file, lengths=self.options.lengths)
        if not message:
            return
        for division in divisions(node, file):
            if not _is_tested(subject, division, file):
                code = " ".join(file.code(division).split())
                yield Violation(division, message.format(code, file.code(node)))


def _zero(call: ast.Call, file: FileView, *, lengths: bool) -> tuple[str, ast.expr]:
    """Return the message for a logarithm that may be 0, empty for any other, and what it is taken of."""
    subject = call.args[0] if call.args else call
    if _is_zero_at_first(call, file):
        sides = [subject.left, subject.right] if isinstance(subject, ast.BinOp) else [subject]
        return FIRST, next((side for side in sides if literal_number(side) is None), subject)
    if file.resolve(call.func) in NUMBERS | OF_NUMPY and len(call.args) == 1:
        is_reported = lengths or file.resolve(call.func) in NUMBERS
        length = _length(subject, file) if is_reported else None
        return (
            (SINGLE.format("{}", "{}", f"`{text_of(length)}`"), subject) if length else ("", call)
        )
    found = tensor_call(call, file)
    if found is None:
        return "", call
    for origin in file.once(ValueOrigins).of(found.subject, _converted):
        counted = origin if found.name == "log1p" else _successor(origin)
        reason = count_reason(origin if counted is None else counted, file)
        if reason and counted is None:
            return SINGLE.format("{}", "{}", reason), origin
        if reason:
            return EMPTY.format("{}", "{}", reason, "count"), counted or call
    return "", call


def _is_zero_at_first(call: ast.Call, file: FileView) -> bool:
    """Return whether a logarithm is taken of what is counted from 1, or by `log1p` from 0."""
    found = tensor_call(call, file)
    is_number = (file.resolve(call.func) or "") in NUMBERS | OF_NUMPY | OF_SUCCESSOR
    if found is None and not (is_number and len(call.args) == 1):
        return False
    subject, name = (
        (found.subject, found.name) if found else (call.args[0], terminal_name(call.func))
    )
    return first_position(subject, file) == (0 if name == "log1p" else 1)


def _converted(node: ast.expr, file: FileView) -> ast.expr | None:
    """Return the operand of `x.float()`, `x.to(...)`."""
    call = tensor_call(node, file)
    return call.subject if call is not None and call.name in ("float", "to", "double") else None


def _successor(node: ast.expr) -> ast.expr | None:
    """Return `n` for `n + 1`."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add):
        return None
    sides = ((node.left, node.right), (node.right, node.left))
    return next((one for one, other in sides if literal_number(other) == 1), None)


def _length(node: ast.expr, file: FileView) -> ast.expr | None:
    for origin in file.once(ValueOrigins).of(node, calls=0):
        if isinstance(origin, ast.Call):
            is_length = dotted(origin.func) == "len" or dotted(origin.func).endswith(".size")
            if is_length and origin.args:
                return origin
        elif isinstance(origin, ast.Subscript) and dotted(origin.value).endswith(".shape"):
            return origin
    return None


def _is_tested(subject: ast.expr, division: ast.BinOp, file: FileView) -> bool:
    """Return whether a test around a division, or a bound before it, excludes the zero."""
    origins = file.once(ValueOrigins).of(subject, calls=0)
    texts = {text_of(subject), *map(text_of, origins)}
    tests = [text_of(part) for test in tests_around(division, file) for part in walk(test)]
    bounded = any(has_bound(origin) for origin in origins)
    return bounded or is_compared(subject, file) or not texts.isdisjoint(tests)
