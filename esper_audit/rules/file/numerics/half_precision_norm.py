"""The rule `half-precision-norm`: a norm by squaring that overflows in half precision."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.idioms.numerics.gradient_modes import is_differentiated, is_from_input
from esper_audit.source.idioms.numerics.tensor_calls import tensor_call
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins, passed_arguments
from esper_audit.source.syntax.ast_walk import walk
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
    it, deals with half precision.

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

    VALID = (
        Valid(
            "a conversion before the square, in the sum, and by the caller",
            """
            import torch
            from torch import nn
            class Norm(nn.Module):
                def forward(self, x):
                    wide = x.to(torch.float32)
                    a = torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)
                    b = (x**2).sum(-1, dtype=torch.float32).sqrt()
                    return (a + b + self.size(x.float())).to(torch.float16)
                def size(self, x):
                    return x.pow(2).mean(-1).sqrt()
            """,
        ),
        Valid(
            "no half precision in the file",
            """
            import torch
            from torch import nn
            class Norm(nn.Module):
                def forward(self, x):
                    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
            """,
        ),
        Valid(
            "half precision in another function, and autocast that is turned off",
            """
            import torch
            from torch import nn
            class Norm(nn.Module):
                def forward(self, x):
                    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
            class Spectrum(nn.Module):
                def forward(self, wave):
                    with torch.autocast("cuda", enabled=False):
                        parts = torch.view_as_real(self.transform(wave))
                    return torch.sqrt(parts.pow(2).sum(-1))
            def shrink(model):
                return model.half()
            """,
        ),
        Valid(
            "the norm of torch, which sums in float32",
            """
            import torch
            def total(model):
                grads = [p.grad for p in model.parameters()]
                return torch.stack([g.norm() for g in grads if g.dtype == torch.float16]).norm()
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a root mean square in the forward of a module",
            """
            import torch
            from torch import nn
            class Norm(nn.Module):
                def forward(self, x):
                    mean = x.pow(2).mean(-1, keepdim=True)
                    return (x * torch.rsqrt(mean + self.eps)).to(torch.bfloat16)
            """,
            ((6, MESSAGE.format("torch.rsqrt(mean + self.eps)", "x", "x")),),
        ),
        Invalid(
            "the square of a difference",
            """
            import torch
            from torch import nn
            class Norm(nn.Module):
                def forward(self, x):
                    u = x.mean(-1, keepdim=True)
                    s = (x - u).pow(2).mean(-1, keepdim=True)
                    return ((x - u) / torch.sqrt(s + self.eps)).to(torch.float16)
            """,
            ((7, MESSAGE.format("torch.sqrt(s + self.eps)", "(x - u)", "(x - u)")),),
        ),
        Invalid(
            "the gradients of a model in half precision",
            """
            import torch
            def total(model):
                model.half()
                return sum((p.grad**2).sum() ** 0.5 for p in model.parameters())
            """,
            ((4, MESSAGE.format("(p.grad**2).sum() ** 0.5", "p.grad", "p.grad")),),
        ),
        Invalid(
            "in a helper that forward calls, under autocast",
            """
            import torch
            from torch import nn
            def length(v):
                return v.square().sum(dim=-1).sqrt()
            class Unit(nn.Module):
                def forward(self, x):
                    with torch.autocast("cuda"):
                        return x / (length(x) + 1e-3)
            """,
            ((4, MESSAGE.format("v.square().sum(dim=-1).sqrt()", "v", "v")),),
        ),
    )

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
    return any(HALF_NAME.search(file.text(function)) for function in around)


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
