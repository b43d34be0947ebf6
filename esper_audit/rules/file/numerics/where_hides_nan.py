"""The rule `where-hides-nan`: a branch of `where` that is infinite where it is not taken."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.numerics.gradient_modes import (
    ends_graph,
    is_differentiated,
    is_from_input,
)
from esper_audit.source.idioms.numerics.tensor_calls import (
    TensorCall,
    enclosing_family,
    tensor_call,
)
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, text_of

# The operations that have no finite gradient at 0.
SINGULAR = frozenset({"log", "log2", "log10", "sqrt", "rsqrt", "reciprocal", "xlogy"})
COUNTS = frozenset(
    {"numel", "size", "count_nonzero", "bincount", "full_like", "zeros_like", "ones_like", "zeros"}
    | {"ones", "full", "arange", "scatter_add_", "long", "int"}
)
STEPPING = (ast.Mod, ast.FloorDiv)
DEEPEST = 6
MESSAGE = "the gradient of `{0}` is NaN where `where` does not take it: replace `{1}` by a safe value inside, too"


class WhereHidesNan(Rule):
    """A `where` replaces an infinite value and keeps its NaN gradient.

    What: `torch.where(x > 0, f(x), ...)` in a loss or in what the `forward` of a module reaches, where
    `f(x)` is a division by `x`, or its `log`, `sqrt` or `reciprocal`, and the condition excludes the
    zeros of `x`.

    Why: `where` multiplies the gradient of the branch that it does not take by 0, and 0 times
    infinity is NaN. The forward is right, the first backward with such an element destroys all
    weights.

    Quiet: an operand that a `where`, a clamp, a `masked_fill` or an epsilon made safe before; code
    without gradients; operands that come from comparisons and counts.

    Off by default: ranges that make the hidden branch finite are often decided elsewhere.

    Tickets: real code
    """

    contract = "finite-numbers"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    default = False
    precision = (
        "0 of 2 by readers in 27 packages seen last; before: 1 of 1 finding in 19 packages would be "
        "merged (kornia); 0 of 4 in 49 packages more, before mending on them"
    )
    triggers = Triggers(calls=frozenset({"where"}))

    VALID = (
        Valid(
            "a safe operand inside",
            """
            import torch
            def entropy_loss(p):
                safe = torch.where(p > 0, p, torch.ones_like(p))
                return torch.where(p > 0, p * safe.log(), 0.0).sum()
            """,
        ),
        Valid(
            "constants that the module makes",
            """
            import torch
            from torch import nn
            class Head(nn.Module):
                def forward(self, x):
                    return x + self.anchors()
                def anchors(self):
                    parts = [torch.arange(4) / 4]
                    a = torch.cat(parts)
                    return torch.where(a > 0, torch.log(a), 0.0)
            """,
        ),
        Valid(
            "a setting of the module, and the step of a modulus",
            """
            import torch
            from torch import nn
            class HuberLoss(nn.Module):
                def __init__(self, beta):
                    super().__init__()
                    self.beta = beta
                def forward(self, x, y, step):
                    far = (x - y).abs()
                    near = torch.where(far < self.beta, far**2 / self.beta, far)
                    frames = x / step
                    return near + torch.where(x % step == 0, frames, frames.ceil())
            """,
        ),
        Valid(
            "a clamp, an epsilon",
            """
            import torch
            def ratio_loss(a, b):
                one = torch.where(b != 0, a / b.clamp(min=1e-6), 0.0)
                return one + torch.where(b > 0, torch.sqrt(b + 1e-8), 0.0)
            """,
        ),
        Valid(
            "no gradients, and counts",
            """
            import torch
            def precision(hits, total):
                return torch.where(total > 0, hits / total, 0.0)
            @torch.no_grad()
            def masked_loss(x):
                return torch.where(x > 0, x.log(), 0.0)
            def mean_loss(x, mask):
                count = mask.sum(1)
                return torch.where(count > 0, x.sum(1) / count, 0.0)
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a logarithm and a root",
            """
            import torch
            def entropy_loss(p):
                h = torch.where(p > 0, p * torch.log(p), torch.zeros_like(p))
                return h + torch.where(p == 0, 0.0, p.sqrt())
            """,
            ((3, MESSAGE.format("torch.log(p)", "p")), (4, MESSAGE.format("p.sqrt()", "p"))),
        ),
        Invalid(
            "a division in the forward of a module, with a mask",
            """
            import torch
            from torch import nn
            class Offset(nn.Module):
                def forward(self, x):
                    bend = x[1:] - 2 * x[:-1]
                    is_curved = bend.abs() > 1e-6
                    return torch.where(is_curved, x[1:] / bend, torch.zeros_like(bend))
            """,
            ((7, MESSAGE.format("x[1:] / bend", "bend")),),
        ),
        Invalid(
            "a branch that was computed before, by method",
            """
            import torch
            def angle_loss(x, y):
                slope = y / x
                return slope.where(x != 0, torch.zeros_like(x)).sum()
            """,
            ((4, MESSAGE.format("y / x", "x")),),
        ),
    )

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report branches of `where` whose gradient is NaN where they are not taken."""
        call = tensor_call(node, file)
        if call is None or call.name != "where" or not is_differentiated(call.node, file):
            return
        condition, branches = _parts(call, file)
        tested = {text_of(part) for part in condition}
        for branch in branches:
            for part, operand in _singular_parts(branch, file):
                if text_of(operand) not in tested or _is_safe(operand, file):
                    continue
                if is_from_input(operand, file):
                    code = " ".join(file.code(part).split())
                    yield Violation(call.node, MESSAGE.format(code, text_of(operand)))
                    return


def _parts(call: TensorCall, file: FileView) -> tuple[list[ast.expr], list[ast.expr]]:
    """Return what the comparisons of the condition compare, and what the branches compute."""
    is_method = isinstance(call.node.func, ast.Attribute) and call.subject is call.node.func.value
    condition = call.arguments[0] if is_method and call.arguments else call.subject
    branches = [call.subject, *call.arguments[1:]] if is_method else list(call.arguments)
    origins = file.once(ValueOrigins)
    compared = [part for origin in origins.of(condition, calls=0) for part in walk(origin)]
    comparisons = [part for part in compared if isinstance(part, ast.Compare)]
    tested = [p for c in comparisons for p in walk(c) if isinstance(p, ast.expr)]
    # In `x % step == 0` the step is no value that the condition excludes zeros of.
    steps = {p.right for p in tested if isinstance(p, ast.BinOp) and isinstance(p.op, STEPPING)}
    tested = [p for p in tested if p not in steps]
    return tested, [o for branch in branches for o in origins.of(branch, calls=0)]


def _singular_parts(branch: ast.expr, file: FileView) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield the parts of a branch that are infinite at 0, each with the operand that may be 0."""
    for part in walk(branch):
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Div):
            yield part, part.right
        elif isinstance(part, ast.Call):
            call = tensor_call(part, file)
            if call is not None and call.name in SINGULAR:
                yield from ((part, factor) for factor in _zero_factors(call.subject))


