"""The rule `accumulation-without-mean`: micro-batches are summed where their mean is meant."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.training import accumulation_without_mean_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.training.accumulation import accumulated_rounds, is_undivided_mean
from esper_audit.source.syntax.file_view import FileView
from esper_audit.text.phrases import quoted


class AccumulationWithoutMean(Rule):
    """Micro-batches are summed where their mean is meant.

    What: `backward` runs on the mean loss of several micro-batches before one `step`, in an inner loop
    that fetches or unpacks one in each round, or with a step each `n` rounds, and the loss is never divided.

    Why: the gradient is `n` times that of one joint batch. Learning rate, clipping and weight decay then
    depend on how the batch was divided.

    Quiet: a loss that is divided, multiplied or summed (`reduction="sum"`); gradients that are divided
    before the step; `retain_graph`; libraries that divide themselves (`accelerator.backward`).

    Tickets: real code
    """

    contract = "accumulated-mean"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "0 findings in 47 packages (monai, speechbrain, labml-nn, catalyst, deepchem and 42 "
        "more); no finding in the last 65 unseen packages"
    )
    triggers = Triggers(calls=frozenset({"backward"}))

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report backward passes of undivided mean losses of micro-batches."""
        if not isinstance(node, ast.Call):
            return
        accumulated = accumulated_rounds(node, file)
        if accumulated is not None and is_undivided_mean(accumulated, file):
            rounds, line = accumulated.rounds, accumulated.step.node.lineno
            yield Violation(
                node,
                f"`{quoted(file.code(node))}` adds the mean losses of `{rounds}` micro-batches before the step "
                f"in line {line}: the gradient is `{rounds}` times too large. Divide the loss by `{rounds}`",
            )
