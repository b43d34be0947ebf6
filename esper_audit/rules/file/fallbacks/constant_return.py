"""The rule `constant-return`: a function that decides returns the same answer on every path."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function

OTHER_WAYS = frozenset({ast.Raise, ast.Yield, ast.YieldFrom, ast.Assert})
KNOWN_BASES = ("torch.nn.", "builtins.", "typing.", "object")


class ConstantReturn(Rule):
    """A function that decides returns the same answer on every path.

    What: a function with at least two `return`s, each of which returns the same constant True or the
    same constant False, and with a condition between them.

    Why: a validation that always answers yes, a gate that always passes: the caller branches on it, a
    reader trusts it, and the branch of the other answer never runs.

    Quiet: functions that raise or assert, whose answer is that they came back; overrides and methods of
    classes with bases elsewhere, where another class answers otherwise; one return alone.

    Off by default: a hook or a flag with one answer is mostly meant.

    Tickets: real code
    """

    contract = "live-branches"
    category = Category.CORRECTNESS
    severity = Severity.P2
    default = False
    precision = "0 of 2 by readers in 27 packages seen last; before: no findings in 19 packages"
    triggers = Triggers(
        nodes=frozenset({"FunctionDef"}),
        collected=frozenset({"ClassDef"}),
        words=frozenset({"True", "False"}),
    )

    VALID = (
        Valid(
            "both answers",
            """
            def is_ready(x):
                if x is None:
                    return False
                return True

            def has_rows(x):
                if x is None:
                    return False
                return x.shape[0] > 0
            """,
        ),
        Valid(
            "an answer by raising",
            """
            def validate(x):
                if x is None:
                    raise ValueError("missing")
                if x > 1:
                    return True
                return True
            """,
        ),
        Valid(
            "one return, a default that a subclass overrides, and a value beside it",
            """
            from base import Base

            def supports():
                return True

            class Local(Base):
                def is_causal(self, x):
                    if x:
                        return False
                    return False

            def find(x):
                if x:
                    return True, x
                return True, None
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a gate that always passes",
            """
            def should_fossilize(stage, score):
                if stage == "training":
                    return True
                if score > 0.5:
                    log(score)
                    return True
                return True
            """,
            (
                (
                    1,
                    (
                        "`should_fossilize` returns True on each of its 3 paths: the conditions decide "
                        "nothing. Return the other answer where it holds."
                    ),
                ),
            ),
        ),
        Invalid(
            "a check that catches and agrees",
            """
            import torch

            class Gate:
                def is_stable(self, x):
                    try:
                        x.std().item()
                    except RuntimeError:
                        return False
                    return False

                async def check(self, x) -> bool:
                    for row in x:
                        if row.sum() > 1:
                            return True
                    return True
            """,
            (
                (
                    4,
                    (
                        "`is_stable` returns False on each of its 2 paths: the conditions decide nothing. "
                        "Return the other answer where it holds."
                    ),
                ),
                (
                    11,
                    (
                        "`check` returns True on each of its 2 paths: the conditions decide nothing. Return "
                        "the other answer where it holds."
                    ),
                ),
            ),
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep functions that end with a constant answer."""
        return [n for n in nodes if isinstance(n, Function) and _last_answer(n.body) is not None]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report a function whose answers are one."""
        answer = _last_answer(node.body) if isinstance(node, Function) else None
        if answer is None or not isinstance(node, Function):
            return
        returns = scan(node, {ast.Return}, NESTED_SCOPES)
        is_one = len(returns) > 1 and all(_answer(each) is answer for each in returns)
        if is_one and not scan(node, OTHER_WAYS, NESTED_SCOPES) and not _is_open(node, file):
            message = f"`{node.name}` returns {answer} on each of its {len(returns)} paths"
            yield Violation(
                file.name_span(node),
                f"{message}: the conditions decide nothing. Return the other answer where it holds.",
            )


def _last_answer(block: Sequence[ast.stmt]) -> bool | None:
    """Return the constant answer with which a block ends on each of its paths."""
    last = block[-1] if block else None
    if isinstance(last, ast.If):
        answers = {_last_answer(last.body), _last_answer(last.orelse)}
        return answers.pop() if len(answers) == 1 else None
    if isinstance(last, ast.Try) and not last.finalbody:
        blocks = [last.orelse or last.body, *(handler.body for handler in last.handlers)]
        answers = {_last_answer(each) for each in blocks}
        return answers.pop() if len(answers) == 1 else None
    return _answer(last) if last is not None else None


def _answer(statement: ast.AST) -> bool | None:
    """Return the constant answer of a return, None for other statements and values."""
    value = statement.value if isinstance(statement, ast.Return) else None
    if isinstance(value, ast.Constant) and isinstance(value.value, bool):
        return value.value
    return None


def _is_open(function: Function, file: FileView) -> bool:
    """Return whether another class may answer otherwise: an override, or a method of a base."""
    table = file.once(class_table)
    owner = table.owner(function)
    if owner is None:
        return bool(function.decorator_list)
    family = table.family(owner)
    relatives = [*family.members[1:], *map(table.members, table.subclasses(owner))]
    is_known = all(name.startswith(KNOWN_BASES) for name in family.foreign_bases)
    return not is_known or any(function.name in each.methods for each in relatives)
