"""The rule `log-of-probability`: the logarithm of a probability that may be exactly zero."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.numerics.probabilities import probability
from esper_audit.source.idioms.numerics.tensor_calls import tensor_call
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import terminal_name

LOGARITHMS = frozenset({"log", "log2", "log10"})
GUARDS = frozenset({"where", "nan_to_num", "nan_to_num_", "masked_fill", "masked_fill_", "clamp"})
SOFTMAX = "`{}` takes the log of a softmax, which underflows to 0: use `log_softmax`"
SIGMOID = "`{}` takes the log of a sigmoid, which underflows to 0: use `logsigmoid`"
COMPLEMENT = "`{}` takes the log of 1 minus a sigmoid, which rounds to 0: use `logsigmoid(-x)`"


class LogOfProbability(Rule):
    """The logarithm of a softmax or a sigmoid is minus infinity where it underflows.

    What: `log` of a softmax or a sigmoid, or of 1 minus one, directly, through local names, through
    indexing and reshaping, or through a function of the same file that returns it.

    Why: a softmax is exactly 0 where a logit is 104 below the largest in float32, and where it is 18
    below in float16. A sigmoid is exactly 1 from 17 on. The loss is then infinite and every
    gradient NaN. `log_softmax` and `logsigmoid` have no such limit.

    Quiet: an epsilon, a clamp or a maximum inside the logarithm, or on the probability before;
    a logarithm inside `where`, `nan_to_num` or a clamp; a probability that a caller passes.

    Tickets: real code
    """

    contract = "finite-numbers"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = "3 of 3 findings in 19 packages would be merged (flair, monai, torchmetrics)"
    triggers = Triggers(calls=LOGARITHMS, parts=frozenset({"oftmax", "igmoid", "expit", "oftmin"}))

    VALID = (
        Valid(
            "an epsilon, a clamp, a maximum",
            """
            import torch
            def loss(x, y):
                p = x.softmax(-1)
                a = torch.log(p + 1e-8)
                b = p.clamp(min=1e-6).log()
                c = torch.log(torch.maximum(p, y))
                return a + b + c
            """,
        ),
        Valid(
            "a probability that was clamped, shifted or repaired before",
            """
            import torch
            def loss(x, y):
                p = torch.sigmoid(x)
                p = p.clamp(1e-6, 1 - 1e-6)
                q = torch.sigmoid(y)
                q += 1e-7
                r = torch.softmax(y, 0)
                r[r == 0] = 1e-9
                return torch.log(p) + torch.log(1 - p) + q.log() + r.log()
            """,
        ),
        Valid(
            "a value that is computed from itself",
            """
            import torch
            def flip(p, n):
                for _ in range(n):
                    p = 1 - p
                return torch.log(p)
            """,
        ),
        Valid(
            "log_softmax, the log of something else, a log that `where` replaces",
            """
            import math
            import numpy as np
            import torch
            def loss(self, x, p):
                a = torch.log_softmax(x, 1) + torch.log(p) + math.log(2) + np.log(3)
                s = x.softmax(1)
                return a + torch.where(s > 0, torch.log(s), 0.0)
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a softmax by method and by function",
            """
            import torch
            from torch.nn import functional as F
            def loss(net, x, y):
                probs = F.softmax(net(x), dim=-1)
                picked = probs.gather(1, y)
                return -picked.log().mean() + torch.log(x.softmax(0)[0])
            """,
            (
                (6, SOFTMAX.format("picked.log()")),
                (6, SOFTMAX.format("torch.log(x.softmax(0)[0])")),
            ),
        ),
        Invalid(
            "both sides of a cross entropy by hand",
            """
            import torch
            def bce(x, y):
                p = torch.sigmoid(x)
                return -(y * torch.log(p) + (1 - y) * torch.log(1 - p))
            """,
            (
                (4, SIGMOID.format("torch.log(p)")),
                (4, COMPLEMENT.format("torch.log(1 - p)")),
            ),
        ),
        Invalid(
            "a module, and a helper one call away",
            """
            import torch
            from torch import nn
            class Policy(nn.Module):
                def __init__(self):
                    self.net = nn.Linear(4, 2)
                    self.normalise = nn.Softmax(dim=-1)
                def act(self, x):
                    return self.normalise(self.net(x))
                def entropy(self, x):
                    p = self.act(x)
                    return -(p * p.log()).sum(-1)
            """,
            ((11, SOFTMAX.format("p.log()")),),
        ),
        Invalid(
            "only one branch guards",
            """
            import torch
            def loss(x, stable):
                p = torch.softmax(x, 1)
                if stable:
                    p = p + 1e-6
                return torch.log(p)
            """,
            ((6, SOFTMAX.format("torch.log(p)")),),
        ),
    )

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report the logarithm of a probability without a guard."""
        call = tensor_call(node, file)
        if call is None or call.name not in LOGARITHMS or _is_guarded(call.node, file):
            return
        kind = probability(call.subject, file)
        if not kind:
            return
        code = " ".join(file.code(call.node).split())
        message = COMPLEMENT if kind == "1 minus a sigmoid" else SIGMOID
        if "sigmoid" not in kind:
            message = SOFTMAX
        yield Violation(call.node, message.format(code))


def _is_guarded(node: ast.expr, file: FileView) -> bool:
    """Return whether a call around a node replaces what is infinite or NaN."""
    above = file.parent(node)
    while above is not None and not isinstance(above, ast.stmt):
        if isinstance(above, ast.Call) and terminal_name(above.func) in GUARDS:
            return True
        above = file.parent(above)
    return False
