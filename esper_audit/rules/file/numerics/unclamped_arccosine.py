"""The rule `unclamped-arccosine`: an angle of a cosine that rounding takes above 1."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.numerics.guards import has_bound, is_compared, is_replaced
from esper_audit.source.idioms.numerics.tensor_calls import tensor_call
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import terminal_name

ANGLES = frozenset({"acos", "arccos", "acos_", "asin", "arcsin"})
COSINES = {
    "cosine_similarity": "a cosine similarity",
    "pairwise_cosine_similarity": "a cosine similarity",
    "matmul": "a dot product",
    "bmm": "a dot product",
    "mm": "a dot product",
    "dot": "a dot product",
    "vdot": "a dot product",
    "inner": "a dot product",
    "einsum": "a dot product",
    "trace": "a trace",
    "linear": "a dot product",
}
LONGEST_CHAIN = 6
MESSAGE = "`{}` is NaN where rounding takes {} above 1: clamp it between -1 and 1"


class UnclampedArccosine(Rule):
    """The arccosine of a computed cosine is NaN where it is rounded above one.

    What: `acos` or `asin` of a dot product, a cosine similarity, a sum of products, or of an
    expression of a trace, that nothing clamps.

    Why: the dot product of two equal unit vectors is often 1.0000001. The angle is then NaN, and so
    is each gradient; at exactly 1 the gradient is infinite. It occurs for the best predictions.

    Quiet: a product with a constant axis, which is one component of a unit vector and at most 1; a clamp
    inside or before, a value that a caller passes, `where` and `nan_to_num` around, a comparison of the
    cosine that tells the ends apart.

    Off unless selected: where the vectors are never parallel nothing happens, and the code seldom shows it.

    Tickets: real code
    """

    contract = "finite-numbers"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    default = False
    precision = "1 of 2 in 88 packages (kornia), before mending on them"
    triggers = Triggers(calls=ANGLES)

    VALID = (
        Valid(
            "a clamp inside, and before",
            """
            import torch
            def angle(a, b):
                cosine = (a * b).sum(-1).clamp(-1 + 1e-6, 1 - 1e-6)
                return torch.acos(cosine) + torch.acos(torch.clip(a @ b, -1, 1))
            """,
        ),
        Valid(
            "a value that is passed, a parameter of the model, a number",
            """
            import math
            import torch
            def angle(self, cosine):
                return torch.acos(cosine) + torch.acos(self.margin) + math.acos(0.5)
            """,
        ),
        Valid(
            "a component of a unit vector",
            """
            import torch
            def tilt(normal):
                up = torch.tensor([0.0, 0.0, 1.0], device=normal.device)
                normal = normal / torch.norm(normal)
                return torch.acos(torch.dot(up, normal))
            """,
        ),
        Valid(
            "an angle that is repaired",
            """
            import torch
            def angle(a, b):
                return torch.nan_to_num(torch.acos(torch.matmul(a, b)))
            """,
        ),
        Valid(
            "ends that a mask tells apart",
            """
            import torch
            def slerp(a, b, t):
                cosine = (a * b).sum(-1)
                is_parallel = cosine > 1 - 1e-6
                omega = cosine.acos()
                out = ((1 - t) * omega).sin() / omega.sin() * a
                out[is_parallel] = a[is_parallel]
                return out
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a cosine similarity and a product of matrices",
            """
            import torch
            import torch.nn.functional as F
            def angles(a, b):
                similarity = F.cosine_similarity(a, b, dim=-1)
                theta = torch.acos(similarity)
                return theta, (F.normalize(a) @ F.normalize(b).T).arccos()
            """,
            (
                (5, MESSAGE.format("torch.acos(similarity)", "a cosine similarity")),
                (
                    6,
                    MESSAGE.format("(F.normalize(a) @ F.normalize(b).T).arccos()", "a dot product"),
                ),
            ),
        ),
        Invalid(
            "a sum of products over norms, and the trace of a rotation",
            """
            import torch
            def slerp(p, q):
                omega = ((p * q).sum(-1) / (p.norm(dim=-1) * q.norm(dim=-1))).acos()
                rotation = p.transpose(1, 2) @ q
                trace = rotation.diagonal(dim1=1, dim2=2).sum(1)
                return omega, torch.acos((trace - 1) / 2)
            """,
            (
                (
                    3,
                    MESSAGE.format(
                        "((p * q).sum(-1) / (p.norm(dim=-1) * q.norm(dim=-1))).acos()",
                        "a dot product",
                    ),
                ),
                (6, MESSAGE.format("torch.acos((trace - 1) / 2)", "a trace")),
            ),
        ),
        Invalid(
            "a helper one call away",
            """
            import torch
            def cosine(a, b):
                return torch.einsum("nd,nd->n", a, b)
            def loss(a, b):
                return torch.arccos(cosine(a, b)).mean()
            """,
            ((5, MESSAGE.format("torch.arccos(cosine(a, b))", "a dot product")),),
        ),
    )

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report angles of computed cosines without a clamp."""
        call = tensor_call(node, file)
        if call is None or call.name not in ANGLES or is_replaced(call.node, file):
            return
        kind = _cosine(call.subject, file)
        if kind and not (is_compared(call.subject, file) or _is_component(call.subject, file)):
            code = " ".join(file.code(call.node).split())
            yield Violation(call.node, MESSAGE.format(code, kind))


def _is_component(node: ast.expr, file: FileView) -> bool:
    """Return whether a cosine is a product with an axis that is written as numbers."""
    products = [o for o in file.once(ValueOrigins).of(node) if isinstance(o, ast.Call)]
    operands = (argument for product in products for argument in product.args)
    return any(_is_written(o) for a in operands for o in file.once(ValueOrigins).of(a))


def _is_written(node: ast.expr) -> bool:
    """Return whether a value is a tensor of written numbers."""
    if not isinstance(node, ast.Call) or terminal_name(node.func) not in ("tensor", "as_tensor"):
        return False
    numbers = node.args[0].elts if node.args and isinstance(node.args[0], ast.List) else []
    return bool(numbers) and all(isinstance(n, ast.Constant) for n in numbers)


def _cosine(node: ast.expr, file: FileView) -> str:
    """Return what makes an expression a cosine that can be rounded above 1, empty for anything else."""
    pending = file.once(ValueOrigins).of(node)
    if any(has_bound(origin) for origin in pending):
        return ""
    for _ in range(LONGEST_CHAIN):
        following: list[ast.expr] = []
        for origin in pending:
            found = _kind(origin, file)
            if found:
                return found
            if isinstance(origin, ast.BinOp):
                operands = (origin.left, origin.right)
                following += [o for side in operands for o in file.once(ValueOrigins).of(side)]
        if any(has_bound(origin) for origin in following):
            return ""
        pending = following
    return ""


def _kind(node: ast.expr, file: FileView) -> str:
    if isinstance(node, ast.BinOp):
        return "a dot product" if isinstance(node.op, ast.MatMult) else ""
    if not isinstance(node, ast.Call):
        return ""
    if terminal_name(node.func) == "einsum":
        return "a dot product"
    call = tensor_call(node, file)
    if call is None:
        return ""
    if call.name != "sum":
        return COSINES.get(call.name, "")
    if any(isinstance(p, ast.Call) and terminal_name(p.func) == "diagonal" for p in walk(node)):
        return "a trace"
    origins = file.once(ValueOrigins).of(call.subject)
    is_product = any(isinstance(o, ast.BinOp) and isinstance(o.op, ast.Mult) for o in origins)
    return "a dot product" if is_product else ""
