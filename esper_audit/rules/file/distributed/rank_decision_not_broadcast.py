"""The rule `rank-decision-not-broadcast`: one rank leaves a loop in which the others stay."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.distributed import rank_decision_not_broadcast_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.distributed.ranks import RANK_SOURCES, Ranks, collectives_in
from esper_audit.source.idioms.local_flow.following_statements import (
    NESTED,
    assigned_to,
    following,
    preceding,
)
from esper_audit.source.idioms.numerics.gradient_modes import is_without_gradients
from esper_audit.source.idioms.training.training_events import EventKind
from esper_audit.source.idioms.training.training_flow import TrainingFlows
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, terminal_name
from esper_audit.source.syntax.source import has_word
from esper_audit.text.phrases import quoted

# A call with one of these in its name may bring the ranks to agree.
SHARING = ("broadcast", "reduce", "gather", "sync", "scatter", "share", "agree")
DISTRIBUTED_WORDS = frozenset({b"distributed", b"accelerate", b"accelerator", b"fabric"})
ACTING = (*(ast.Assign, ast.AnnAssign, ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Break),)
IN_PLACE = re.compile(r"[a-z]\w*[a-z0-9]_")
LEFT = (ast.Return, ast.Break, ast.Continue, ast.Raise)
LEAVING = frozenset({ast.Break, ast.Return, ast.Continue})


class RankDecisionNotBroadcast(Rule):
    """One rank leaves a loop in which the others stay.

    What: a name that is assigned, or a tensor that is filled, only on ranks that fulfil a condition, and on
    which every rank then decides whether to `break`, `return` or `continue`, with nothing that shares it in
    between; a `break` of some ranks only out of a loop that runs backward or a collective.

    Why: the rank that decides goes on to other collectives than the ranks that still have the first value.
    The next gradient exchange hangs, or mixes different steps.

    Quiet: a choice of the object that a function makes; a broadcast, reduction or gathering in between; a
    decision that is used by the same ranks; code that names nothing distributed.

    Tickets: real code
    """

    contract = "rank-agreement"
    category = Category.RACE_CONDITION
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    precision = (
        "1 of 1 by a reader in about 200 packages (unimol_tools), after mending on them; 1 of 2 in them before, and 0 "
        "of 2 in 118; no finding more in 147 for tensors that are filled"
    )
    triggers = Triggers(nodes=frozenset({"If"}), words=RANK_SOURCES)

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep branches that may assign something, or leave a loop."""
        return [
            node
            for node in nodes
            if isinstance(node, ast.If) and any(isinstance(s, ACTING) for s in node.body)
        ]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report decisions of some ranks that all ranks follow."""
        if not isinstance(node, ast.If) or not file.once(_is_distributed):
            return
        ranks = file.once(Ranks)
        if not ranks.is_rank_test(node.test) or ranks.is_on_some_ranks(node) is not None:
            return
        left = _left_alone(node, file)
        if left is not None:
            test, word = quoted(file.code(node.test)), quoted(file.code(left))
            yield Violation(
                left,
                f"`{word}` leaves the loop of training on the ranks of `{test}` only: the others go on and "
                "wait for them. Broadcast the decision, and leave on every rank",
            )
            return
        decided = _decided(node) - _received(node, file)
        for statement in following(node, file):
            if not decided or _is_shared(statement):
                return
            choice = _choice(statement, decided)
            if (
                choice is not None
                and not ranks.is_rank_test(choice.test)
                and ranks.is_on_some_ranks(choice) is None
                and (_leaves_others(choice, file))
            ):
                yield Violation(choice, _message(choice.test, node, file))
                return
            decided -= {name for name, _ in assigned_to(statement)}
        around = next((s for s in reversed(file.enclosing(node)) if isinstance(s, ast.While)), None)
        if around is not None and _mentions(around.test, decided):
            yield Violation(around, _message(around.test, node, file))


def _is_distributed(file: FileView) -> bool:
    return any(has_word(file.source.data, word) for word in DISTRIBUTED_WORDS)


def _message(choice: ast.expr, branch: ast.If, file: FileView) -> str:
    test, ranks = quoted(file.code(choice)), quoted(file.code(branch.test))
    return (
        f"`{test}` decides on every rank, but only the ranks of `{ranks}` in line {branch.lineno} have the new "
        "value: the others stay behind. Broadcast it first"
    )


def _mentions(test: ast.expr, names: frozenset[str]) -> bool:
    found = {dotted(part) for part in scan(test, {ast.Name, ast.Attribute})}
    return not names.isdisjoint(found)


def _left_alone(branch: ast.If, file: FileView) -> ast.stmt | None:
    """Return the statement by which only some ranks leave a loop in which all ranks meet."""
    loops = [s for s in file.enclosing(branch) if isinstance(s, (ast.For, ast.While))]
    if not loops or branch.orelse or not _meets(loops[-1], file):
        return None
    inner = {ast.For, ast.While, ast.FunctionDef}
    found = [p for s in branch.body for p in scan(s, {ast.Break}, inner) if isinstance(p, ast.stmt)]
    return found[0] if found else None


def _meets(loop: ast.stmt, file: FileView) -> bool:
    """Return whether a loop runs backward, in which ranks exchange gradients, or a collective."""
    if collectives_in(loop, file):
        return True
    flows = file.once(TrainingFlows).flows
    return any(e.is_in(loop) for flow in flows for e in flow.of_kind(EventKind.BACKWARD))


def _decided(branch: ast.If) -> frozenset[str]:
    """Return the names that only some ranks assign and then read with the others."""
    if isinstance(branch.body[-1], LEFT):
        return frozenset()
    mine = {name for statement in branch.body for name in _changed(statement)}
    others = {name for statement in branch.orelse for name in _changed(statement)}
    inside = any(_is_shared(statement) for statement in branch.body)
    return frozenset() if inside else frozenset(mine - others)


def _changed(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement binds, or whose tensor it changes in place."""
    yield from (name for name, _ in assigned_to(statement))
    for node in scan(statement, {ast.Call, ast.Assign}, NESTED):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            is_write = IN_PLACE.fullmatch(node.func.attr)
            yield from [dotted(node.func.value)] if is_write else []
        elif isinstance(node, ast.Assign):
            yield from (dotted(t.value) for t in node.targets if isinstance(t, ast.Subscript))


