"""The rule `unbiased-std-of-one`: a normalisation by a standard deviation that is NaN for one row."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.numerics import unbiased_std_of_one_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.attention.axes import integer
from esper_audit.source.idioms.numerics.counts import is_mask
from esper_audit.source.idioms.numerics.deviations import (
    is_minibatch,
    is_of_batch,
    is_of_maps,
    is_of_numpy,
)
from esper_audit.source.idioms.numerics.guards import is_replaced, tests_around
from esper_audit.source.idioms.numerics.tensor_calls import TensorCall, tensor_call
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins
from esper_audit.source.idioms.zeros.expected_zeros import is_returned
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import terminal_name, text_of

DEVIATIONS = frozenset({"std", "var"})
COLLECTED = frozenset({"tensor", "as_tensor", "stack", "cat", "Tensor", "FloatTensor"})
SIZES = ("len(", ".numel(", ".size(", ".shape", "size", "nelement")
MESSAGE = (
    "`{}` is NaN for {}, and an epsilon does not help: pass `correction=0` or leave that case out"
)


class UnbiasedStdOfOne(Rule):
    """A normalisation divides by a standard deviation that is NaN for a single sample.

    What: `(x - x.mean(...)) / x.std(...)`, also with an epsilon, of a mini-batch (over dim 0 in a loss,
    in a module or with an epsilon, a field of the batch of a loop, a range of shuffled indices), of
    what a mask selects, of pictures whose statistic over dim 0 a module returns, or of a list that
    became a tensor (returns, rewards, losses of an episode), with the unbiased estimate, which is the
    default.

    Why: the estimate divides by n - 1. The last mini-batch of an epoch, an episode of one step or a
    mask with one hit makes it 0 / 0, and one NaN reaches every weight. The epsilon shows that a
    deviation of 0 was thought of.

    Quiet: `unbiased=False`, `correction=0`, a test of the size, `nan_to_num`; pictures, features and
    other axes that are never of length 1; arrays of numpy, which divide by n.

    Off unless selected: that there is more than one sample is known to authors and not to the code.

    Tickets: real code
    """

    contract = "finite-numbers"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    default = False
    precision = (
        "0 of 2 in 17 packages seen last (norse, totalsegmentator); before: 0 of 0 by readers in 28 "
        "packages, after mending; 0 of 2 before; 1 of 6 in 49 packages more, before mending on them"
    )
    triggers = Triggers(calls=DEVIATIONS, words=frozenset({"std", "var"}))

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report normalisations by an unbiased deviation of what may be one sample."""
        call = tensor_call(node, file)
        if (
            call is None
            or call.name not in DEVIATIONS
            or _is_biased(call)
            or is_of_numpy(call, file)
        ):
            return
        few = _single(call, file)
        is_used = _is_normalisation(call, file) or _is_statistic(call, file)
        if not few or not is_used or is_replaced(call.node, file):
            return
        if not _is_size_tested(call, file):
            yield Violation(call.node, MESSAGE.format(" ".join(file.code(call.node).split()), few))


def _is_biased(call: TensorCall) -> bool:
    """Return whether a call asks for the estimate that divides by n, or does not show which."""
    if call.keywords.keys() & {"unbiased", "correction", "ddof"}:
        return True
    return any(isinstance(a, ast.Constant) and isinstance(a.value, bool) for a in call.arguments)


def _single(call: TensorCall, file: FileView) -> str:
    """Return what the only sample may be, empty if the axis is not one of samples."""
    dimension = call.argument("dim", 0)
    if dimension is not None:
        is_batch = integer(dimension) == 0 and (is_of_batch(call, file) or is_of_maps(call, file))
        return "a batch of one" if is_batch else ""
    if is_minibatch(call.subject, file):
        return "a mini-batch of one"
    for origin in file.once(ValueOrigins).of(call.subject):
        if isinstance(origin, ast.Subscript) and is_mask(origin.slice, file):
            return "a mask with one hit"
        name = terminal_name(origin.func) if isinstance(origin, ast.Call) else ""
        is_torch = name in COLLECTED and (file.resolve(origin.func) or "").startswith("torch.")  # type: ignore[attr-defined]  # a call
        if is_torch and isinstance(origin, ast.Call) and _is_collected(origin):
            return "" if _is_evaluation(call, file) else "a list of one"
    return ""


