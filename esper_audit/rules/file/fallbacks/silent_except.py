"""The rule `silent-except`: a clause catches every error and reports none."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.fallbacks import silent_except_cases as cases
from esper_audit.rules.rule import Options, Rule, Triggers, Violation
from esper_audit.source.idioms.fallbacks.exception_handling import (
    caught_types,
    clause_header,
    is_explained,
    is_in_finalizer,
    is_possible_handler,
    is_raised_later,
    is_reference_to,
    is_teardown,
    own_nodes,
    suppressed_types,
)
from esper_audit.source.idioms.fallbacks.silent_statements import is_possibly_silent, is_silent
from esper_audit.source.syntax.file_view import FileView
from esper_audit.text.phrases import quoted

BROAD = frozenset({"builtins.Exception", "builtins.BaseException"})
BROAD_NAMES = frozenset({"Exception", "BaseException"})
PROBE_WORDS = "available|can|exists|has|have|installed|is|match|ok|success|supported|supports|valid|validate|with"
PROBE = re.compile(rf"(?i)(^|_)({PROBE_WORDS})(_|$)")


class SilentExceptOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`probes`: also report functions and flags that test whether something works."""

    probes: bool = False


class SilentExcept(Rule):
    """An `except` clause catches every error and reports none.

    What: a bare `except`, `except Exception` or `except BaseException` (also in a tuple or under
    an alias) whose body only passes, continues, returns or assigns a default, or logs at debug
    level; `contextlib.suppress` of the same exceptions.

    Why: a typo, a CUDA error and a full disk look like the one failure that was expected. Training
    continues with an unintended default, and the cause is lost when the wrong result is noticed.

    Quiet: a clause that names the expected exceptions; a clause that raises, warns, logs at info
    level or above, makes any other call, or keeps, reports or counts the exception; a clause after
    which the function raises if the wanted value is None; a clause with a comment that gives the
    reason (directives for linters and to-do notes give none); a probe whose failure is the answer
    (`is_...`, `_HAS_... = False`; option `probes`); a `try` or a function that only closes or stops
    resources (`close`, `shutdown`, `kill`), so that the teardown continues and hides no earlier
    error; `__del__` and functions that `atexit` calls.

    Tickets: real code
    """

    contract = "errors-surface"
    category = Category.DEFENSIVE_PROGRAMMING
    severity = Severity.P2
    precision = (
        "35 of 38 findings described their code correctly (19 packages); a policy, as maintainers would "
        "merge 5 of 20 (sentence-transformers, flair, gpytorch)"
    )
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
        """Report clauses that catch every error and report none."""
        if isinstance(node, ast.ExceptHandler):
            is_possible = is_possible_handler(node, BROAD_NAMES)
            if not is_possible or not all(map(is_possibly_silent, node.body)):
                return
            kinds = caught_types(node, file)
        elif isinstance(node, ast.Call) and any(is_reference_to(a, BROAD_NAMES) for a in node.args):
            kinds = suppressed_types(node, file)
        else:
            return
        if BROAD.isdisjoint(kinds) or is_in_finalizer(node, file) or is_raised_later(node, file):
            return
        if isinstance(node, ast.ExceptHandler):
            yield from self._check_clause(node, file)
            return
        blocks = [s for s in file.enclosing(node) if isinstance(s, (ast.With, ast.AsyncWith))]
        if not blocks or not is_teardown(blocks[-1].body, file.functions(blocks[-1])):
            code = file.code(node, parentheses=True)
            yield Violation(node, f"{quoted(code)} discards every error")

    def _check_clause(self, clause: ast.ExceptHandler, file: FileView) -> Iterator[Violation]:
        attempt = file.parent(clause)
        if not isinstance(attempt, ast.Try) or is_explained(clause, file):
            return
        if not is_silent(clause.body, clause.name, file):
            return
        functions = file.functions(clause)
        if not _has_result(clause) and is_teardown(attempt.body, functions):
            return
        name = functions[-1].name if functions else ""
        if _is_probe(clause, name, file) and not self.options.probes:
            return
        body = "; ".join(_code(part, file) for part in clause.body)
        effect = f"discards every error and continues with `{quoted(body)}`"
        yield Violation(clause, f"{clause_header(clause, file)} {effect}")


def _has_result(handler: ast.ExceptHandler) -> bool:
    """Return whether a clause returns or assigns anything."""
    results = (ast.Return, ast.Assign, ast.AnnAssign)
    return any(isinstance(part, results) for part in own_nodes(handler.body))


def _is_probe(handler: ast.ExceptHandler, function: str, file: FileView) -> bool:
    """Return whether a clause belongs to a probe and returns or assigns a negative result."""
    for part in handler.body:
        names = [function]
        if isinstance(part, ast.Assign):
            names = [file.code(target) for target in part.targets]
        answer = part.value if isinstance(part, (ast.Assign, ast.Return)) else None
        negative = answer is None or file.code(answer, parentheses=True) in {"False", "None"}
        if not negative or not all(PROBE.search(name) for name in names):
            return False
    return True


def _code(part: ast.stmt, file: FileView) -> str:
    """Return the source of a statement, of an `if` with the comments around it."""
    code = file.code_with_comments(part) if isinstance(part, ast.If) else file.code(part)
    return code.strip()
