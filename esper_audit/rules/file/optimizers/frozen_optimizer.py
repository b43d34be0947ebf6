"""The rule `frozen-optimizer`: an optimizer holds nothing that can train."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.local_flow.following_statements import following, preceding
from esper_audit.source.idioms.optimizers.frozen_parameters import (
    freezes_all,
    may_unfreeze,
    trains,
)
from esper_audit.source.idioms.optimizers.optimizer_parameters import (
    given_parameters,
    modules_given,
)
from esper_audit.source.idioms.training.torch_objects import OPTIMIZERS, is_optimizer
from esper_audit.source.syntax.file_view import FileView
from esper_audit.text.phrases import quoted

MESSAGE = (
    "`{}` holds only frozen parameters: line {} freezes all of `{}`, and nothing unfreezes any. "
    "Give it parameters that train"
)
EMPTY = "`{}` is given no parameters. Give it those that train"


class FrozenOptimizer(Rule):
    """An optimizer holds nothing that can train.

    What: an optimizer that is given the parameters of one module, all of which the same code froze
    before, or freezes afterwards in front of the training; an optimizer that is given an empty list.

    Why: `step()` changes nothing. The loss stays where it is, or falls only by what other parts learn.

    Quiet: parts that are frozen by a condition; a new head, a wrapper or any other change of the module
    between freezing and optimizer; a module that is frozen after the training.

    Tickets: real code
    """

    contract = "optimizer-parameters"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    precision = (
        "0 findings in 47 packages (monai, speechbrain, labml-nn, catalyst, deepchem and 42 "
        "more); no finding in the last 65 unseen packages"
    )
    triggers = Triggers(calls=OPTIMIZERS)

    VALID = (
        Valid(
            "a new head after freezing",
            """
            import torch
            from torch import nn

            def main(net):
                for p in net.parameters():
                    p.requires_grad = False
                net.head = nn.Linear(8, 2)
                return torch.optim.SGD(net.parameters(), lr=0.1)
            """,
        ),
        Valid(
            "another module is frozen where it is bound, and one trains again",
            """
            import torch

            class Stage:
                def __init__(self, encoder, decoder):
                    self.encoder = encoder.requires_grad_(False)
                    self.decoder = decoder.requires_grad_(True)
                    self.opt = torch.optim.SGD(self.decoder.parameters(), lr=0.1)

            def thawed(net):
                net = net.requires_grad_(False)
                net.head.requires_grad_(True)
                return torch.optim.SGD(net.parameters(), lr=0.1)
            """,
        ),
        Valid(
            "a part is frozen",
            """
            import torch

            def main(net):
                net.encoder.requires_grad_(False)
                for name, p in net.named_parameters():
                    if "norm" in name:
                        p.requires_grad = False
                return torch.optim.SGD(filter(lambda p: p.requires_grad, net.parameters()), lr=0.1)
            """,
        ),
        Valid(
            "frozen if asked for",
            """
            import torch

            def main(net, head, is_frozen):
                if is_frozen:
                    net.requires_grad_(False)
                return torch.optim.SGD([*net.parameters(), *head.parameters()], lr=0.1)
            """,
        ),
        Valid(
            "adapters are added in between",
            """
            import torch

            def main(net):
                net.requires_grad_(False)
                add_adapters(net, rank=4)
                return torch.optim.SGD(net.parameters(), lr=0.1)
            """,
        ),
        Valid(
            "frozen after the training",
            """
            import torch

            def main(net, data):
                opt = torch.optim.SGD(net.parameters(), lr=0.1)
                for x in data:
                    net(x).mean().backward()
                    opt.step()
                    opt.zero_grad()
                net.requires_grad_(False)
                return net
            """,
        ),
    )
    INVALID = (
        Invalid(
            "frozen before",
            """
            import torch

            def main(net):
                for p in net.parameters():
                    p.requires_grad = False
                opt = torch.optim.Adam(net.parameters(), lr=0.1)
                return opt
            """,
            (
                (
                    6,
                    MESSAGE.format("torch.optim.Adam(net.parameters(), lr=0.1)", 4, "net"),
                ),
            ),
        ),
        Invalid(
            "frozen as a whole, filtered",
            """
            from torch import optim

            class Learner:
                def __init__(self, net):
                    self.net = net
                    self.net.requires_grad_(False)
                    trained = [p for p in self.net.parameters() if p.requires_grad]
                    self.opt = optim.SGD(trained, lr=0.1)
            """,
            ((8, MESSAGE.format("optim.SGD(trained, lr=0.1)", 6, "self.net")),),
        ),
        Invalid(
            "frozen in front of the training, by a helper",
            """
            import torch

            def freeze(module):
                for weight in module.parameters():
                    weight.requires_grad_(False)


            def main(net, data):
                opt = torch.optim.SGD(net.parameters(), lr=0.1)
                freeze(net)
                for x in data:
                    net(x).mean().backward()
                    opt.step()
                    opt.zero_grad()
            """,
            ((9, MESSAGE.format("torch.optim.SGD(net.parameters(), lr=0.1)", 10, "net")),),
        ),
        Invalid(
            "frozen where it is bound",
            """
            import torch

            class Stage:
                def __init__(self, encoder, decoder):
                    self.encoder = encoder.requires_grad_(False).eval()
                    self.decoder = decoder
                    self.opt = torch.optim.SGD(self.encoder.parameters(), lr=0.1)
            """,
            (
                (
                    7,
                    MESSAGE.format(
                        "torch.optim.SGD(self.encoder.parameters(), lr=0.1)", 5, "self.encoder"
                    ),
                ),
            ),
        ),
        Invalid(
            "no parameters",
            """
            import torch

            opt = torch.optim.SGD([], lr=0.1)
            """,
            ((3, EMPTY.format("torch.optim.SGD([], lr=0.1)")),),
        ),
    )

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report optimizers of frozen parameters."""
        if not isinstance(node, ast.Call) or not is_optimizer([file.resolve(node.func) or ""]):
            return
        given = given_parameters(node)
        if given is None:
            return
        code = quoted(file.code(node))
        if isinstance(given, (ast.List, ast.Tuple)) and not given.elts:
            yield Violation(node, EMPTY.format(code))
            return
        held = set(modules_given(given, file.once(Constructors)))
        if len(held) != 1:
            return
        module = held.pop()
        line = _line_before(node, module, file) or _line_after(node, module, file)
        if line:
            yield Violation(node, MESSAGE.format(code, line, module))


def _line_before(optimizer: ast.Call, module: str, file: FileView) -> int:
    """Return the line in front of an optimizer that freezes a module, 0 if it may train."""
    for statement in preceding(optimizer, file):
        if freezes_all(statement, module, file):
            return statement.lineno
        if may_unfreeze(statement, module):
            return 0
    return 0


def _line_after(optimizer: ast.Call, module: str, file: FileView) -> int:
    """Return the line between an optimizer and the training that freezes a module, 0 without one."""
    frozen = 0
    for statement in following(optimizer, file):
        if trains(statement):
            return frozen
        if freezes_all(statement, module, file):
            frozen = statement.lineno
        elif may_unfreeze(statement, module):
            frozen = 0
    return 0
