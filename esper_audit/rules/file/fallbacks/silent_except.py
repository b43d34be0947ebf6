"""The rule `silent-except`: a clause catches every error and reports none."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.fallbacks import silent_except_cases as cases
from esper_audit.rules.rule import Options, Reach, Rule, Triggers, Violation
from esper_audit.source.idioms.fallbacks.exception_handling import (
    caught_types,
    clause_header,
    exception_name,
    is_explained,
    is_in_finalizer,
    is_possible_handler,
    is_raised_later,
    is_reference_to,
    is_teardown,
    own_nodes,
    statements,
    suppressed_types,
)
from esper_audit.source.idioms.fallbacks.silent_statements import is_possibly_silent, is_silent
from esper_audit.source.syntax import cst
from esper_audit.source.syntax.node_view import View
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
    precision = "35 of 38 findings drawn from 19 packages were correct"
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
        """Keep clauses that may catch every error and contain only silent statements."""
        if isinstance(node, ast.ExceptHandler):
            return is_possible_handler(node, BROAD_NAMES) and all(
                map(is_possibly_silent, node.body)
            )
        return isinstance(node, ast.Call) and any(
            is_reference_to(a, BROAD_NAMES) for a in node.args
        )

    def check(self, node: cst.CSTNode, view: View) -> Iterator[Violation]:
        """Report clauses that catch every error and report none."""
        if not isinstance(node, (cst.Call, cst.ExceptHandler)):
            return
        kinds = (
            suppressed_types(node, view) if isinstance(node, cst.Call) else caught_types(node, view)
        )
        if BROAD.isdisjoint(kinds) or is_in_finalizer(node, view) or is_raised_later(node, view):
            return
        if isinstance(node, cst.ExceptHandler):
            yield from self._check_clause(node, view)
            return
        block = view.enclosing(node, cst.With)
        if block is None or not is_teardown(block.body, view):
            yield Violation(node, f"{quoted(view.code(node))} discards every error")

    def _check_clause(self, clause: cst.ExceptHandler, view: View) -> Iterator[Violation]:
        if is_explained(clause, view) or not is_silent(clause.body, exception_name(clause), view):
            return
        if _is_abandoned_teardown(clause, view) or (
            _is_probe(clause, view) and not self.options.probes
        ):
            return
        body = "; ".join(view.code(part).strip() for part in statements(clause.body))
        effect = f"discards every error and continues with `{quoted(body)}`"
        yield Violation(clause, f"{clause_header(clause, view)} {effect}")


def _is_abandoned_teardown(handler: cst.ExceptHandler, view: View) -> bool:
    """Return whether a clause without a result follows a `try` that only closes or stops resources."""
    attempt = view.parent(handler)
    results = (cst.Return, cst.Assign, cst.AnnAssign)
    if any(isinstance(part, results) for part in own_nodes([handler.body])):
        return False
    return isinstance(attempt, cst.Try) and is_teardown(attempt.body, view)


def _is_probe(handler: cst.ExceptHandler, view: View) -> bool:
    """Return whether a clause belongs to a probe and returns or assigns a negative result."""
    function = next((function.name for function in reversed(view.functions(handler))), "")
    for part in statements(handler.body):
        names = [function]
        if isinstance(part, cst.Assign):
            names = [view.code(target.target) for target in part.targets]
        answer = part.value if isinstance(part, (cst.Assign, cst.Return)) else None
        negative = answer is None or view.code(answer) in {"False", "None"}
        if not negative or not all(PROBE.search(name) for name in names):
            return False
    return True