def _is_evaluation(call: TensorCall, file: FileView) -> bool:
    """Return whether the function of a deviation turns gradients off and runs no backward."""
    functions = file.functions(call.node)
    text = file.text(functions[-1]) if functions else ""
    is_off = "no_grad(" in text or "inference_mode(" in text
    return is_off and "backward(" not in text


def _is_collected(call: ast.Call) -> bool:
    """Return whether a tensor is made of a list that the program filled, not of literals."""
    first = call.args[0] if call.args else None
    return isinstance(first, (ast.Name, ast.Attribute, ast.ListComp))


def _is_statistic(call: TensorCall, file: FileView) -> bool:
    """Return whether a module returns what it computes from the deviation over a batch of pictures."""
    functions = file.functions(call.node)
    is_forward = bool(functions) and functions[-1].name == "forward"
    dimension = call.argument("dim", 0)
    is_batch = dimension is not None and integer(dimension) == 0
    return is_forward and is_batch and is_of_maps(call, file) and is_returned(call.node, file)


def _is_normalisation(call: TensorCall, file: FileView) -> bool:
    """Return whether the deviation divides what its mean was subtracted from."""
    above, below = file.parent(call.node), call.node
    name = _pair_name(above, call.node, file)
    if name:
        return _divides_by(name, call, file)
    while isinstance(above, (ast.Attribute, ast.Call, ast.Subscript)) or (
        isinstance(above, ast.BinOp) and isinstance(above.op, ast.Add)
    ):
        above, below = file.parent(above), above  # type: ignore[assignment]  # an expression
    if isinstance(above, ast.BinOp) and isinstance(above.op, ast.Div):
        return above.right is below and _subtracts_mean(above.left, call, file)
    if not isinstance(above, ast.Assign) or not isinstance(above.targets[0], ast.Name):
        return False
    return _divides_by(above.targets[0].id, call, file)


def _pair_name(above: ast.AST | None, node: ast.expr, file: FileView) -> str:
    """Return the name that `mean, deviation = x.mean(), x.std()` gives to a deviation."""
    statement = file.parent(above) if isinstance(above, ast.Tuple) else None
    if not isinstance(above, ast.Tuple) or not isinstance(statement, ast.Assign):
        return ""
    targets = statement.targets[0]
    if not isinstance(targets, ast.Tuple) or len(targets.elts) != len(above.elts):
        return ""
    return text_of(targets.elts[above.elts.index(node)])


def _divides_by(name: str, call: TensorCall, file: FileView) -> bool:
    """Return whether the function divides what the mean was subtracted from by a name."""
    functions = file.functions(call.node)
    for part in walk(functions[-1]) if functions else ():
        if not isinstance(part, ast.BinOp) or not isinstance(part.op, ast.Div):
            continue
        names = {text_of(below) for below in walk(part.right) if isinstance(below, ast.Name)}
        if name in names and _subtracts_mean(part.left, call, file):
            return True
    return False


def _subtracts_mean(node: ast.expr, call: TensorCall, file: FileView) -> bool:
    measured = text_of(call.subject)
    for origin in file.once(ValueOrigins).of(node, calls=0):
        if not isinstance(origin, ast.BinOp) or not isinstance(origin.op, ast.Sub):
            continue
        means = file.once(ValueOrigins).of(origin.right, calls=0)
        found = [part for mean in means for part in walk(mean) if isinstance(part, ast.Call)]
        if text_of(origin.left) == measured and any(terminal_name(f.func) == "mean" for f in found):
            return True
    return False


def _is_size_tested(call: TensorCall, file: FileView) -> bool:
    """Return whether a test around a deviation, or above it, asks for the number of samples."""
    tests = [text_of(test) for test in tests_around(call.node, file)]
    return any(size in test for test in tests for size in SIZES)
