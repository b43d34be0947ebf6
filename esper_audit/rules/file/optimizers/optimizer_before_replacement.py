"""The rule `optimizer-before-replacement`: a module gets other parameters than its optimizer holds."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.local_flow.following_statements import assigned_to, following
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.idioms.optimizers.optimizer_parameters import (
    given_parameters,
    modules_given,
)
from esper_audit.source.idioms.optimizers.replaced_parameters import (
    ParameterChange,
    is_rebound,
    parameter_changes,
)
from esper_audit.source.idioms.training.torch_objects import OPTIMIZERS, is_optimizer
from esper_audit.source.syntax.ast_walk import returned_values, scan
from esper_audit.source.syntax.enclosing import is_within
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, terminal_name, text_of
from esper_audit.text.phrases import quoted

MESSAGE = (
    "`{}`: `{}` {} after line {} gave its parameters to the optimizer, which goes on with the old ones. "
    "Build the optimizer afterwards"
)


class OptimizerBeforeReplacement(Rule):
    """A module gets other parameters than its optimizer holds.

    What: after an optimizer was given `model.parameters()`, a submodule or weight of the model is replaced
    or tied, the model is sharded, emptied (`to_empty`, `.to("meta")`), wrapped with new parameters or made
    anew, in the same function or in a function or a method of the model in the file that it calls.

    Why: the new parameters are in no optimizer. They keep their first values, and no error is raised.

    Quiet: `.to(device)`, `.half()`, `DistributedDataParallel` and `torch.compile`, which keep the
    parameters; an optimizer that is built anew or given the new ones by `add_param_group`.

    Tickets: real code
    """

    contract = "optimizer-parameters"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    precision = (
        "0 of 0 in about 200 packages, after mending on some of them; 0 of 2 in each of two rounds before (losses "
        "without parameters)"
    )
    triggers = Triggers(calls=OPTIMIZERS)

    VALID = (
        Valid(
            "moved and wrapped, which keeps the parameters",
            """
            import torch

            def main(net, device):
                opt = torch.optim.AdamW(net.parameters())
                net.to(device)
                net = torch.nn.DataParallel(net)
                net = torch.compile(net)
                return net, opt
            """,
        ),
        Valid(
            "what has no parameters is replaced",
            """
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self, lr):
                    super().__init__()
                    self.body = nn.Linear(8, 8)
                    self.opt = torch.optim.SGD(self.parameters(), lr)
                    self.loss = nn.MSELoss()
                    self.pool = nn.AdaptiveAvgPool1d(1)

            def main(net):
                opt = torch.optim.AdamW(net.parameters())
                net.head = nn.Identity()
                net.drop = nn.Dropout(0.2)
                return net, opt
            """,
        ),
        Valid(
            "replaced before",
            """
            import torch
            from torch import nn

            def main(net):
                net.head = nn.Linear(8, 3)
                return torch.optim.AdamW(net.parameters())
            """,
        ),
        Valid(
            "given the new parameters",
            """
            import torch
            from torch import nn

            def main(net):
                opt = torch.optim.AdamW(net.parameters())
                net.head = nn.Linear(8, 3)
                opt.add_param_group({"params": net.head.parameters()})
                return opt
            """,
        ),
        Valid(
            "built anew",
            """
            import torch
            from torch import nn

            def main(net, data):
                opt = torch.optim.AdamW(net.parameters())
                warm_up(net, opt, data)
                net.head = nn.Linear(8, 3)
                opt = torch.optim.SGD(net.parameters(), lr=0.1)
                return opt
            """,
        ),
        Valid(
            "something else is assigned",
            """
            import torch

            def main(net, other):
                opt = torch.optim.AdamW(net.parameters())
                net.steps = 0
                net.log = Log()
                other.head = torch.nn.Linear(8, 3)
                return opt
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a method of the model",
            """
            import torch
            from torch import nn

            class Words(nn.Module):
                def grow(self, extra):
                    self.embed = nn.Embedding(self.embed.num_embeddings + extra, 8)

                def scale(self):
                    self.factor = 2.0

            def main(extra, lr):
                model = Words()
                opt = torch.optim.Adam(model.parameters(), lr)
                model.scale()
                model.grow(extra)
                return model, opt
            """,
            (
                (
                    15,
                    MESSAGE.format("model.grow(extra)", "model", "has new parameters (line 6)", 13),
                ),
            ),
        ),
        Invalid(
            "a new head",
            """
            import torch
            from torch import nn

            def main(net, classes):
                opt = torch.optim.AdamW(net.parameters())
                net.head = nn.Linear(8, classes)
                return opt
            """,
            (
                (
                    6,
                    MESSAGE.format(
                        "net.head = nn.Linear(8, classes)", "net", "has new parameters", 5
                    ),
                ),
            ),
        ),
        Invalid(
            "sharded afterwards, at the top of a script",
            """
            from torch.distributed.fsdp import fully_shard
            from torch.optim import SGD

            params = [p for p in llama.parameters() if p.requires_grad]
            sgd = SGD(params, lr=0.1)
            for layer in llama.layers:
                fully_shard(layer)
            fully_shard(llama)
            """,
            (
                (
                    8,
                    MESSAGE.format(
                        "fully_shard(llama)", "llama", "replaces the parameters by shards", 5
                    ),
                ),
            ),
        ),
        Invalid(
            "tied in a helper",
            """
            import torch

            def tie(lm):
                lm.out.weight = lm.embed.weight


            class Learner:
                def __init__(self, lm):
                    self.lm = lm
                    self.adam = torch.optim.Adam([{"params": self.lm.parameters(), "lr": 1e-3}])
                    tie(self.lm)
            """,
            (
                (
                    11,
                    MESSAGE.format(
                        "tie(self.lm)", "self.lm", "shares another parameter (line 4)", 10
                    ),
                ),
            ),
        ),
        Invalid(
            "emptied",
            """
            import torch

            def build(net):
                opt = torch.optim.SGD(net.parameters(), lr=0.1)
                if torch.cuda.is_available():
                    net.to_empty(device="cuda")
                return opt
            """,
            ((6, MESSAGE.format('net.to_empty(device="cuda")', "net", "makes new parameters", 4)),),
        ),
    )

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report changes of a module whose parameters an optimizer was given."""
        if not isinstance(node, ast.Call) or not is_optimizer([file.resolve(node.func) or ""]):
            return
        given = given_parameters(node)
        held = modules_given(given, file.once(Constructors)) if given is not None else ()
        for module in sorted(set(held)):
            change = _later_change(node, module, file)
            if change is None:
                module, change = _change_of_caller(node, module, file)
            if change is not None:
                code = quoted(file.code(change.node))
                yield Violation(
                    change.node, MESSAGE.format(code, module, change.effect, node.lineno)
                )


def _later_change(optimizer: ast.Call, module: str, file: FileView) -> ParameterChange | None:
    """Return the first change of a module after the optimizer, None if the optimizer follows it."""
    names = [
        target for target, value in assigned_to(file.enclosing(optimizer)[-1]) if value is optimizer
    ]
    first: ParameterChange | None = None
    for statement in following(optimizer, file):
        if any(is_rebound(statement, name) for name in names) or _is_regrouped(statement):
            return None
        if first is None:
            found = next(parameter_changes(statement, module, file), None)
            first = _placed(found, statement) if found is not None else None
    return first


def _placed(change: ParameterChange, statement: ast.stmt) -> ParameterChange:
    """Return a change at the statement that follows the optimizer, where that calls a function for it."""
    if is_within(change.node, [statement]):
        return change
    return ParameterChange(statement, f"{change.effect} (line {change.node.lineno})")


def _change_of_caller(
    optimizer: ast.Call, module: str, file: FileView
) -> tuple[str, ParameterChange | None]:
    """Return the change of a module after a call of the function that returns an optimizer for it."""
    functions = file.functions(optimizer)
    calls = file.once(LocalCalls)
    if not functions or optimizer not in returned_calls(functions[-1], file):
        return module, None
    for call in calls.callers(functions[-1]):
        passed = calls.arguments(call, functions[-1]).get(module)
        if passed is not None:
            change = _later_change(call, text_of(passed), file)
            if change is not None:
                return text_of(passed), change
    return module, None


def returned_calls(function: Function, file: FileView) -> list[ast.Call]:
    """Return the calls whose results a function returns."""
    constructors = file.once(Constructors)
    return [call for v in returned_values(function) for call in constructors.made_by(v)]


def _is_regrouped(statement: ast.stmt) -> bool:
    """Return whether a statement gives an optimizer further parameters."""
    calls = (call for call in scan(statement, {ast.Call}) if isinstance(call, ast.Call))
    return any(terminal_name(call.func) == "add_param_group" for call in calls)
