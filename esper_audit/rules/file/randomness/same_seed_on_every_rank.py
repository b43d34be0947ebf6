"""The rule `same-seed-on-every-rank`: the workers of every rank draw the same random numbers."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.randomness import same_seed_on_every_rank_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.distributed.ranks import SAMPLERS, Ranks
from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.idioms.randomness.generators import (
    constant_seeding,
    is_constant_seed,
    seeded_name,
)
from esper_audit.source.idioms.training.torch_objects import LOADERS
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, parameters, terminal_name, text_of
from esper_audit.text.phrases import quoted

MESSAGE = (
    "`{}` gives the data loader of every rank the same random stream: all ranks augment alike (line {} "
    "shows that several ranks run this). Add the rank to the seed"
)
SEEDING = frozenset(
    {"random.seed", "numpy.random.seed", "torch.manual_seed", "torch.random.manual_seed"}
)


class SameSeedOnEveryRank(Rule):
    """The data loader workers of every rank draw the same random numbers.

    What: a generator with a constant seed that is given to a data loader, or a `worker_init_fn` that
    seeds by constants and the worker's number alone, in a function or module that reads the rank or
    builds a `DistributedSampler`.

    Why: the seeds of the workers come from that generator. Worker `i` of each rank augments with the same
    random numbers, so a batch over eight ranks holds one eighth of the variety.

    Quiet: a seed to which the rank is added; initialisation, splits and the seed of a
    `DistributedSampler`, which have to agree on every rank.

    Tickets: real code
    """

    contract = "random-streams"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "1 of 1 by readers in 112 packages; 1 of 1 in the last 65 unseen packages, before mending "
        "on them"
    )
    triggers = Triggers(calls=frozenset({"manual_seed", "seed"}))

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report constant seeds of data loaders that run on every rank."""
        if not isinstance(node, ast.Call):
            return
        if constant_seeding(node, file):
            loader = _loader_with(node, file)
        elif file.resolve(node.func) in SEEDING:
            loader = _loader_of_worker(node, file)
        else:
            return
        line = _line_of_rank(loader, file) if loader is not None else 0
        if line:
            yield Violation(node, MESSAGE.format(quoted(file.code(node)), line))


def _loader_with(seeding: ast.Call, file: FileView) -> ast.Call | None:
    """Return the data loader that gets the generator which a call seeds."""
    name = seeded_name(seeding, file)
    scope = file.functions(seeding)[-1:]
    for call in file.nodes(ast.Call):
        given = next((k.value for k in call.keywords if k.arg == "generator"), None)
        if given is None or not _is_loader(call, file):
            continue
        is_same = given is seeding or (bool(name) and text_of(given) == name)
        if is_same and (file.functions(call)[-1:] == scope or name.startswith("self.")):
            return call
    return None


def _is_loader(call: ast.Call, file: FileView) -> bool:
    """Return whether a call makes a data loader of torch, or of a class that is named for one."""
    is_torch = file.resolve(call.func) in LOADERS
    return is_torch or terminal_name(call.func).lower().endswith(("dataloader", "loader"))


def _loader_of_worker(seeding: ast.Call, file: FileView) -> ast.Call | None:
    """Return the data loader whose workers start with a function that seeds by constants."""
    calls = file.once(LocalCalls)
    for call in file.nodes(ast.Call):
        given = next((k.value for k in call.keywords if k.arg == "worker_init_fn"), None)
        start: Function | ast.Lambda | None = given if isinstance(given, ast.Lambda) else None
        if isinstance(given, ast.Name):
            start = calls.named(given)
        if start is None or not any(part is seeding for part in scan(start, {ast.Call})):
            continue
        own = {parameter.arg for parameter in parameters(start.args)}
        if seeding.args and _is_local_seed(seeding.args[0], own, file):
            return call
    return None


def _is_local_seed(seed: ast.expr, own: set[str], file: FileView) -> bool:
    """Return whether a seed is made of numbers and the number of the worker."""
    if isinstance(seed, ast.BinOp):
        return _is_local_seed(seed.left, own, file) and _is_local_seed(seed.right, own, file)
    if (isinstance(seed, ast.Name) and seed.id in own) or is_constant_seed(seed, file):
        return True
    values = file.once(Constructors).values(seed)
    return (
        len(values) == 1
        and isinstance(values[0], ast.BinOp)
        and _is_local_seed(values[0], own, file)
    )


def _line_of_rank(loader: ast.Call, file: FileView) -> int:
    """Return the line in the function of a loader that reads the rank, 0 without one."""
    functions = file.functions(loader)
    ranks = file.once(Ranks)
    nodes = (
        scan(functions[-1], {ast.Call, ast.Name, ast.Attribute, ast.Subscript})
        if functions
        else [
            *file.nodes(ast.Call),
            *file.nodes(ast.Subscript),
        ]
    )
    for node in sorted(nodes, key=_line):
        is_sampler = isinstance(node, ast.Call) and (
            file.resolve(node.func) in SAMPLERS or terminal_name(node.func) == "DistributedSampler"
        )
        if is_sampler or (isinstance(node, ast.expr) and ranks.is_rank(node)):
            return _line(node)
    return 0


def _line(node: ast.AST) -> int:
    return node.lineno if isinstance(node, ast.expr) else 0
