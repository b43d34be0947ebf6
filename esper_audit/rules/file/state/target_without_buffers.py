"""The rule `target-without-buffers`: an averaged or target network gets parameters and no buffers."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.aliasing.shared_storage import is_write_method
from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.syntax.ast_walk import names_in, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, terminal_name

PARAMETERS = frozenset({"parameters", "named_parameters"})
BUFFERS = frozenset({"buffers", "named_buffers", "state_dict", "load_state_dict"})
LAYERS = frozenset(
    {
        "BatchNorm1d",
        "BatchNorm2d",
        "BatchNorm3d",
        "SyncBatchNorm",
        "LazyBatchNorm1d",
        "spectral_norm",
    }
    | {"LazyBatchNorm2d", "BatchRenorm", "register_buffer", "convert_sync_batchnorm"}
)


class TargetWithoutBuffers(Rule):
    """An averaged or target network gets the parameters of its source and not the buffers.

    What: a loop over the parameters of two networks that writes into those of one of them, in a function
    and a class that never touch buffers or state dicts, in a file whose networks have buffers (batch
    norm, spectral norm, `register_buffer`) and put one of them in eval mode, or copy one outside of a
    module.

    Why: the running statistics of the copy stay where they were when it was made. In eval mode its batch
    norms normalise today's features with yesterday's mean, and the target values drift.

    Quiet: networks without buffers; a copy inside a module that stays in train mode and keeps its own statistics;
    buffers that are copied in another method of the class or by `load_state_dict`.

    Tickets: real code
    """

    contract = "target-follows"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "0 of 0 by readers in 46 packages, after mending on them, the known bug is found; 0 of 1 "
        "in the last 65 unseen packages, before mending on them"
    )
    triggers = Triggers(calls=frozenset({"zip"}), collected=frozenset({"Call", "ClassDef"}))

    VALID = (
        Valid(
            "buffers are copied",
            """
            import copy
            from torch import nn

            def update(net, target, tau):
                for p, t in zip(net.parameters(), target.parameters()):
                    t.data.lerp_(p.data, tau)
                for b, t in zip(net.buffers(), target.buffers()):
                    t.copy_(b)

            net = nn.BatchNorm1d(3)
            target = copy.deepcopy(net).eval()
            """,
        ),
        Valid(
            "networks without buffers",
            """
            import copy
            from torch import nn

            def update(net, target, tau):
                for p, t in zip(net.parameters(), target.parameters()):
                    t.data.lerp_(p.data, tau)

            net = nn.Linear(3, 3)
            target = copy.deepcopy(net).eval()
            """,
        ),
        Valid(
            "a copy in train mode, as momentum encoders are",
            """
            import copy
            from torch import nn

            class Momentum(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.query = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
                    self.key = copy.deepcopy(self.query)

                def update(self):
                    for q, k in zip(self.query.parameters(), self.key.parameters()):
                        k.data = 0.9 * k.data + 0.1 * q.data
            """,
        ),
        Valid(
            "gradients are compared, nothing is written",
            """
            from torch import nn

            def distance(a, b):
                a.eval()
                return sum((p - q).norm() for p, q in zip(a.parameters(), b.parameters()))

            net = nn.BatchNorm2d(3)
            """,
        ),
        Valid(
            "a copy of a module in train mode, with a function for the average",
            """
            import copy
            from torch import nn

            def follow(average, slow, fast):
                for p, q in zip(fast.parameters(), slow.parameters()):
                    q.data = average(q.data, p.data)

            class Pair(nn.Module):
                def __init__(self, width):
                    super().__init__()
                    self.fast = nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width))
                    self.slow = copy.deepcopy(self.fast)
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a target network with batch norm",
            """
            import copy
            import torch
            from torch import nn

            def polyak(net: nn.Module, target: nn.Module, tau: float) -> None:
                for p, t in zip(net.parameters(), target.parameters()):
                    t.data.mul_(1 - tau).add_(p.data, alpha=tau)

            def make():
                net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8))
                return net, copy.deepcopy(net).eval()

            def train(batches):
                net, target = make()
                for batch in batches:
                    polyak(net, target, 0.01)
            """,
            (
                (
                    6,
                    (
                        "`target` gets the parameters of `net` and not its buffers: its running statistics "
                        "stay where they were. Copy `buffers()` as well."
                    ),
                ),
            ),
        ),
        Invalid(
            "a class that averages by name, and an assignment to the data",
            """
            import copy
            import torch.nn as nn

            class Critic(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.norm = nn.BatchNorm2d(8)

            class Agent:
                def __init__(self):
                    self.critic = Critic()
                    self.critic_old = copy.deepcopy(self.critic)
                    self.critic_old.eval()

                def soft_update(self):
                    pairs = zip(self.critic_old.named_parameters(), self.critic.named_parameters())
                    for (_, old), (_, new) in pairs:
                        old.data = 0.99 * old.data + 0.01 * new.data
            """,
            (
                (
                    16,
                    (
                        "`self.critic_old` gets the parameters of `self.critic` and not its buffers: its "
                        "running statistics stay where they were. Copy `buffers()` as well."
                    ),
                ),
            ),
        ),
        Invalid(
            "an average of the weights that evaluation uses",
            """
            import torch
            from torch import nn

            @torch.no_grad()
            def average(model, shadow, decay):
                for s, m in zip(list(shadow.parameters()), list(model.parameters())):
                    torch.lerp(s, m, 1 - decay, out=s)

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.register_buffer("mean", torch.zeros(3))

            def evaluate(shadow, batches):
                shadow.eval()
                return [shadow(b) for b in batches]
            """,
            (
                (
                    6,
                    (
                        "`shadow` gets the parameters of `model` and not its buffers: its running statistics "
                        "stay where they were. Copy `buffers()` as well."
                    ),
                ),
            ),
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep calls of `zip` on the parameters of two networks."""
        return [node for node in nodes if len(_networks(node)) == 2]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report a loop that writes into the parameters of one network and leaves its buffers."""
        networks = _networks(node)
        functions = file.functions(node) if isinstance(node, ast.Call) else []
        if len(networks) != 2 or not isinstance(node, ast.Call) or not functions:
            return
        function = functions[-1]
        written = _written(node, function)
        owner = file.once(class_table).owner(function)
        scope = owner if owner is not None else function
        if written is None or _names(scope) & BUFFERS or not file.once(_has_buffers):
            return
        is_module = owner is not None and file.once(class_table).is_module(owner)
        # A module switches the modes of both of its networks, an agent is asked for each.
        if not file.once(_is_evaluated) and (is_module or not file.once(_has_copy)):
            return
        source, target = networks[1 - written], networks[written]
        message = f"`{target}` gets the parameters of `{source}` and not its buffers"
        yield Violation(
            node,
            f"{message}: its running statistics stay where they were. Copy `buffers()` as well.",
        )


def _networks(node: ast.AST) -> list[str]:
    """Return the networks over whose parameters a call of `zip` goes."""
    found: list[str] = []
    for argument in (
        node.args if isinstance(node, ast.Call) and terminal_name(node.func) == "zip" else ()
    ):
        calls = (call.func for call in scan(argument, {ast.Call}) if isinstance(call, ast.Call))
        members = [function for function in calls if isinstance(function, ast.Attribute)]
        found += [ast.unparse(m.value) for m in members if m.attr in PARAMETERS]
    return found


def _written(pairs: ast.Call, function: Function) -> int | None:
    """Return which of two networks a loop writes into, None where it writes into none."""
    names = {
        dotted(node.targets[0])
        for node in scan(function, {ast.Assign})
        if isinstance(node, ast.Assign) and node.value is pairs
    }
    for loop in scan(function, {ast.For}):
        if not isinstance(loop, ast.For) or not (
            loop.iter is pairs or dotted(loop.iter) in names - {""}
        ):
            continue
        targets = loop.target.elts if isinstance(loop.target, ast.Tuple) else []
        sides = [names_in(target) for target in targets]
        written = {name for statement in loop.body for name in _written_names(statement)}
        found = [at for at, side in enumerate(sides) if side & written]
        return found[0] if found else None
    return None


def _written_names(statement: ast.stmt) -> Iterator[str]:
    """Yield the roots of what a statement writes into."""
    for node in scan(statement, {ast.Call, ast.Assign, ast.AugAssign}):
        if isinstance(node, ast.Call):
            yield from (_root(keyword.value) for keyword in node.keywords if keyword.arg == "out")
            if isinstance(node.func, ast.Attribute) and is_write_method(node.func.attr):
                yield _root(node.func.value)
        elif isinstance(node, ast.Assign):
            yield from (_root(t) for t in node.targets if not isinstance(t, ast.Name))
        elif isinstance(node, ast.AugAssign):
            yield _root(node.target)


def _root(node: ast.expr) -> str:
    while not isinstance(node, ast.Name):
        inner = node.func if isinstance(node, ast.Call) else None
        if isinstance(node, (ast.Attribute, ast.Subscript)):
            inner = node.value
        if inner is None:
            return ""
        node = inner
    return node.id


def _names(scope: ast.AST) -> set[str]:
    return {node.attr for node in scan(scope, {ast.Attribute}) if isinstance(node, ast.Attribute)}


def _has_buffers(file: FileView) -> bool:
    """Return whether the networks of a file have buffers."""
    return not LAYERS.isdisjoint(terminal_name(call.func) for call in file.nodes(ast.Call))


def _is_evaluated(file: FileView) -> bool:
    """Return whether a network of a file is put in eval mode."""
    return any(terminal_name(call.func) == "eval" for call in file.nodes(ast.Call))


def _has_copy(file: FileView) -> bool:
    """Return whether a network of a file is a copy of another one, outside of the modules."""
    return any(not _is_in_module(call, file) for call in file.calls("deepcopy"))


def _is_in_module(call: ast.Call, file: FileView) -> bool:
    """Return whether a method of a module makes a call."""
    functions, table = file.functions(call), file.once(class_table)
    owner = table.owner(functions[0]) if functions else None
    return owner is not None and table.is_module(owner)
