"""The rule `softmax-over-wrong-axis`: weights that are normalised over one axis and summed over another."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.attention import softmax_over_wrong_axis_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.attention.contractions import Contraction, contractions
from esper_audit.source.idioms.attention.edge_groups import MisgroupedWeights, misgrouped_weights
from esper_audit.source.idioms.attention.normalisations import (
    Normalisation,
    normalisation_of,
    normalised_single_axis,
)
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted

CONTRACTIONS = frozenset({"einsum", "matmul", "bmm", "mm", "baddbmm", "addmm", "sum"})
SOFTMAXES = frozenset({"softmax", "Softmax", "Sequential"})
AGGREGATIONS = frozenset(
    {"index_add", "index_add_", "scatter_add", "scatter_add_", "scatter_reduce", "scatter_reduce_"}
    | {"scatter", "scatter_sum", "propagate"}
)


class SoftmaxOverWrongAxis(Rule):
    """Attention weights are normalised over another axis than the one they are summed over.

    What: a softmax of a product of two tensors (scores) whose axis is not the axis that the next
    product sums over, by the letters of an einsum, by `@`, `matmul`, `bmm`, or by a product and
    `sum(dim)`, through transposes, dropout and local names; a softmax without `dim` of scores with
    three axes, which takes the batch; a softmax of edge weights by one end of the edges that are
    then summed at the other; a softmax over an axis of length 1.

    Why: the weights of a position do not sum to one. Shapes agree, the loss falls, and outputs grow
    with the length of the sequence, or each row of the batch depends on the others.

    Quiet: weights that are divided by their sum afterwards (slot attention); assignments that no
    product of two tensors scores (clusters, pooling, experts); a learned mixture of heads; sums that
    are the scores of the next softmax (iteration); losses over any axis; an axis that depends on an
    unknown rank.

    Tickets: real code
    """

    contract = "normalised-axis"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    precision = (
        "1 of 1 by readers in 131 packages, after mending on them (torchgan); 1 of 3 in the last "
        "65 unseen packages, before mending on them"
    )
    triggers = Triggers(
        calls=CONTRACTIONS | SOFTMAXES | AGGREGATIONS,
        nodes=frozenset({"BinOp"}),
        parts=frozenset({"oftmax", "index_add", "scatter"}),
    )

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Drop the arithmetic that is no product of matrices."""
        return [n for n in nodes if not isinstance(n, ast.BinOp) or isinstance(n.op, ast.MatMult)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report softmaxes over the wrong axis."""
        if isinstance(node, ast.Call):
            single = normalised_single_axis(node, file)
            if single:
                code = " ".join(file.code(node).split())
                yield Violation(
                    node, f"`{code}` normalises an axis of length 1 ({single}): each weight is 1"
                )
                return
            groups = misgrouped_weights(node, file)
            if groups is not None:
                yield Violation(groups.softmax, _group_message(groups))
                return
        for contraction in contractions(node, file):
            found = normalisation_of(contraction, file)
            if found is None or any(part is contraction.node for part in walk(found.softmax)):
                continue  # none, or a sum that gives the scores: its operand is an older value
            if not _is_iterated(contraction, found, file):
                yield Violation(found.softmax, _message(contraction, found))


def _is_iterated(contraction: Contraction, found: Normalisation, file: FileView) -> bool:
    """Return whether the sum gives the scores of the next softmax, as in an iteration to a fixed point."""
    call = found.softmax
    function = call.func
    scores = {dotted(argument) for argument in call.args[:1]}
    scores |= {dotted(function.value)} if isinstance(function, ast.Attribute) else set()
    around = file.enclosing(contraction.node)
    statement = around[-1] if around else None
    is_looped = any(isinstance(outer, (ast.For, ast.While)) for outer in around)
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return is_looped and any(dotted(target) in scores - {""} for target in targets)


def _message(contraction: Contraction, found: Normalisation) -> str:
    normalised, summed = found.axis, contraction.axes[0]
    names = contraction.names
    if names:
        axes = f"axis {names.get(found.axis_of_operand, normalised)}", f"axis {names[summed]}"
    else:
        axes = f"dim {normalised}", f"dim {found.summed_axis}"
    line = contraction.node.lineno
    return f"the weights are normalised over {axes[0]}, but line {line} sums them over {axes[1]}"


def _group_message(groups: MisgroupedWeights) -> str:
    line = groups.aggregation.lineno
    return (
        f"the weights are normalised over the edges of `{groups.normalised}`, but line {line} "
        f"sums them at `{groups.summed}`"
    )
