"""The rule `silent-except`: every error is caught, and nobody hears of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.fallbacks import silent_except_cases as cases
from esper_audit.rules.rule import CstRule, Options, Reach, Triggers, Violation
from esper_audit.source.idioms.fallbacks.exception_handling import (
    caught,
    caught_name,
    header,
    is_explained,
    may_be,
    may_catch,
    own_nodes,
    runs_at_the_end,
    statements,
    suppressed,
    surfaces_later,
    tears_down,
)
from esper_audit.source.syntax import cst
from esper_audit.source.syntax.node_view import View
from esper_audit.text.phrases import quoted

BROAD = frozenset({"builtins.Exception", "builtins.BaseException"})
BROAD_NAMES = frozenset({"Exception", "BaseException"})
UNHEARD_LOGS = frozenset({"debug", "trace"})
CONSTRUCTORS = frozenset(
    {"bool", "dict", "float", "frozenset", "int", "list", "set", "str", "tuple"}
)
TENSORS = frozenset(
    {"torch.empty", "torch.ones", "torch.tensor", "torch.zeros", "torch.zeros_like"}
)
FACTORIES = frozenset(name.removeprefix("torch.") for name in TENSORS) | CONSTRUCTORS
PLAIN = (ast.Pass, ast.Continue, ast.Break, ast.Delete, ast.Return, ast.Assign, ast.AnnAssign)
QUESTION_WORDS = "available|can|exists|has|have|installed|is|match|ok|success|supported|supports|valid|validate|with"
QUESTION = re.compile(rf"(?i)(^|_)({QUESTION_WORDS})(_|$)")


class SilentExceptOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`probes` reports functions and flags that ask whether something works, too."""

    probes: bool = False


class SilentExcept(CstRule):
    """Every error is caught, and nobody hears of it.

    What: a bare `except`, `except Exception` or `except BaseException` (also in a tuple or under
    another name) whose body only passes, continues, returns or assigns a default, or logs at debug
    level; and `contextlib.suppress` of the same.

    Why: the typo, the CUDA error and the full disk look like the one failure that was expected. The
    training goes on with a default that nobody chose, and the cause is gone when the result is
    found to be wrong.

    Quiet: a clause that names what it expects; one that raises, warns, logs at info or above, or
    makes any other call; one that keeps or tells the exception, or counts it; one after which the
    function raises when nothing was found; one whose comment says why (marks for linters and plans say
    nothing); a probe, whose answer is the failure (`is_...`,
    `_HAS_... = False`; option `probes`); a `try` that does nothing but `close`, `shutdown`, `kill`
    and the like, or stands in such a function, so that the teardown goes on and masks no earlier
    error; `__del__` and what
    `atexit` calls, where nobody is left to listen.

    Tickets: real code
    """

    contract = "errors-surface"
    category = Category.DEFENSIVE_PROGRAMMING
    severity = Severity.P2
    precision = "35 of 38 drawn from 19 packages were right"
    triggers = Triggers(
        calls=frozenset({"suppress"}),
        nodes=frozenset({"ExceptHandler"}),
        words=frozenset({"except", "suppress"}),
    )
    reach = Reach.FUNCTION
    Options = SilentExceptOptions
    options: SilentExceptOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def may_match(self, node: ast.AST, enclosing: Sequence[ast.stmt]) -> bool:
        """Keep clauses that may catch everything and hold only plain statements."""
        if isinstance(node, ast.ExceptHandler):
            return may_catch(node, BROAD_NAMES) and all(map(_may_be_silent, node.body))
        return isinstance(node, ast.Call) and any(may_be(a, BROAD_NAMES) for a in node.args)

    def check(self, node: cst.CSTNode, view: View) -> Iterator[Violation]:
        """Report clauses that catch everything and tell nobody."""
        if not isinstance(node, (cst.Call, cst.ExceptHandler)):
            return
        kinds = suppressed(node, view) if isinstance(node, cst.Call) else caught(node, view)
        if BROAD.isdisjoint(kinds) or runs_at_the_end(node, view) or surfaces_later(node, view):
            return
        if isinstance(node, cst.ExceptHandler):
            yield from self._check_clause(node, view)
            return
        block = view.enclosing(node, cst.With)
        if block is None or not tears_down(block.body, view):
            yield Violation(node, f"{quoted(view.code(node))} drops every error")

    def _check_clause(self, clause: cst.ExceptHandler, view: View) -> Iterator[Violation]:
        if is_explained(clause, view) or not _is_silent(clause.body, caught_name(clause), view):
            return
        if _gives_up_teardown(clause, view) or (
            _is_probe(clause, view) and not self.options.probes
        ):
            return
        body = "; ".join(view.code(part).strip() for part in statements(clause.body))
        does = f"drops every error and goes on with `{quoted(body)}`"
        yield Violation(clause, f"{header(clause, view)} {does}")


