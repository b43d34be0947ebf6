"""The rule `inplace-bias-correction`: a running average that its own correction overwrites."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.numerics.running_averages import (
    changed_average,
    is_running_average,
)
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted

CHANGING = frozenset(
    {"div_", "divide_", "true_divide_", "sqrt_", "rsqrt_", "reciprocal_", "pow_", "mul_"}
    | {"_foreach_div_", "_foreach_sqrt_", "_foreach_reciprocal_", "_foreach_pow_"}
)
MESSAGE = "`{}` changes the running average `{}` itself, so that the next update starts from a wrong value"


class InplaceBiasCorrection(Rule):
    """A step of an optimizer overwrites the running average that it corrects.

    What: `div_`, `/=`, `sqrt_`, `rsqrt_`, `reciprocal_`, `pow_` or `mul_(1 / x)` on a tensor that the
    same function updates as a running average (`mul_(beta).add_(x, alpha=1 - beta)`, `lerp_`, an
    assignment) and that lives on in the state or the object; also in a helper that receives it.

    Why: the correction is meant for one step. In place it is in the average from then on: the next
    step decays a corrected value and corrects it again, and the optimizer diverges or stops.

    Quiet: a correction of a copy, and of what a division gave; averages that the function made
    itself; the mean over ranks of what a collective has summed; a division by the average's own norm.

    Tickets: real code
    """

    contract = "average-updates"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    precision = (
        "0 of 0 in about 200 packages, after mending on some of them; 0 of 1 in 118 of them before, and 0 of 12 in 34 "
        "(one pattern of colossalai)"
    )
    triggers = Triggers(
        calls=CHANGING,
        nodes=frozenset({"AugAssign"}),
        parts=frozenset({"mul_(", "lerp", "beta", "decay", "momentum", "1 - "}),
    )

    VALID = (
        Valid(
            "a corrected copy, and the square root of a copy",
            """
            def step(state, grad, b1, b2, t):
                m, v = state["m"], state["v"]
                m.mul_(b1).add_(grad, alpha=1 - b1)
                v.mul_(b2).addcmul_(grad, grad, value=1 - b2)
                m_hat = m.div(1 - b1**t)
                n_hat = m.clone().div_(1 - b1**t)
                denominator = v.sqrt().div_(1 - b2**t).add_(1e-8)
                return m_hat / denominator + n_hat
            """,
        ),
        Valid(
            "the mean over ranks",
            """
            import torch.distributed as dist
            def step(self, state, grad, beta):
                rows = state["rows"]
                rows.mul_(beta).add_(grad.mean(-1), alpha=1 - beta)
                if self.size > 1:
                    dist.all_reduce(rows, group=self.group)
                    rows.div_(self.size)
                return rows.rsqrt()
            """,
        ),
        Valid(
            "a direction that keeps its length",
            """
            import numpy as np
            class Track:
                def update(self, feature):
                    self.smooth = self.alpha * self.smooth + (1 - self.alpha) * feature
                    self.smooth /= np.linalg.norm(self.smooth)
            """,
        ),
        Valid(
            "a sum that is no running average",
            """
            def mean(parts):
                total = parts["total"]
                total.add_(parts["last"])
                return total.div_(len(parts))
            """,
        ),
        Valid(
            "the decay itself, and an average that the function made",
            """
            def step(self, grads, b):
                mean = grads[0].clone()
                for grad in grads:
                    mean.mul_(b).add_(grad, alpha=1 - b)
                self.scale.mul_(b)
                self.scale.add_(mean, alpha=1 - b)
                return mean.div_(1 - b ** len(grads))
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a division by the correction",
            """
            def step(self, group, state, grad):
                exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
                beta1, beta2 = group["betas"]
                exp_avg.mul_(beta1).add_(grad, alpha=1 - beta1)
                exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
                corrected = exp_avg.div_(1 - beta1 ** state["step"])
                denominator = exp_avg_sq.sqrt_().add_(group["eps"])
                return corrected / denominator
            """,
            (
                (6, MESSAGE.format('exp_avg.div_(1 - beta1 ** state["step"])', "exp_avg")),
                (7, MESSAGE.format("exp_avg_sq.sqrt_()", "exp_avg_sq")),
            ),
        ),
        Invalid(
            "an augmented division, in two statements, under an alias",
            """
            def step(state, grad, decay, correction):
                first = state["first"]
                first.mul_(decay)
                first.add_(grad, alpha=1 - decay)
                moment = first
                moment /= correction
                return moment
            """,
            ((6, MESSAGE.format("moment /= correction", "first")),),
        ),
        Invalid(
            "an attribute, by lerp and by assignment",
            """
            class Tracker:
                def update(self, x, step):
                    self.mean.lerp_(x, 1 - self.beta)
                    self.square = self.beta * self.square + (1 - self.beta) * x * x
                    return self.mean.mul_(1 / (1 - self.beta**step)) / self.square.sqrt_()
            """,
            (
                (5, MESSAGE.format("self.mean.mul_(1 / (1 - self.beta**step))", "self.mean")),
                (5, MESSAGE.format("self.square.sqrt_()", "self.square")),
            ),
        ),
        Invalid(
            "lists of tensors, and a helper that receives the average",
            """
            import torch
            def unbias(value, correction):
                return value.div_(correction)
            def step(averages, grads, m, beta, t):
                torch._foreach_lerp_(averages, grads, 1 - beta)
                torch._foreach_div_(averages, 1 - beta**t)
                m.lerp_(grads[0], 1 - beta)
                return unbias(m, 1 - beta**t)
            """,
            (
                (3, MESSAGE.format("value.div_(correction)", "value")),
                (6, MESSAGE.format("torch._foreach_div_(averages, 1 - beta**t)", "averages")),
            ),
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Drop the augmented assignments that do not divide."""
        return [n for n in nodes if not isinstance(n, ast.AugAssign) or isinstance(n.op, ast.Div)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report in-place changes of a running average that are no update."""
        target = changed_average(node)
        if target is None or not isinstance(node, (ast.Call, ast.AugAssign)):
            return
        name = is_running_average(target, node, file)
        values = [node.value] if isinstance(node, ast.AugAssign) else node.args
        values = [value for value in values if value is not target]
        is_normed = any(dotted(part) == dotted(target) for value in values for part in walk(value))
        if name and not (is_normed and dotted(target)):
            code = " ".join(file.code(node).split())
            yield Violation(node, MESSAGE.format(code, name))
