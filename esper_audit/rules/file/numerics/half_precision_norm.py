"""The rule `half-precision-norm`: a norm by squaring that overflows in half precision."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.numerics import half_precision_norm_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.idioms.numerics.gradient_modes import is_differentiated, is_from_input
from esper_audit.source.idioms.numerics.tensor_calls import tensor_call
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins, passed_arguments
from esper_audit.source.syntax.ast_walk import scan, walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.local_values import FunctionValues
from esper_audit.source.syntax.names import dotted, text_of

ROOTS = frozenset({"sqrt", "rsqrt"})
HALF = frozenset({b"half", b"float16", b"bfloat16", b"autocast", b"fp16", b"bf16", b"GradScaler"})
HALF_NAME = re.compile(
    r"\b(half|b?float16|[fb][pf]16|GradScaler|autocast(?!\([^)]*enabled=False))\b"
)
WIDE = ("float(", "double(", "float32", "float64", "dtype", "upcast")
DEEPEST = 5
MESSAGE = "`{}` squares in the precision of `{}`, and 256 squared is infinite in float16: use `{}.float()`"


class HalfPrecisionNorm(Rule):
    """A norm squares its elements in half precision.

    What: a root of a sum or mean of squares of an input of a module's `forward`, or of a `.grad`,
    without a conversion to float32 before the square, where its function, or one of the file that calls
    it, deals with half precision, or the file converts modules (`net.half()`).

    Why: the square of 256 is infinite in float16, so that one large activation makes the norm
    infinite and the output 0; the square of 0.0002 is 0. In bfloat16 the sum loses its small terms.

    Quiet: a conversion before the square or a `dtype=` in the sum; `torch.norm`, which sums in float32;
    functions that name no half precision; where autocast is turned off.

    Off unless selected: where the values are bounded, which the code seldom shows, nothing overflows.

    Tickets: real code
    """

    contract = "finite-numbers"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P3
    default = False
    precision = (
        "0 of 3 in 15 packages seen last (values that were normalised or are bounded); before: 0 of 1 in 28, "
        "and 0 of 5 in 49 more"
    )
    triggers = Triggers(
        calls=ROOTS,
        nodes=frozenset({"BinOp"}),
        parts=frozenset({"half", "float16", "autocast", "bf16", "fp16"}),
    )

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Drop the arithmetic that is no power."""
        return [n for n in nodes if not isinstance(n, ast.BinOp) or isinstance(n.op, ast.Pow)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report roots of sums of squares that were not converted."""
        if HALF.isdisjoint(file.source.words) or not isinstance(node, (ast.Call, ast.BinOp)):
            return
        operand = _under_root(node, file)
        squared = _squared(operand, file, 0) if operand is not None else None
        if squared is None or _is_wide(squared, file):
            return
        is_gradient = isinstance(squared, ast.Attribute) and squared.attr == "grad"
        is_input = is_differentiated(node, file) and is_from_input(squared, file)
        if (is_gradient or is_input) and _is_run_in_half(node, file):
            name = text_of(squared)
            name = name if dotted(squared) or isinstance(squared, ast.Call) else f"({name})"
            code = " ".join(file.code(node).split())
            yield Violation(node, MESSAGE.format(code, name, name))


def _is_run_in_half(node: ast.expr, file: FileView) -> bool:
    """Return whether the function around a node, or one of the file that calls it, names half precision."""
    functions = file.functions(node)
    if not functions:
        return False
    calls = file.once(LocalCalls).callers(functions[-1])
    around = {*functions, *(caller for call in calls for caller in file.functions(call))}
    is_forward = functions[-1].name == "forward"
    is_converted = is_forward and any(
        _converts_own(c, file) for c in file.calls("half", "bfloat16")
    )
    return is_converted or any(HALF_NAME.search(file.text(function)) for function in around)


def _converts_own(call: ast.Call, file: FileView) -> bool:
    """Return whether the function around a conversion makes an object of a class of the file."""
    functions = file.functions(call)
    own = file.once(class_table).by_name
    calls = scan(functions[-1], {ast.Call}) if functions and not call.args else []
    return any(isinstance(c, ast.Call) and dotted(c.func) in own for c in calls)


def _under_root(node: ast.Call | ast.BinOp, file: FileView) -> ast.expr | None:
    if isinstance(node, ast.BinOp):
        return node.left if text_of(node.right) in ("0.5", "-0.5") else None
    call = tensor_call(node, file)
    return call.subject if call is not None and call.name in ROOTS else None


def _squared(node: ast.expr, file: FileView, depth: int) -> ast.expr | None:
    """Return what is squared under a sum or mean, None if anything is converted on the way."""
    if depth > DEEPEST:
        return None
    for origin in file.once(ValueOrigins).of(node, calls=0):
        if isinstance(origin, ast.BinOp) and isinstance(origin.op, ast.Add):
            found = _squared(origin.left, file, depth + 1)
            if found is not None:
                return found
        call = tensor_call(origin, file)
        if (
            call is None
            or call.name not in ("sum", "mean")
            or call.argument("dtype", 9) is not None
        ):
            continue
        for inner in file.once(ValueOrigins).of(call.subject, calls=0):
            if isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Pow):
                return inner.left if text_of(inner.right) == "2" else None
            power = tensor_call(inner, file)
            if power is not None and power.name in ("pow", "square"):
                return power.subject
    return None


def _is_wide(node: ast.expr, file: FileView) -> bool:
    """Return whether a value, or what it comes from, is converted to a wide format somewhere."""
    texts = [text_of(node), *map(text_of, file.once(ValueOrigins).of(node))]
    for name in (part for part in walk(node) if isinstance(part, ast.Name)):
        values = file.once(FunctionValues).reaching(name)
        texts += [text_of(value.value) for value in values if value.value is not None]
        texts += map(text_of, passed_arguments(name, file))
    return any(wide in text for text in texts for wide in WIDE)
