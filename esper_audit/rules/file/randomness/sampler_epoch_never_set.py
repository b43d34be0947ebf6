"""The rule `sampler-epoch-never-set`: every epoch of a distributed sampler has the same order."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.distributed.ranks import SAMPLERS
from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.idioms.training.torch_objects import NO_GRADIENTS
from esper_audit.source.syntax.ast_walk import scan, walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, terminal_name
from esper_audit.text.phrases import quoted

Loop = ast.For | ast.AsyncFor | ast.While
MESSAGE = (
    "`{}` in line {} shuffles in the same order in each round of this loop: its epoch is never set. "
    "Call `set_epoch(epoch)` of the sampler at the start of each round"
)


class SamplerEpochNeverSet(Rule):
    """Every epoch of a distributed sampler has the same order.

    What: a `DistributedSampler` that shuffles, whose loader the same file iterates once an epoch, in a
    file that never calls `set_epoch`.

    Why: the sampler shuffles by `seed + epoch`. Without `set_epoch` every epoch has the order of the
    first, and every rank sees the same samples for ever.

    Quiet: `shuffle=False`; loaders that leave the file; a single epoch; trainers that set the epoch; a
    sampler that is made in each round; an evaluation, whose order is of no matter.

    Tickets: real code
    """

    contract = "random-streams"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "3 of 3 by a reader in about 200 packages (pythae, FastNLP), after mending on some of them; 1 of 7 in 118 and "
        "1 of 2 in 49 before"
    )
    triggers = Triggers(calls=frozenset({"DistributedSampler"}))

    VALID = (
        Valid(
            "a sampler of each round, and the order of an evaluation",
            """
            import torch
            from torch.utils.data import BatchSampler, DataLoader, DistributedSampler

            class Learner:
                def __init__(self, data, held_out):
                    order = DistributedSampler(held_out)
                    self.held_out = DataLoader(held_out, sampler=order)

                def fit(self, files):
                    for epoch in range(9):
                        for data in files:
                            rows = DistributedSampler(data, seed=epoch)
                            for x in DataLoader(data, sampler=rows):
                                learn(x)
                        self.measure()

                def measure(self):
                    self.net.eval()
                    with torch.no_grad():
                        for x in self.held_out:
                            print(self.net(x))

            def replay(net, buffer):
                rows = DistributedSampler(buffer.sample())
                for x in DataLoader(buffer, sampler=rows):
                    learn(net, x)

            def main(net, buffer):
                for _ in range(9):
                    replay(net, buffer)
            """,
        ),
        Valid(
            "set at the start of each epoch",
            """
            from torch.utils.data import DataLoader, DistributedSampler

            def main(data):
                sampler = DistributedSampler(data)
                loader = DataLoader(data, sampler=sampler)
                for epoch in range(9):
                    sampler.set_epoch(epoch)
                    for x in loader:
                        learn(x)
            """,
        ),
        Valid(
            "no shuffling",
            """
            from torch.utils.data import DataLoader, DistributedSampler

            def main(data):
                loader = DataLoader(data, sampler=DistributedSampler(data, shuffle=False))
                for epoch in range(9):
                    for x in loader:
                        learn(x)
            """,
        ),
        Valid(
            "one epoch",
            """
            from torch.utils.data import DataLoader, DistributedSampler

            def main(data):
                loader = DataLoader(data, sampler=DistributedSampler(data))
                for x in loader:
                    measure(x)
            """,
        ),
        Valid(
            "a loader that the caller iterates",
            """
            from torch.utils.data import DataLoader, DistributedSampler

            def loader_of(data):
                return DataLoader(data, sampler=DistributedSampler(data))
            """,
        ),
    )
    INVALID = (
        Invalid(
            "never set",
            """
            from torch.utils.data import DataLoader
            from torch.utils.data.distributed import DistributedSampler

            def main(data, epochs):
                split = DistributedSampler(data, drop_last=True)
                batches = DataLoader(data, batch_size=8, sampler=split)
                for _ in range(epochs):
                    for x, y in batches:
                        learn(x, y)
            """,
            ((7, MESSAGE.format("DistributedSampler(data, drop_last=True)", 5)),),
        ),
        Invalid(
            "with the batches in a function, and a sampler for some runs",
            """
            import torch

            def epoch_of(net, stream):
                for i, x in enumerate(stream):
                    learn(net, x)


            class Learner:
                def __init__(self, data, is_parallel):
                    kind = torch.utils.data.distributed.DistributedSampler
                    self.order = kind(data) if is_parallel else None
                    order = torch.utils.data.DistributedSampler(data) if is_parallel else None
                    self.stream = torch.utils.data.DataLoader(data, sampler=order)

                def fit(self):
                    while self.epoch < 9:
                        epoch_of(self.net, self.stream)
            """,
            ((16, MESSAGE.format("torch.utils.data.DistributedSampler(data)", 12)),),
        ),
    )

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report samplers of a loader that several epochs iterate."""
        if not isinstance(node, ast.Call) or file.resolve(node.func) not in SAMPLERS:
            return
        if b"set_epoch" in file.source.words or _is_ordered(node):
            return
        epochs = _loop_of_epochs(node, file)
        if epochs is not None:
            place = epochs.test if isinstance(epochs, ast.While) else epochs.iter
            yield Violation(place, MESSAGE.format(quoted(file.code(node)), node.lineno))


