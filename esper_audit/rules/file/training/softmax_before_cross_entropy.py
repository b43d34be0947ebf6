"""The rule `softmax-before-cross-entropy`: a loss that takes logits gets probabilities."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.training import softmax_before_cross_entropy_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
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
    `Sequential` that ends in it, or a module of the file whose `forward` returns it: one that the file
    makes, passes to the function or the class with the loss, or names as the type of what these are given.

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

    VALID = cases.VALID
    INVALID = cases.INVALID

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