def _received(branch: ast.If, file: FileView) -> set[str]:
    """Return the names that get what a collective in front of the branch has brought to every rank."""
    shared = {
        dotted(part)
        for statement in preceding(branch, file)
        if _is_shared(statement)
        for part in scan(statement, {ast.Name})
    }
    assigned = (pair for statement in branch.body for pair in assigned_to(statement))
    return {name for name, value in assigned if _mentions(value, frozenset(shared))}


def _choice(statement: ast.stmt, decided: frozenset[str]) -> ast.If | None:
    """Return the `if` with a decided name that leaves a loop or function."""
    for choice in scan(statement, {ast.If}):
        if not isinstance(choice, ast.If):
            continue
        if _mentions(choice.test, decided) and any(type(s) in LEAVING for s in choice.body):
            return choice
    return None


def _leaves_others(choice: ast.If, file: FileView) -> bool:
    """Return whether the other ranks may wait: not in an evaluation whose rest of the round is local."""
    if any(isinstance(s, ast.Return) and isinstance(s.value, ast.Call) for s in choice.body):
        return False  # a factory, which makes another object on these ranks
    if any(isinstance(s, (ast.Break, ast.Return)) for s in choice.body):
        return True
    is_evaluation = is_without_gradients(choice, file)
    return not is_evaluation or any(
        _meets(statement, file) for statement in following(choice, file)
    )


def _is_shared(statement: ast.stmt) -> bool:
    """Return whether a statement runs something that may bring the ranks to agree."""
    calls = (call for call in scan(statement, {ast.Call}) if isinstance(call, ast.Call))
    return any(any(word in terminal_name(c.func) for word in SHARING) for c in calls)
