"""The rule `catch-all-passes`: a value that no case expects passes a check."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.fallbacks import catch_all_passes_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.fallbacks.dispatch import (
    Dispatch,
    dispatch_of,
    is_last_literal,
    union_members,
)
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, is_constant, text_of
from esper_audit.text.phrases import quoted

MESSAGE = "any `{}` other than {} passes: it {}. Reject what is not expected"
IGNORED = "`{}` may be a `{}`, which no case names: the last one ignores it. Handle it, or raise"
MOST_NAMED = 3


class CatchAllPasses(Rule):
    """A value that no case expects passes a check.

    What: a `match` or a chain of `==` on strings or members of an enumeration whose last block, for every
    other value, is `return True` where a named case rejects, or only `pass`; a `match` on classes that
    ignores one of the union with which its subject is annotated.

    Why: a new member, a misspelt level or a value from an old file is accepted without a look.

    Quiet: a last block that raises, warns, rejects or does something; cases that never reject; fewer
    than two named values.

    Off by default: a predicate whose last case is true looks like a check that lets everything pass.

    Tickets: deep dive 2, real code
    """

    contract = "unknown-values"
    category = Category.DEFENSIVE_PROGRAMMING
    severity = Severity.P2
    default = False
    precision = (
        "0 of 1 by readers in 27 packages seen last; before: 0 findings in 47 packages (monai, "
        "torchtune, trl, deepchem, allennlp and 42 more)"
    )
    triggers = Triggers(nodes=frozenset({"Match", "If"}), words=frozenset({"match", "return"}))

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep matches, and chains that end in `return True` or `pass`."""
        return [node for node in nodes if isinstance(node, ast.Match) or _may_pass(node)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report last blocks that accept every other value."""
        if not isinstance(node, (ast.If, ast.Match)):
            return
        if isinstance(node, ast.Match):
            yield from _of_classes(node, file)
        dispatch = dispatch_of(node, file)
        if dispatch is None or len(dispatch.values) < 2:
            return
        effect, functions = _effect(dispatch), file.functions(node)
        is_left = functions and is_last_literal(
            dispatch.subject, len(dispatch.values), functions[-1], file
        )
        if effect and not is_left:
            names = [f"`{text_of(value)}`" for value in dispatch.values]
            named = ", ".join(names[:MOST_NAMED]) + (" ..." if len(names) > MOST_NAMED else "")
            message = MESSAGE.format(quoted(dispatch.subject), named, effect)
            yield Violation(dispatch.default, message)


def _of_classes(node: ast.Match, file: FileView) -> Iterator[Violation]:
    """Report a last case that ignores a class of the union with which the subject is annotated."""
    *cases, last = node.cases
    is_any = isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None
    if not is_any or not isinstance(last.body[0], ast.Pass) or len(last.body) > 1:
        return
    patterns = [case.pattern for case in cases]
    named = {dotted(p.cls) for p in patterns if isinstance(p, ast.MatchClass)}
    missing = [name for name in union_members(node.subject, file) if name not in named]
    if missing and len(named) == len(cases) > 1:
        yield Violation(last.pattern, IGNORED.format(quoted(ast.unparse(node.subject)), missing[0]))


def _may_pass(node: ast.AST) -> bool:
    if not isinstance(node, ast.If) or not isinstance(node.test, ast.Compare):
        return False
    last = node.orelse
    if not last:
        return isinstance(node.body[-1], (ast.Return, ast.Raise))
    while len(last) == 1 and isinstance(last[0], ast.If):
        last = last[0].orelse
    return len(last) == 1 and isinstance(last[0], (ast.Return, ast.Pass))


def _effect(dispatch: Dispatch) -> str:
    """Return what happens to any other value if that accepts it, empty otherwise."""
    last = dispatch.otherwise
    if len(last) != 1:
        return ""
    if isinstance(last[0], ast.Pass):
        return "is ignored" if isinstance(dispatch.default, ast.MatchAs) else ""
    is_accepted = isinstance(last[0], ast.Return) and is_constant(last[0].value, True)
    rejects = any(_rejects(block) for block in dispatch.blocks)
    return "returns True" if is_accepted and rejects else ""


def _rejects(block: list[ast.stmt]) -> bool:
    """Return whether a block may return something other than True."""
    returned = [r for s in block for r in scan(s, {ast.Return}) if isinstance(r, ast.Return)]
    return any(not is_constant(statement.value, True) for statement in returned)
