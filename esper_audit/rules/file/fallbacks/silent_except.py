"""The rule `silent-except`: every error is caught, and nobody hears of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.fallbacks import silent_except_cases as cases
from esper_audit.rules.rule import Options, Rule, Triggers, Violation
from esper_audit.source.idioms.fallbacks.exception_handling import (
    caught,
    header,
    is_explained,
    may_be,
    may_catch,
    own_nodes,
    runs_at_the_end,
    suppressed,
    surfaces_later,
    tears_down,
)
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import identifiers
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
TEXT = (str, bytes, type(...))
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
PLAIN = (ast.Pass, ast.Continue, ast.Break, ast.Delete, ast.Return, ast.Assign, ast.AnnAssign)
QUESTION_WORDS = "available|can|exists|has|have|installed|is|match|ok|success|supported|supports|valid|validate|with"
QUESTION = re.compile(rf"(?i)(^|_)({QUESTION_WORDS})(_|$)")


class SilentExceptOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`probes` reports functions and flags that ask whether something works, too."""

    probes: bool = False


class SilentExcept(Rule):
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
    Options = SilentExceptOptions
    options: SilentExceptOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report clauses that catch everything and tell nobody."""
        if isinstance(node, ast.ExceptHandler):
            if not may_catch(node, BROAD_NAMES) or not all(map(_may_be_silent, node.body)):
                return
            kinds = caught(node, file)
        elif isinstance(node, ast.Call) and any(may_be(a, BROAD_NAMES) for a in node.args):
            kinds = suppressed(node, file)
        else:
            return
        if BROAD.isdisjoint(kinds) or runs_at_the_end(node, file) or surfaces_later(node, file):
            return
        if isinstance(node, ast.ExceptHandler):
            yield from self._check_clause(node, file)
            return
        blocks = [s for s in file.enclosing(node) if isinstance(s, (ast.With, ast.AsyncWith))]
        if not blocks or not tears_down(blocks[-1].body, file.functions(blocks[-1])):
            code = file.code(node, parentheses=True)
            yield Violation(node, f"{quoted(code)} drops every error")

    def _check_clause(self, clause: ast.ExceptHandler, file: FileView) -> Iterator[Violation]:
        attempt = file.parent(clause)
        if not isinstance(attempt, ast.Try) or is_explained(clause, file):
            return
        if not all(_is_silent(part, clause.name, file) for part in clause.body):
            return
        functions = file.functions(clause)
        if _answers_nothing(clause) and tears_down(attempt.body, functions):
            return
        name = functions[-1].name if functions else ""
        if _is_probe(clause, name, file) and not self.options.probes:
            return
        body = "; ".join(_code(part, file) for part in clause.body)
        does = f"drops every error and goes on with `{quoted(body)}`"
        yield Violation(clause, f"{header(clause, file)} {does}")


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


def _is_silent(part: ast.stmt, error: str | None, file: FileView) -> bool:
    """Return whether a statement of a clause tells nobody of the error."""
    if isinstance(part, (ast.Pass, ast.Continue, ast.Break, ast.Delete)):
        return True
    if isinstance(part, ast.Expr):
        is_text = isinstance(part.value, ast.Constant) and isinstance(part.value.value, TEXT)
        return is_text or _is_unheard(part.value)
    if isinstance(part, (ast.Return, ast.Assign, ast.AnnAssign)):
        return part.value is None or _is_default(part.value, error, file)
    if not isinstance(part, ast.If) or not _is_default(part.test, error, file):
        return False
    return all(_is_silent(inner, error, file) for inner in (*part.body, *part.orelse))


def _is_unheard(value: ast.expr) -> bool:
    """Return whether a call logs at a level that is off unless somebody looks for a bug."""
    function = value.func if isinstance(value, ast.Call) else None
    return isinstance(function, ast.Attribute) and function.attr in UNHEARD_LOGS


def _is_default(value: ast.expr, error: str | None, file: FileView) -> bool:
    """Return whether an expression calls nothing but constructors and does not use the error."""
    for node in own_nodes([value]):
        if error in identifiers(node):
            return False
        if isinstance(node, (ast.Await, ast.Yield, ast.YieldFrom, *COMPREHENSIONS)):
            return False
        if isinstance(node, ast.Call):
            name = file.resolve(node.func) or ""
            if name not in TENSORS and name.removeprefix("builtins.") not in CONSTRUCTORS:
                return False
    return True


def _answers_nothing(handler: ast.ExceptHandler) -> bool:
    """Return whether a clause neither returns nor assigns anything."""
    answers = (ast.Return, ast.Assign, ast.AnnAssign)
    return not any(isinstance(part, answers) for part in own_nodes(handler.body))


def _is_probe(handler: ast.ExceptHandler, function: str, file: FileView) -> bool:
    """Return whether the clause answers a question in the negative: the failure is the answer."""
    for part in handler.body:
        names = [function]
        if isinstance(part, ast.Assign):
            names = [file.code(target) for target in part.targets]
        answer = part.value if isinstance(part, (ast.Assign, ast.Return)) else None
        negative = answer is None or file.code(answer, parentheses=True) in {"False", "None"}
        if not negative or not all(QUESTION.search(name) for name in names):
            return False
    return True


def _code(part: ast.stmt, file: FileView) -> str:
    """Return the source of a statement, of an `if` with the comments around it."""
    code = file.code_with_comments(part) if isinstance(part, ast.If) else file.code(part)
    return code.strip()
