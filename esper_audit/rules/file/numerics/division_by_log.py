"""The rule `division-by-log`: a division by a logarithm that is zero for one or for none."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Options, Rule, Triggers, Valid, Violation
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
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, text_of

NUMBERS = frozenset({"math.log", "math.log2", "math.log10"})
OF_NUMPY = frozenset({"numpy.log", "numpy.log2", "numpy.log10"})
LOGARITHMS = frozenset({"log", "log2", "log10"})
EMPTY = "`{}` divides by `{}`, which is 0 where {} is 0: clamp the {} first"
SINGLE = "`{}` divides by `{}`, which is 0 where {} is 1: treat that case apart"


class DivisionByLogOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`lengths`: also report a division by numpy's `log(n)` of a length, which warns for a length of 1."""

    lengths: bool = False


class DivisionByLog(Rule):
    """A division by the logarithm of a count, which is zero for none or for one.

    What: a division by `log(n + 1)` or `log1p(n)` of a count in a tensor (a degree by `scatter_add`,
    `bincount` or `index_add`, a sum of a mask) that may be 0, or by `log(n)` of one, which may be 1; a
    division by `math.log(n)` of a length (`len(x)`, `x.shape[i]`, `x.size(i)`) that may be 1, with the
    option `lengths` also by numpy's.

    Why: the logarithm is exactly 0 for a node without edges, an empty row, a single class. The
    quotient is infinite, and infinity times the 0 of that node is NaN; of plain numbers the division
    raises.

    Quiet: a clamp of the count, an epsilon beside the logarithm, a test of the count, logarithms of
    constants and of values without a known origin; lengths by numpy, as of the classes or the users, which
    are 1 in theory only, and where numpy warns (option `lengths`).

    Tickets: real code
    """

    contract = "finite-numbers"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "1 of 1 by readers in 27 packages, none in 131 others; lengths by numpy are an option; 0 "
        "of 2 in the last 65 unseen packages, before mending on them"
    )
    triggers = Triggers(calls=LOGARITHMS | {"log1p"})

    Options = DivisionByLogOptions
    options: DivisionByLogOptions

    VALID = (
        Valid(
            "a clamp of the count, an epsilon beside the logarithm",
            """
            import torch
            def scale(out, index, n, mean):
                degree = torch.bincount(index, minlength=n).clamp(min=1)
                other = torch.bincount(index, minlength=n)
                return out * mean / torch.log(degree + 1) + out / (torch.log(other + 1) + 1e-6)
            """,
        ),
        Valid(
            "a constant, ranks that begin at 1, a value that is passed",
            """
            import math
            import torch
            def gain(x, values):
                ranks = torch.arange(len(values)) + 1
                return x / math.log(2) + values / torch.log2(ranks + 1.0) + values / torch.log(x)
            """,
        ),
        Valid(
            "the number of the classes, and of the users",
            """
            import numpy as np
            def entropy(p, train):
                users = len(train.keys())
                return -(p * np.log2(p)).sum(1) / np.log2(p.shape[1]) + p / np.log2(users)
            """,
        ),
        Valid(
            "a count that is two at least",
            """
            import torch
            def spread(entropy, mask):
                return entropy / mask.sum(-1).clamp(min=2).float().log()
            def other(entropy, mask):
                n = mask.sum(-1)
                return torch.where(n > 1, entropy / torch.log(n), 0.0)
            """,
        ),
        Valid(
            "a length that is tested",
            """
            import math
            def normalised(entropy, weights):
                n = weights.shape[-1]
                if n == 1:
                    return entropy
                return entropy / math.log(n)
            def other(entropy, items):
                return entropy / math.log(len(items)) if len(items) > 1 else 0.0
            """,
        ),
    )
    INVALID = (
        Invalid(
            "degrees by three operations",
            """
            import torch
            def scalers(x, target, n, average):
                degree = torch.zeros(n).scatter_add_(0, target, torch.ones(target.numel()))
                degree = degree.view(-1, 1)
                a = x * (average / torch.log(degree + 1))
                b = x / torch.bincount(target, minlength=n).log1p().unsqueeze(-1)
                c = average / (1 + (target[:, None] == target).sum(-1)).float().log()
                return a + b + c
            """,
            (
                (
                    5,
                    EMPTY.format(
                        "average / torch.log(degree + 1)",
                        "torch.log(degree + 1)",
                        "a degree",
                        "count",
                    ),
                ),
                (
                    6,
                    EMPTY.format(
                        "x / torch.bincount(target, minlength=n).log1p().unsqueeze(-1)",
                        "torch.bincount(target, minlength=n).log1p()",
                        "a count",
                        "count",
                    ),
                ),
                (
                    7,
                    EMPTY.format(
                        "average / (1 + (target[:, None] == target).sum(-1)).float().log()",
                        "(1 + (target[:, None] == target).sum(-1)).float().log()",
                        "a count",
                        "count",
                    ),
                ),
            ),
        ),
        Invalid(
            "the logarithm in a variable, from a helper",
            """
            import torch
            from torch_geometric.utils import degree
            def attenuate(x, index, n, delta):
                d = _degrees(index, n)
                log_degree = torch.log(d + 1.0)
                return x * delta / log_degree
            def _degrees(index, n):
                return degree(index, n)
            """,
            (
                (
                    6,
                    EMPTY.format(
                        "x * delta / log_degree", "torch.log(d + 1.0)", "a degree", "count"
                    ),
                ),
            ),
        ),
        Invalid(
            "a degree that a caller passes",
            """
            def scale(messages, deg, mean):
                return messages * (mean / (deg + 1).log())
            """,
            (
                (
                    2,
                    EMPTY.format("mean / (deg + 1).log()", "(deg + 1).log()", "a degree", "count"),
                ),
            ),
        ),
        Invalid(
            "a count of 1",
            """
            import torch
            def spread(weights, mask):
                entropy = -(weights * weights.clamp_min(1e-12).log()).sum(-1)
                allowed = mask.sum(-1)
                return entropy / torch.log(allowed.float())
            """,
            (
                (
                    5,
                    SINGLE.format(
                        "entropy / torch.log(allowed.float())",
                        "torch.log(allowed.float())",
                        "a count",
                    ),
                ),
            ),
        ),
        Invalid(
            "a length of 1",
            """
            import math
            import torch
            def normalised_entropy(p):
                entropy = -(p * (p + 1e-9).log()).sum(-1)
                return entropy / math.log(p.shape[-1])
            """,
            (
                (
                    5,
                    SINGLE.format(
                        "entropy / math.log(p.shape[-1])",
                        "math.log(p.shape[-1])",
                        "`p.shape[-1]`",
                    ),
                ),
            ),
        ),
        Invalid(
            "a length of 1 by numpy, with the option `lengths`",
            """
            import numpy as np
            def entropy(p):
                return -(p * np.log2(p)).sum(1) / np.log2(len(p))
            """,
            (
                (
                    3,
                    SINGLE.format(
                        "-(p * np.log2(p)).sum(1) / np.log2(len(p))", "np.log2(len(p))", "`len(p)`"
                    ),
                ),
            ),
            options={"lengths": True},
        ),
    )

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report divisions by a logarithm that may be 0."""
        if not isinstance(node, ast.Call) or is_replaced(node, file):
            return
        message, subject = _zero(node, file, lengths=self.options.lengths)
        if not message:
            return
        for division in _divisions(node, file):
            if not _is_tested(subject, division, file):
                code = " ".join(file.code(division).split())
                yield Violation(division, message.format(code, file.code(node)))


def _zero(call: ast.Call, file: FileView, *, lengths: bool) -> tuple[str, ast.expr]:
    """Return the message for a logarithm that may be 0, empty for any other, and what it is taken of."""
    subject = call.args[0] if call.args else call
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


def _divisions(call: ast.Call, file: FileView) -> Iterator[ast.BinOp]:
    """Yield the divisions by a logarithm, directly or through the name it is assigned to."""
    above, below = file.parent(call), call
    while isinstance(above, (ast.Attribute, ast.Call, ast.Subscript)):
        above, below = file.parent(above), above  # type: ignore[assignment]  # an expression
    is_divisor = isinstance(above, ast.BinOp) and isinstance(above.op, ast.Div)
    if isinstance(above, ast.BinOp) and is_divisor and above.right is below:
        yield above
    if isinstance(above, ast.Assign) and isinstance(above.targets[0], ast.Name):
        name, functions = above.targets[0].id, file.functions(call)
        for part in walk(functions[-1]) if functions else ():
            is_division = isinstance(part, ast.BinOp) and isinstance(part.op, ast.Div)
            if isinstance(part, ast.BinOp) and is_division and dotted(part.right) == name:
                yield part


def _is_tested(subject: ast.expr, division: ast.BinOp, file: FileView) -> bool:
    """Return whether a test around a division, or a bound before it, excludes the zero."""
    origins = file.once(ValueOrigins).of(subject, calls=0)
    texts = {text_of(subject), *map(text_of, origins)}
    tests = [text_of(part) for test in tests_around(division, file) for part in walk(test)]
    bounded = any(has_bound(origin) for origin in origins)
    return bounded or is_compared(subject, file) or not texts.isdisjoint(tests)
