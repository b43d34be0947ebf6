"""The rule `host-device-sync`: a loop waits for the device once a parameter, module or batch."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.performance import host_device_sync_cases as cases
from esper_audit.rules.rule import Options, Rule, Triggers, Violation
from esper_audit.source.idioms.performance.device_syncs import (
    is_hot,
    is_occasional,
    is_on_host,
    is_tensor_truth,
    member_loop,
)
from esper_audit.source.idioms.training.training_events import EventKind, is_loop
from esper_audit.source.idioms.training.training_flow import TrainingFlows
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import terminal_name, text_of
from esper_audit.text.phrases import quoted

SYNCING = frozenset({"item", "tolist"})
MESSAGE = (
    "`{}` waits for the device once for each of the {} in the loop in line {}. Collect the tensors, "
    "reduce them together, and read the result once"
)


class HostDeviceSyncOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`batches`: also report `.item()` and `.tolist()` in each round of a training loop."""

    batches: bool = False


class HostDeviceSync(Rule):
    """A loop waits for the device once a parameter, module or batch.

    What: `.item()`, `.tolist()`, `float` or the truth of a reduced tensor (`if torch.isnan(p.grad).any()`)
    in a loop or comprehension over the parameters or modules of a model that runs in every step: it reads
    gradients, or its function steps or runs backward. With the option `batches` also once a batch.

    Why: each of them waits until the device has finished everything before. For a model of 300
    parameters that is 300 waits a step, between which the device has nothing to do.

    Quiet: conditions on a counter or a flag (logging every n steps, debugging); loops outside of the
    step; one reading after the loop.

    Off by default: the loops found are mostly fallbacks that a batched path replaces, or synchronise for
    another reason.

    Tickets: deep dive 1.2, real code
    """

    contract = "device-sync"
    category = Category.PERFORMANCE
    severity = Severity.P3
    roles = OUTSIDE_TESTS
    default = False
    precision = (
        "0 of 3 by readers in 27 packages seen last; before: 1 of 1 by readers in 28 packages; 1 "
        "arguable (speechbrain) in 47 others; 2 of 9 in 49 packages more, before mending on them"
    )
    triggers = Triggers(
        calls=SYNCING | {"float"},
        nodes=frozenset({"If"}),
        words=frozenset({"item", "tolist", "isnan", "isfinite", "isinf", "any", "all", "grad"}),
    )
    Options = HostDeviceSyncOptions
    options: HostDeviceSyncOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep readings, and conditions on reduced tensors."""
        return [node for node in nodes if _syncing(node) is not None]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report what waits for the device in each round."""
        part = _syncing(node)
        if part is None or is_occasional(part, file):
            return
        functions = file.functions(part)
        loop = member_loop(part, file)
        function = functions[-1] if functions else None
        if loop is not None and is_hot(loop, function, file) and not is_on_host(part, loop):
            line = loop.node.lineno if isinstance(loop.node, (ast.stmt, ast.expr)) else 0
            yield Violation(part, MESSAGE.format(quoted(file.code(part)), loop.kind, line))
        elif self.options.batches and isinstance(node, ast.Call):
            batches = _loop_of_batches(node, file)
            if batches is not None:
                code = quoted(file.code(node))
                yield Violation(part, MESSAGE.format(code, "batches", batches.lineno))


def _syncing(node: ast.AST) -> ast.expr | None:
    """Return the part of a node that waits for the device."""
    if isinstance(node, ast.If):
        return node.test if is_tensor_truth(node.test) else None
    if isinstance(node, ast.Call) and terminal_name(node.func) == "float":
        return node if len(node.args) == 1 and is_tensor_truth(node.args[0]) else None
    if not isinstance(node, ast.Call) or terminal_name(node.func) not in SYNCING or node.args:
        return None
    # The count of steps of an optimizer is kept on the host.
    is_count = isinstance(node.func, ast.Attribute) and text_of(node.func.value).endswith(
        "['step']"
    )
    return None if is_count else node


def _loop_of_batches(node: ast.Call, file: FileView) -> ast.stmt | None:
    """Return the innermost loop around a node if it is one of training."""
    loops = [statement for statement in file.enclosing(node) if is_loop(statement)]
    functions = file.functions(node)
    around = functions[-1] if functions else None
    for flow in file.once(TrainingFlows).flows:
        if loops and flow.function is around:
            backward = flow.of_kind(EventKind.BACKWARD)
            if any(event.is_in(loops[-1]) for event in backward):
                return loops[-1]
    return None
