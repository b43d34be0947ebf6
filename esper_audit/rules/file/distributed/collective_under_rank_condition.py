"""The rule `collective-under-rank-condition`: some ranks wait for a collective that others never reach."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.distributed import collective_under_rank_condition_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.distributed.ranks import (
    COLLECTIVES,
    Ranks,
    collective,
    collectives_in,
)
from esper_audit.source.idioms.local_flow.following_statements import following, preceding
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.enclosing import blocks
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import terminal_name
from esper_audit.text.phrases import quoted

MESSAGE = (
    "`{}` is reached by some ranks only (`{}` in line {}): they wait for the others until the timeout. "
    "Call it on every rank"
)
RANK_DECORATORS = frozenset({"rank_zero_only", "on_main_process", "on_local_main_process"})


class CollectiveUnderRankCondition(Rule):
    """Some ranks wait for a collective that others never reach.

    What: a collective of `torch.distributed` over all ranks (or `wait_for_everyone`, `fabric.barrier`) in
    a branch whose condition depends on the rank, after a `return` in such a branch, or under
    `rank_zero_only`; also in a function of the file that the branch calls.

    Why: the ranks that reach it hang until the timeout, half an hour later, with an error that names a
    place far from the cause.

    Quiet: a collective in the other branch, or in another branch by rank of the same function (the first
    rank prepares, the others wait); a `group` of its own; sending and receiving.

    Off unless selected: which ranks a group has, and what the other path reaches, is often in other files.

    Tickets: real code
    """

    contract = "rank-agreement"
    category = Category.RACE_CONDITION
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    default = False
    precision = (
        "0 of 2 in 15 packages seen last (a group whose ranks share the tested rank, a barrier on both paths); "
        "before: 0 of 3 in 69, and 0 of 4 in 80"
    )
    triggers = Triggers(calls=COLLECTIVES | {"wait_for_everyone", "gather_for_metrics"})

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report collectives that depend on the rank."""
        if not isinstance(node, ast.Call) or not collective(node, file):
            return
        decorator = _rank_decorator(node, file)
        if decorator is not None:
            code, line = quoted(file.code(node)), decorator.lineno
            yield Violation(node, MESSAGE.format(code, quoted(file.code(decorator)), line))
            return
        branch = _branch(node, file)
        place: ast.Call | None = node
        if branch is None:
            place, branch = _branch_of_caller(node, file)
        if branch is not None and place is not None:
            code, test = quoted(file.code(place)), quoted(file.code(branch.test))
            yield Violation(place, MESSAGE.format(code, test, branch.lineno))


def _rank_decorator(node: ast.Call, file: FileView) -> ast.expr | None:
    """Return the decorator that runs the function around a node on some ranks only."""
    decorators = [d for f in file.functions(node) for d in f.decorator_list]
    return next((d for d in decorators if terminal_name(d) in RANK_DECORATORS), None)


def _branch(node: ast.Call, file: FileView) -> ast.If | None:
    """Return the branch by rank that a call needs and that has no counterpart."""
    ranks = file.once(Ranks)
    around = ranks.is_on_some_ranks(node)
    if around is None:
        return _early_return(node, file)
    return None if _has_counterpart(node, around, file) else around


def _branch_of_caller(node: ast.Call, file: FileView) -> tuple[ast.Call | None, ast.If | None]:
    """Return the call of the function around a collective that depends on the rank, with the branch."""
    functions = file.functions(node)
    for call in file.once(LocalCalls).callers(functions[-1]) if functions else ():
        branch = _branch(call, file)
        if branch is not None:
            return call, branch
    return None, None


def _has_counterpart(node: ast.Call, around: ast.If, file: FileView) -> bool:
    """Return whether the other ranks reach a collective too: in another block of the branch or elsewhere."""
    inner = [block for block in blocks(around) if not _contains(block, node)]
    if any(collectives_in(statement, file) for block in inner for statement in block):
        return True
    ranks = file.once(Ranks)
    others = [
        branch
        for statement in (*preceding(around, file), *following(around, file))
        for branch in scan(statement, {ast.If})
        if isinstance(branch, ast.If) and ranks.is_rank_test(branch.test)
    ]
    functions = file.functions(node)
    cleanups = scan(functions[-1], {ast.Try}) if functions else []
    others += [
        branch
        for cleanup in cleanups
        for statement in (cleanup.body + cleanup.finalbody if isinstance(cleanup, ast.Try) else ())
        for branch in scan(statement, {ast.If})
        if isinstance(branch, ast.If) and branch is not around and ranks.is_rank_test(branch.test)
    ]
    return any(collectives_in(branch, file) for branch in others)


def _early_return(node: ast.Call, file: FileView) -> ast.If | None:
    """Return the branch by rank in front of a call that leaves the function."""
    ranks = file.once(Ranks)
    for statement in preceding(node, file):
        if not isinstance(statement, ast.If) or not ranks.is_rank_test(statement.test):
            continue
        is_left = isinstance(statement.body[-1], ast.Return) and not statement.orelse
        if is_left and not collectives_in(statement, file):
            return statement
    return None


def _contains(block: list[ast.stmt], node: ast.Call) -> bool:
    return any(part is node for statement in block for part in scan(statement, {ast.Call}))
