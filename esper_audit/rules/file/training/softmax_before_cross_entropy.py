"""The rule `softmax-before-cross-entropy`: a loss that takes logits gets probabilities."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.training.loss_inputs import (
    LOGIT_FUNCTIONS,
    LOGIT_MODULES,
    Activations,
    logit_loss,
    logits_argument,
)
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import terminal_name
from esper_audit.text.phrases import quoted

MESSAGE = "`{}` gets {} (`{}`) where it expects logits: it applies the activation once more. Pass the logits"


class SoftmaxBeforeCrossEntropy(Rule):
    """A loss that takes logits gets probabilities.

    What: the input of `cross_entropy`, `CrossEntropyLoss`, `binary_cross_entropy_with_logits` or
    `BCEWithLogitsLoss` is a softmax or sigmoid: directly, through a variable, through `nn.Softmax`, a
    `Sequential` that ends in it, or a module of the file whose `forward` returns it.

    Why: the loss applies the activation itself. A softmax of a softmax is nearly uniform: gradients are
    small, and the loss never falls far below its first value, but the model trains.

    Quiet: a probability as the target; a `log_softmax`, on which another one changes nothing; a value
    that is a probability on some paths only.

    Tickets: real code
    """

    contract = "loss-input"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    precision = (
        "5 of 5 by readers in 111 packages (adversarial-robustness-toolbox); 2 of 2 in the last "
        "65 unseen packages, before mending on them"
    )
    triggers = Triggers(
        calls=frozenset({name.rpartition(".")[2] for name in (*LOGIT_FUNCTIONS, *LOGIT_MODULES)})
    )

    VALID = (
        Valid(
            "logits",
            """
            import torch
            from torch.nn import functional as F

            def loss(net, x, y):
                logits = net(x)
                print(torch.softmax(logits, -1))
                return F.cross_entropy(logits, y)
            """,
        ),
        Valid(
            "a probability as the target",
            """
            from torch.nn import functional as F

            def distil(student, teacher, x):
                return F.cross_entropy(student(x), teacher(x).softmax(-1))
            """,
        ),
        Valid(
            "a log_softmax",
            """
            from torch.nn import functional as F

            def loss(net, x, y):
                return F.cross_entropy(F.log_softmax(net(x), 1), y)
            """,
        ),
        Valid(
            "probabilities for inference only",
            """
            import torch
            from torch import nn

            class Net(nn.Module):
                def forward(self, x):
                    x = self.head(x)
                    if self.training:
                        return x
                    return torch.softmax(x, 1)

            def fit(x, y):
                net, criterion = Net(), nn.CrossEntropyLoss()
                return criterion(net(x), y)
            """,
        ),
        Valid(
            "binary cross entropy of a sigmoid",
            """
            import torch
            from torch.nn import functional as F

            def loss(net, x, y):
                return F.binary_cross_entropy(torch.sigmoid(net(x)), y)
            """,
        ),
    )
    INVALID = (
        Invalid(
            "through a variable",
            """
            import torch
            import torch.nn.functional as F

            def loss(net, x, y):
                p = torch.softmax(net(x), dim=1)
                return F.cross_entropy(p, y)
            """,
            ((6, MESSAGE.format("F.cross_entropy(p, y)", "a softmax", "p")),),
        ),
        Invalid(
            "a module that ends in one, and a criterion",
            """
            from torch import nn

            net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(dim=1))
            criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
            for x, y in batches:
                out = net(x)
                objective = criterion(out, y)
            """,
            ((7, MESSAGE.format("criterion(out, y)", "a softmax", "out")),),
        ),
        Invalid(
            "a class whose forward returns one",
            """
            import torch
            from torch import nn

            class Tagger(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.head = nn.Linear(9, 1)
                    self.squash = nn.Sigmoid()

                def forward(self, x):
                    x = self.head(x)
                    return self.squash(x)


            class Learner:
                def __init__(self):
                    self.net = Tagger().cuda()
                    self.loss = nn.BCEWithLogitsLoss()

                def step(self, x, y):
                    return self.loss(self.net(x).squeeze(-1), y)
            """,
            (
                (
                    21,
                    MESSAGE.format(
                        "self.loss(self.net(x).squeeze(-1), y)",
                        "a sigmoid",
                        "self.net(x).squeeze(-1)",
                    ),
                ),
            ),
        ),
        Invalid(
            "in a function that gets the criterion",
            """
            from torch import nn

            def step(net, criterion, x, y):
                scores = net(x).sigmoid()
                return criterion(input=scores, target=y)


            def main(net, batches):
                loss_function = nn.BCEWithLogitsLoss()
                for x, y in batches:
                    step(net, loss_function, x, y).backward()
            """,
            ((5, MESSAGE.format("criterion(input=scores, target=y)", "a sigmoid", "scores")),),
        ),
    )

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report losses of probabilities."""
        if not isinstance(node, ast.Call):
            return
        if file.resolve(node.func) in LOGIT_FUNCTIONS:
            yield from _judge(node, file)
        elif node is file.once(_first_module):
            for call in file.nodes(ast.Call):
                if call.args or call.keywords:
                    yield from _judge(call, file)


def _first_module(file: FileView) -> ast.Call | None:
    """Return the first construction of a loss module in a file."""
    return next((c for c in file.nodes(ast.Call) if file.resolve(c.func) in LOGIT_MODULES), None)


def _judge(call: ast.Call, file: FileView) -> Iterator[Violation]:
    value = logits_argument(call)
    if value is None or terminal_name(call.func)[:1].isupper() or not logit_loss(call, file):
        return
    activation = file.once(Activations).of(value)
    if activation:
        code, given = quoted(file.code(call)), quoted(file.code(value))
        yield Violation(call, MESSAGE.format(code, activation, given))