def _zero_factors(operand: ast.expr) -> Iterator[ast.expr]:
    """Yield the parts of an operand that make it 0 where they are 0."""
    yield operand
    if isinstance(operand, ast.BinOp) and isinstance(operand.op, (ast.Mult, ast.Div)):
        yield from _zero_factors(operand.left)
        if isinstance(operand.op, ast.Mult):
            yield from _zero_factors(operand.right)


def _is_safe(operand: ast.expr, file: FileView, depth: int = 0) -> bool:
    """Return whether an operand is a count, a constant, without a gradient, or was made safe before."""
    origins = file.once(ValueOrigins).of(operand, calls=0)
    return any(_is_safe_origin(origin, file, depth) for origin in origins)


def _is_setting(node: ast.expr, file: FileView) -> bool:
    """Return whether a value is an attribute that the constructor copies from its arguments."""
    family = enclosing_family(node, file)
    if not isinstance(node, ast.Attribute) or dotted(node.value) != "self" or family is None:
        return False
    stored = family.bindings(node.attr)
    return bool(stored) and all(
        use.method.name == "__init__" and isinstance(use.value, (ast.Name, ast.Constant))
        for use in stored
    )


def _is_safe_origin(origin: ast.expr, file: FileView, depth: int) -> bool:
    if _is_setting(origin, file):
        return True
    if ends_graph(origin) or isinstance(origin, (ast.Compare, ast.Constant)):
        return True
    if depth > DEEPEST:
        return False
    if isinstance(origin, ast.BinOp):
        return all(_is_safe(side, file, depth + 1) for side in (origin.left, origin.right))
    call = tensor_call(origin, file)
    if call is None:
        return False
    if call.name in COUNTS or call.name.startswith(("where", "clamp", "masked_fill")):
        return True
    is_mask = call.name == "sum" and "mask" in text_of(call.subject)
    return is_mask or _is_safe(call.subject, file, depth + 1)
