"""The rule `uncorrected-ema`: a moving average that starts at zero is read without bias correction."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.numerics import uncorrected_ema_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.numerics.average_reads import is_reported_only
from esper_audit.source.idioms.numerics.ema_initial_value import (
    has_counterpart_at_one,
    is_initialised_to_zero,
)
from esper_audit.source.idioms.numerics.ema_update import (
    UPDATE_METHODS,
    ema_update,
    ema_updates,
    is_constant,
    literal_number,
)
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, terminal_name
from esper_audit.text.phrases import quoted

CORRECTION_NAME = re.compile(r"(?i)bias_?corr|debias|unbias|corrected")
OPTIMIZER = re.compile(r"(?i)optim|rmsprop")


class UncorrectedEma(Rule):
    """A moving average starts at zero and is read without bias correction.

    What: an exponential moving average (`avg = b*avg + (1 - b)*x`, `avg.mul_(b).add_(x, alpha=1-b)`,
    `avg.lerp_(x, w)`, `avg += w*(x - avg)`) with a constant rate and the initial value zero, in a
    class or function that neither divides by `1 - b**n` nor starts with the first sample.

    Why: after n steps the average is too small by the share `b**n`: for b = 0.9 the first value is a
    tenth of the sample, for 0.99 a third is missing after a hundred steps. A gate, a ratio or a
    reward that reads it depends on the warm-up instead of the network.

    Quiet: an average that starts with None, the first sample or a copy; a class that contains an
    expression such as `1 - b**n`, a name such as `bias_correction`, or a division by another average
    (both have the same bias); a rate that changes (a gate, a warm-up, 1/n); a local variable that is
    updated once, not in a loop; what is only reported under a name; statistics that start as (0, 1) like
    those of a batch norm; an optimizer, which follows the formula of its paper.

    Off by default: an average that starts at 0 is often warmed up, or corrected where it is read.

    Tickets: deep dive 2, B7-CR-04, real code
    """

    contract = "ema-bias"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P3
    roles = OUTSIDE_TESTS
    default = False
    precision = (
        "0 of 3 by readers in 27 packages seen last; before: 21 of 22 findings were correct (peft, "
        "torchrl, monai, pfrl, espnet, ultralytics); 0 of 11 in 49 packages more, before mending on "
        "them"
    )
    triggers = Triggers(
        calls=UPDATE_METHODS,
        nodes=frozenset({"Assign", "AugAssign"}),
        # `1 - b`, `x - avg`, or two literals that add to one; `lerp` needs neither.
        parts=frozenset({"-", "0.", " .", "lerp"}),
    )

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Drop assignments of anything but sums and calls of `lerp`, and steps of anything but sums."""
        return [n for n in nodes if n.__class__ is ast.Call or _may_update(n)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report the update of an average that starts at zero without bias correction."""
        found = ema_update(node)
        if found is None or not isinstance(node, (ast.expr, ast.stmt)):
            return
        average, tree, functions = found.average, file.tree, file.functions(node)
        owner = _owner(functions, file)
        local = functions[-1] if functions else tree
        scope = owner if owner is not None and "." in average else local
        if _is_optimizer(owner) or not is_constant(found.share, local):
            return
        is_average = "." in average or _is_repeated(average, local)
        if not is_average or _is_corrected(scope) or has_counterpart_at_one(average, scope):
            return
        if is_reported_only(average, scope):
            return
        if is_initialised_to_zero(average, scope, file):
            share = quoted(ast.unparse(found.share))
            message = f"{average} starts at zero without bias correction: its first value is {share} of the sample"
            yield Violation(node, message)


def _may_update(node: ast.AST) -> bool:
    """Return whether an assignment adds, or assigns what a call of `lerp` returns."""
    if node.__class__ is ast.AugAssign:
        return node.op.__class__ is ast.Add
    if node.__class__ is not ast.Assign:
        return True
    value = node.value
    if value.__class__ is ast.BinOp:
        return value.op.__class__ is ast.Add
    return value.__class__ is ast.Call and terminal_name(value.func).endswith("lerp")


def _owner(functions: Sequence[Function], file: FileView) -> ast.ClassDef | None:
    """Return the innermost class that has one of the functions as a method, or None."""
    classes = file.nodes(ast.ClassDef) if functions else []
    owners = [owner for owner in classes if any(function in owner.body for function in functions)]
    return owners[-1] if owners else None


def _is_optimizer(owner: ast.ClassDef | None) -> bool:
    return owner is not None and any(
        OPTIMIZER.search(name) for name in (owner.name, *map(ast.unparse, owner.bases))
    )


def _is_repeated(average: str, scope: ast.AST) -> bool:
    loops = (node for node in walk(scope) if isinstance(node, (ast.For, ast.AsyncFor, ast.While)))
    return any(found.average == average for loop in loops for found in ema_updates(loop))


def _is_corrected(scope: ast.AST) -> bool:
    """Return whether a scope corrects an average: by `1 - b**n`, by name or by another average."""
    averages = {found.average.rpartition(".")[2] for found in ema_updates(scope)}
    return any(
        CORRECTION_NAME.search(_identifier(node))
        or (isinstance(node, ast.BinOp) and _is_correction(node, averages))
        for node in walk(scope)
    )


def _is_correction(node: ast.BinOp, averages: set[str]) -> bool:
    if isinstance(node.op, ast.Sub) and literal_number(node.left) == 1:
        by_call = isinstance(node.right, ast.Call) and dotted(node.right.func).endswith("pow")
        by_operator = isinstance(node.right, ast.BinOp) and isinstance(node.right.op, ast.Pow)
        return by_call or by_operator
    sides = ({_identifier(part) for part in walk(side)} for side in (node.left, node.right))
    return isinstance(node.op, ast.Div) and not any(averages.isdisjoint(side) for side in sides)


def _identifier(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