def _may_be_silent(statement: ast.stmt) -> bool:
    """Return whether a statement may be one that nobody hears of: it calls next to nothing."""
    if isinstance(statement, ast.If):
        return True
    methods = {
        node.func.attr
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    if isinstance(statement, ast.Expr):
        is_log = isinstance(statement.value, ast.Call) and not methods.isdisjoint(UNHEARD_LOGS)
        return is_log or isinstance(statement.value, ast.Constant)
    return isinstance(statement, PLAIN) and methods <= FACTORIES


def _is_silent(block: cst.CSTNode, error: str, view: View) -> bool:
    return all(_is_silent_statement(part, error, view) for part in statements(block))


def _is_silent_statement(part: cst.CSTNode, error: str, view: View) -> bool:
    if isinstance(part, (cst.Pass, cst.Continue, cst.Break, cst.Del)):
        return True
    if isinstance(part, cst.Expr):
        return isinstance(part.value, (cst.SimpleString, cst.Ellipsis)) or _is_unheard(part.value)
    if isinstance(part, (cst.Return, cst.Assign, cst.AnnAssign)):
        return part.value is None or _is_default(part.value, error, view)
    if not isinstance(part, cst.If) or not _is_default(part.test, error, view):
        return False
    other = part.orelse.body if isinstance(part.orelse, cst.Else) else part.orelse
    silent_else = other is None or (
        _is_silent_statement(other, error, view)
        if isinstance(other, cst.If)
        else _is_silent(other, error, view)
    )
    return silent_else and _is_silent(part.body, error, view)


def _is_unheard(value: cst.CSTNode) -> bool:
    """Return whether a call logs at a level that is off unless somebody looks for a bug."""
    if not isinstance(value, cst.Call) or not isinstance(value.func, cst.Attribute):
        return False
    return value.func.attr.value in UNHEARD_LOGS


def _is_default(value: cst.CSTNode, error: str, view: View) -> bool:
    """Return whether an expression calls nothing but constructors and does not use the error."""
    for node in own_nodes([value]):
        if isinstance(node, cst.Name) and node.value == error:
            return False
        if isinstance(node, (cst.Await, cst.Yield, cst.BaseComp)):
            return False
        if isinstance(node, cst.Call):
            name = view.resolve(node.func) or ""
            if name not in TENSORS and name.removeprefix("builtins.") not in CONSTRUCTORS:
                return False
    return True


def _gives_up_teardown(handler: cst.ExceptHandler, view: View) -> bool:
    """Return whether a clause goes on with nothing, after a `try` that only tears down."""
    attempt = view.parent(handler)
    answers = (cst.Return, cst.Assign, cst.AnnAssign)
    if any(isinstance(part, answers) for part in own_nodes([handler.body])):
        return False
    return isinstance(attempt, cst.Try) and tears_down(attempt.body, view)


def _is_probe(handler: cst.ExceptHandler, view: View) -> bool:
    """Return whether the clause answers a question in the negative: the failure is the answer."""
    function = next((function.name for function in reversed(view.functions(handler))), "")
    for part in statements(handler.body):
        names = [function]
        if isinstance(part, cst.Assign):
            names = [view.code(target.target) for target in part.targets]
        answer = part.value if isinstance(part, (cst.Assign, cst.Return)) else None
        negative = answer is None or view.code(answer) in {"False", "None"}
        if not negative or not all(QUESTION.search(name) for name in names):
            return False
    return True
