"""The rule `permissive-default`: a case that no branch matches is accepted."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.fallbacks import permissive_default_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.fallbacks.dispatch import is_last_literal
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted

MEMBER = re.compile(r"(^|\.)_?[A-Z]\w*\.[A-Z][A-Z0-9_]*$")
ACCEPTING = frozenset({"ok", "pass", "passed", "accept", "accepted", "allow", "allowed", "success"})
FEWEST_CASES = 2


class PermissiveDefault(Rule):
    """A case that no branch matches is accepted.

    What: a function that decides by the members of an enum (`stage == Stage.X`, `case Level.HIGH`,
    also `stage in (...)`) or by strings, at least two of them checked by a call or comparison of their
    own, and whose last statement, `else` or `case _` accepts all others: `return True`, `"ok"`,
    `passed=True`; and a table of checks whose `get` has such a default.

    Why: the member that is added next year, or the misspelt level, passes without a check. A gate
    rejects what it does not know, or raises.

    Quiet: a default that rejects or raises; branches that all return a constant (a list of exceptions);
    one case only.

    Off unless selected: a default branch that lets pass is mostly the meaning of the last member.

    Tickets: deep dive 2
    """

    contract = "gate-default"
    category = Category.CORRECTNESS
    severity = Severity.P2
    default = False
    precision = "0 of 1 by a reader in 49 packages; 0 findings in 19 others"
    triggers = Triggers(
        nodes=frozenset({"FunctionDef"}),
        collected=frozenset({"Compare"}),
        parts=frozenset({"True", *ACCEPTING, *(word.upper() for word in ACCEPTING)}),
    )
    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep functions that end in a return, an `if` or a `match`."""
        ends = (ast.Return, ast.If, ast.Match)
        return [n for n in nodes if isinstance(n, Function) and isinstance(n.body[-1], ends)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report the accepting default of a function that decides by cases."""
        if not isinstance(node, Function):
            return
        default = _default_of(node.body)
        value = default.value if isinstance(default, ast.Return) else None
        if default is None or value is None or not _is_accepting(value):
            return
        subject, checked = _subject(node)
        if checked >= FEWEST_CASES and not is_last_literal(subject, checked, node, file):
            code = file.code(default)
            yield Violation(default, f"`{code}` accepts every `{subject}` that no branch checks")


def _default_of(body: Sequence[ast.stmt]) -> ast.stmt | None:
    """Return the statement that runs where no case matches: after the branches, or their last one."""
    last = body[-1]
    if isinstance(last, ast.Return):
        return last if len(body) > 1 else None
    if isinstance(last, ast.If):
        return _default_of([last, *last.orelse]) if last.orelse else None
    if isinstance(last, ast.Match):
        final = last.cases[-1]
        is_any = isinstance(final.pattern, ast.MatchAs) and final.pattern.pattern is None
        return final.body[-1] if is_any and final.guard is None else None
    return None


def _is_accepting(value: ast.expr) -> bool:
    """Return whether a value accepts: True, "ok", `(True, ...)`, `Result(passed=True)`."""
    if isinstance(value, ast.Constant):
        return value.value is True or str(value.value).lower() in ACCEPTING
    if isinstance(value, ast.Tuple):
        return bool(value.elts) and _is_accepting(value.elts[0])
    if isinstance(value, ast.Call):
        given = {k.arg: k.value for k in value.keywords}
        flags = [v for name, v in given.items() if name in ACCEPTING]
        return any(isinstance(v, ast.Constant) and v.value is True for v in flags)
    return dotted(value).rpartition(".")[2].lower() in ACCEPTING and "." in dotted(value)


def _subject(function: Function) -> tuple[str, int]:
    """Return the name that most branches ask about, and how many of them check something of their own."""
    found: Counter[str] = Counter()
    for node in scan(function, {ast.If, ast.Match}):
        if isinstance(node, ast.If):
            subject = _asked(node.test)
            found[subject] += bool(subject) and _is_checked(node.body)
        elif isinstance(node, ast.Match):
            members = [
                c for c in node.cases if isinstance(c.pattern, (ast.MatchValue, ast.MatchOr))
            ]
            found[ast.unparse(node.subject)] += sum(_is_checked(c.body) for c in members)
    found.pop("", None)
    return found.most_common(1)[0] if found else ("", 0)


def _asked(test: ast.expr) -> str:
    """Return what a test compares with members of an enum or with strings, or an empty string."""
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        right = test.comparators[0]
        members = right.elts if isinstance(right, (ast.Tuple, ast.Set, ast.List)) else [right]
        if isinstance(test.ops[0], (ast.Eq, ast.Is, ast.In)) and all(map(_is_member, members)):
            return dotted(test.left)
    return ""


def _is_member(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    return MEMBER.search(dotted(node)) is not None


def _is_checked(body: Sequence[ast.stmt]) -> bool:
    """Return whether a branch returns what it computes."""
    returned = body[-1].value if isinstance(body[-1], ast.Return) else None
    return returned is not None and any(
        isinstance(part, (ast.Compare, ast.Call)) and not _is_accepting(returned)
        for part in ast.walk(returned)
    )