def _is_ordered(sampler: ast.Call) -> bool:
    given = next((k.value for k in sampler.keywords if k.arg == "shuffle"), None)
    return given is not None and not (isinstance(given, ast.Constant) and given.value is True)


def _loop_of_epochs(sampler: ast.Call, file: FileView) -> Loop | None:
    """Return the loop that iterates the loader of a sampler several times."""
    constructors = file.once(Constructors)
    for loop in file.nodes(ast.For):
        iterable = loop.iter
        while isinstance(iterable, ast.Call) and iterable.args:
            iterable = iterable.args[0]
        made = constructors.made_by(iterable)
        samplers = [value for call in made for value in _samplers(call, constructors)]
        if any(sampler in constructors.made_by(value) for value in samplers):
            epochs = _loop_around(loop, file)
            if epochs is None or _is_evaluation(loop, file):
                continue
            if not _is_made_in_round(sampler, loop, epochs, file):
                return epochs
    return None


def _samplers(loader: ast.Call, constructors: Constructors) -> Iterator[ast.expr]:
    """Yield the sampler of a loader, also the one inside of a batch sampler."""
    yield from loader.args[3:4]
    for keyword in loader.keywords:
        if keyword.arg == "sampler":
            yield keyword.value
        elif keyword.arg == "batch_sampler":
            for made in constructors.made_by(keyword.value):
                yield from made.args[:1]
                yield from (k.value for k in made.keywords if k.arg == "sampler")


def _is_made_in_round(sampler: ast.Call, loop: ast.For, epochs: ast.stmt, file: FileView) -> bool:
    """Return whether each round makes a sampler of its own, itself or in the function that it calls."""
    if any(part is sampler for part in walk(epochs)):
        return True
    is_called = file.functions(epochs)[-1:] != file.functions(loop)[-1:]
    return is_called and file.functions(sampler)[-1:] == file.functions(loop)[-1:]


def _is_evaluation(loop: ast.For, file: FileView) -> bool:
    """Return whether the function around a loop switches gradients off, or a module to eval mode."""
    functions = file.functions(loop)
    managers = [m.func if isinstance(m, ast.Call) else m for m in _managers(functions, loop)]
    if any(file.resolve(manager) in NO_GRADIENTS for manager in managers):
        return True
    calls = [c for f in functions[-1:] for c in scan(f, {ast.Call}) if isinstance(c, ast.Call)]
    names = {terminal_name(call.func) for call in calls}
    return "eval" in names and names.isdisjoint({"backward", "train"})


def _managers(functions: Sequence[Function], loop: ast.For) -> Iterator[ast.expr]:
    """Yield the decorators of the functions around a loop, and the managers of `with` in and around it."""
    for function in functions:
        yield from function.decorator_list
    blocks = [b for f in functions[-1:] for b in scan(f, {ast.With}) if isinstance(b, ast.With)]
    for block in blocks:
        if loop in walk(block) or block in walk(loop):
            yield from (item.context_expr for item in block.items)


def _loop_around(loop: ast.For, file: FileView) -> Loop | None:
    """Return the loop around another one, or around a call of its function."""
    outer = [s for s in file.enclosing(loop)[:-1] if isinstance(s, Loop)]
    if outer:
        return outer[-1]
    functions = file.functions(loop)
    for call in file.once(LocalCalls).callers(functions[-1]) if functions else ():
        around = [s for s in file.enclosing(call) if isinstance(s, Loop)]
        if around:
            return around[-1]
    return None
