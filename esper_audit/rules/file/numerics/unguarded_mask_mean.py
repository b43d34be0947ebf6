"""The rule `unguarded-mask-mean`: a mean over a mask that may be empty."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Options, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.numerics.counts import MASK, is_mask
from esper_audit.source.idioms.numerics.guards import is_replaced, tests_around
from esper_audit.source.idioms.numerics.tensor_calls import TensorCall, tensor_call
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import text_of

CLAMPS = frozenset({"clamp", "clamp_min", "clip", "clamp_", "maximum"})
MESSAGE = "`{}` is NaN for an empty mask: clamp `{}` at 1{}"
TWIN = ", as line {} does"


class MaskMeanOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which means over a mask are reported.

    `everywhere`: also in files that clamp no such sum elsewhere.
    """

    everywhere: bool = False


class UnguardedMaskMean(Rule):
    """A mean over a mask is NaN for a mask without a hit, while the same file guards another one.

    What: `(x * mask).sum() / mask.sum()`, where the sum of the mask is neither clamped nor tested nor
    given an epsilon, in a file that clamps the sum of a mask in another denominator.

    Why: an empty row, a sequence of padding or a batch without a label of a kind gives 0 / 0, and one
    NaN reaches every weight. The guarded twin shows that empty masks occur.

    Quiet: a clamp, a maximum, an epsilon, a test of the mask or of its sum; files without a guarded
    twin (option `everywhere`).

    Off unless selected: some losses repeat those of another package to the letter, or bound the length of
    the rows before.

    Tickets: real code
    """

    contract = "finite-numbers"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P3
    roles = OUTSIDE_TESTS
    default = False
    precision = (
        "3 of 3 in 69 packages, after mending on them (agilerl, gliner); 2 of 2 in 19 others "
        "(trl); 0 of 3 in the last 35 unseen packages (unsloth), before mending on them"
    )
    triggers = Triggers(
        nodes=frozenset({"BinOp"}), collected=frozenset({"Call"}), parts=frozenset({"mask"})
    )
    Options = MaskMeanOptions
    options: MaskMeanOptions

    VALID = (
        Valid(
            "a clamp, an epsilon, a test",
            """
            def means(x, mask):
                a = (x * mask).sum() / mask.sum().clamp(min=1)
                b = (x * mask).sum() / (mask.sum() + 1e-8)
                c = (x * mask).sum() / mask.sum() if mask.any() else 0.0
                total = mask.sum()
                if total == 0:
                    return a
                return a + b + c + (x * mask).sum() / total
            """,
        ),
        Valid(
            "no guarded twin in the file",
            """
            def mean(x, mask):
                return (x * mask).sum() / mask.sum()
            """,
        ),
        Valid(
            "a clamp that is no lower bound",
            """
            def pool(x, mask, words):
                some = words.mask.sum(-1).clamp(max=1)
                return (x * mask).sum(-1) / mask.sum(-1) * some
            """,
        ),
        Valid(
            "a sum of other things",
            """
            def shares(x, mask, weights):
                a = (x * mask).sum() / mask.sum().clamp(min=1)
                return a + (x * weights).sum() / weights.sum() + mask.sum() / 2
            """,
        ),
    )
    INVALID = (
        Invalid(
            "the other half of a loss",
            """
            def losses(x, y, mask, other_mask):
                first = (x * mask).sum(-1) / mask.sum(-1).clamp(min=1.0)
                second = (y * other_mask).sum(-1) / other_mask.sum(-1)
                return first + second
            """,
            (
                (
                    3,
                    MESSAGE.format(
                        "(y * other_mask).sum(-1) / other_mask.sum(-1)",
                        "other_mask.sum(-1)",
                        TWIN.format(2),
                    ),
                ),
            ),
        ),
        Invalid(
            "by functions, in variables, with a comparison as the mask",
            """
            import torch
            def train(loss, labels):
                is_kept = labels != -100
                count = is_kept.sum()
                return torch.sum(loss * is_kept) / count
            def test(loss, labels):
                mask = labels != -100
                return torch.sum(loss * mask) / torch.clamp(mask.sum(), min=1)
            """,
            (
                (
                    5,
                    MESSAGE.format(
                        "torch.sum(loss * is_kept) / count", "is_kept.sum()", TWIN.format(8)
                    ),
                ),
            ),
        ),
        Invalid(
            "everywhere, by option",
            """
            def pool(x, mask):
                return (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            """,
            (
                (
                    2,
                    MESSAGE.format(
                        "(x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)",
                        "mask.sum(1, keepdim=True)",
                        "",
                    ),
                ),
            ),
            options={"everywhere": True},
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep divisions."""
        return [n for n in nodes if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report masked sums divided by the sum of the mask."""
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Div):
            return
        total = _mask_sum(node.right, file)
        if total is None or not _is_sum(node.left, file) or is_replaced(node, file):
            return
        if _is_tested(total, node, file):
            return
        twin = file.once(_guarded_line)
        if twin or self.options.everywhere:
            code = " ".join(file.code(node).split())
            reason = TWIN.format(twin) if twin else ""
            yield Violation(node, MESSAGE.format(code, file.code(total.node), reason))


def _mask_sum(node: ast.expr, file: FileView) -> TensorCall | None:
    """Return the sum of a mask that an expression is."""
    for origin in file.once(ValueOrigins).of(node, calls=0):
        call = tensor_call(origin, file)
        if call is not None and call.name == "sum":
            named = text_of(call.subject).rpartition(".")[2]
            if MASK.search(named) or is_mask(call.subject, file):
                return call
    return None


def _is_sum(node: ast.expr, file: FileView) -> bool:
    origins = file.once(ValueOrigins).of(node, calls=0)
    calls = [tensor_call(origin, file) for origin in origins]
    return any(call is not None and call.name == "sum" for call in calls)


def _is_tested(total: TensorCall, division: ast.BinOp, file: FileView) -> bool:
    texts = {text_of(total.subject), text_of(total.node), text_of(division.right)}
    tests = tests_around(division, file)
    return any(text_of(part) in texts for test in tests for part in walk(test))


def _guarded_line(file: FileView) -> int:
    """Return the first line that clamps the sum of a mask, 0 if none does."""
    for node in file.nodes(ast.Call):
        call = tensor_call(node, file)
        if call is None or call.name not in CLAMPS or call.argument("min", 0) is None:
            continue
        if _mask_sum(call.subject, file) is not None:
            return node.lineno
    return 0
