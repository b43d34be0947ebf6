"""The rule `operation-without-effect`: an operation whose result is the only effect, and is not taken."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Replacement, Rule, Triggers, Valid, Violation
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, terminal_name

# Methods of tensors alone, which change nothing.
METHODS = frozenset(
    {"masked_fill", "masked_scatter", "index_fill", "index_add", "scatter_add", "nan_to_num"}
    | {"permute", "unsqueeze", "clamp", "clamp_min", "clamp_max", "type_as"}
)
CHANGING = frozenset({"out", "inplace"})
MESSAGE = "`{}` returns a new tensor, which nothing takes: `{}` stays as it is. Assign the result, or delete the line"


class OperationWithoutEffect(Rule):
    """An operation of a tensor stands alone, and nothing takes its result.

    What: `x.masked_fill(mask, 0)`, `x.clamp(min=0)`, `x.permute(1, 0)`, `x.unsqueeze(0)` and the like as
    a statement.

    Why: without the underscore the method changes nothing: padding is not masked, a value is not
    limited, axes stay where they were. Nothing fails.

    Quiet: the methods that end in `_`; `out=` and `inplace=`; a call in a `try`, which only asks whether
    it works; methods of the name that the file defines; functions of another package; an attribute of which
    another use takes the result of the operation, and a new axis of what `repeat` or `expand` gives one.

    Off unless selected: the code around it often works because the operation has no effect.

    Tickets: real code
    """

    contract = "used-results"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    default = False
    precision = (
        "15 of 16 by readers in 187 packages, after mending on them (machin, modelscope); 2 of 5 in 90 unseen "
        "packages and 1 of 3 in 59 more (crypten), before mending on them"
    )
    triggers = Triggers(calls=METHODS, words=frozenset({"torch", "paddle", "mindspore"}))

    VALID = (
        Valid(
            "operations in place, and results that are taken",
            """
            import torch


            def masked(x, mask, out):
                x.masked_fill_(mask, 0)
                torch.clamp(x, 0, 1, out=out)
                y = x.clamp(min=0)
                return y.permute(1, 0)
            """,
        ),
        Valid(
            "a question whether it works",
            """
            import torch


            def supports(x):
                try:
                    x.nan_to_num(0.0)
                except RuntimeError:
                    return False
                return True
            """,
        ),
        Valid(
            "a method of the file, and a function of another package",
            """
            import torch
            from bounds import geometry


            class Box:
                def clamp(self, low):
                    self.low = max(self.low, low)


            def limit(box):
                box.clamp(0)
                geometry.unsqueeze(box)
            """,
        ),
        Valid(
            "an operation whose result the forward takes itself",
            """
            from torch import nn

            class Up(nn.Module):
                def __init__(self, kernel):
                    super().__init__()
                    self.register_buffer("kernel", kernel)
                    self.kernel.unsqueeze(0)

                def forward(self, x):
                    weight = self.weight(x)
                    weight.unsqueeze(0)
                    return x * self.kernel.unsqueeze(0) + weight.repeat(8, 1, 1)
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a mask that is not applied, and axes that stay",
            """
            import torch


            def features(x, mask):
                x.masked_fill(mask, 0.0)
                if x.ndim > 2:
                    x[0].permute(1, 0)
                return x.log()
            """,
            (
                (5, MESSAGE.format("x.masked_fill(mask, 0.0)", "x")),
                (7, MESSAGE.format("x[0].permute(1, 0)", "x[0]")),
            ),
            fixed="""
            import torch


            def features(x, mask):
                x = x.masked_fill(mask, 0.0)
                if x.ndim > 2:
                    x[0] = x[0].permute(1, 0)
                return x.log()
            """,
        ),
        Invalid(
            "a function of torch",
            """
            import torch


            def limited(rate):
                torch.clamp(rate, 0, 1)
                return rate
            """,
            ((5, MESSAGE.format("torch.clamp(rate, 0, 1)", "rate")),),
        ),
        Invalid(
            "an attribute that is to be limited in a block",
            """
            import torch


            class Layer(torch.nn.Module):
                def limit(self):
                    with torch.no_grad():
                        self.weight.clamp(-1, 1)
            """,
            ((7, MESSAGE.format("self.weight.clamp(-1, 1)", "self.weight")),),
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep calls of methods and of functions of a module."""
        return [n for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report operations that stand alone."""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return
        if not isinstance(file.parent(node), ast.Expr) or node.func.attr not in METHODS:
            return
        if any(k.arg in CHANGING or k.arg is None for k in node.keywords):
            return
        owner = _unchanged(node, file)
        is_asked = any(isinstance(statement, ast.Try) for statement in file.enclosing(node))
        if owner is None or is_asked or _is_own(node.func.attr, file):
            return
        if _is_done_elsewhere(node, owner, file):
            return
        code = " ".join(file.code(node).split())
        target = file.code(owner)
        fix = Replacement(
            node, f"{target} = {file.code(node)}", safe=False, description="assign the result"
        )
        yield Violation(node, MESSAGE.format(code, target), fix)


def _unchanged(call: ast.Call, file: FileView) -> ast.expr | None:
    """Return the tensor that an operation leaves as it is, None where no tensor is known."""
    function = call.func
    if not isinstance(function, ast.Attribute):
        return None
    resolved = file.resolve(function) if dotted(function.value) else None
    if resolved is None:
        return function.value
    return call.args[0] if resolved.startswith("torch.") and call.args else None


def _is_done_elsewhere(call: ast.Call, owner: ast.expr, file: FileView) -> bool:
    """Return whether another use of an attribute takes the result of the operation: it needs none here."""
    name, method = dotted(owner), terminal_name(call.func)
    others = [o for o in file.calls(method) if "." in name and not _stands_alone(o, file)]
    if method == "unsqueeze":  # these add the axis as well
        others += [
            o for o in file.calls("repeat", "expand") if file.functions(o) == file.functions(call)
        ]
    receivers = (o.func.value for o in others if isinstance(o.func, ast.Attribute))
    return name != "" and any(dotted(receiver) == name for receiver in receivers)


def _stands_alone(call: ast.Call, file: FileView) -> bool:
    return isinstance(file.parent(call), ast.Expr)


def _is_own(name: str, file: FileView) -> bool:
    """Return whether a function or method of the file has a name."""
    names = {function.name for function in file.nodes(ast.FunctionDef)}
    return name in names | {function.name for function in file.nodes(ast.AsyncFunctionDef)}
