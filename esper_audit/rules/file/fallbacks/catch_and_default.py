"""The rule `catch-and-default`: an unknown name becomes a member by the failure of its lookup."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.fallbacks.dispatch import is_member, is_reported, is_text
from esper_audit.source.idioms.fallbacks.exception_handling import clause_header, is_explained
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, terminal_name
from esper_audit.text.phrases import quoted

MESSAGE = (
    "`{}` turns every value that `{}` does not know into `{}`. Let the lookup raise, or report it"
)
LOOKUP_ERRORS = frozenset({"KeyError", "ValueError", "LookupError", "AttributeError", "IndexError"})


class CatchAndDefault(Rule):
    """An unknown name becomes a member by the failure of its lookup.

    What: an `except` of a failed lookup (`KeyError`, `ValueError` ...) around `Stage[name]`, `Stage(value)`
    or `getattr(Stage, name)` that returns or assigns a member of the same enumeration, or around a table
    that returns another of its entries (`TABLE["default"]`), without a warning.

    Why: a misspelt name and a value of a newer version become the default. The run goes on in another
    mode than the one that was asked for.

    Quiet: None and other markers of absence; a clause that warns, raises or has a comment with the reason;
    `_missing_` and other hooks of the enumeration itself.

    Off unless selected: a default for what a lookup does not know is mostly wanted.

    Tickets: real code
    """

    contract = "unknown-values"
    category = Category.DEFENSIVE_PROGRAMMING
    severity = Severity.P2
    default = False
    precision = "0 of 1 (whisperx) in 69 packages; 0 findings in 47 others"
    triggers = Triggers(nodes=frozenset({"ExceptHandler"}), words=LOOKUP_ERRORS)

    VALID = (
        Valid(
            "reported",
            """
            def stage_of(name):
                try:
                    return Stage[name]
                except KeyError:
                    warnings.warn(f"unknown stage {name}")
                    return Stage.NEW
            """,
        ),
        Valid(
            "a marker of absence",
            """
            def stage_of(name):
                try:
                    return Stage[name]
                except KeyError:
                    return None
            """,
        ),
        Valid(
            "an argument of its own",
            """
            def pop(table, *args):
                try:
                    return table.take(args[0])
                except KeyError:
                    return args[1]
            """,
        ),
        Valid(
            "another enumeration, an error of its own",
            """
            def status_of(name):
                try:
                    return run(Stage[name])
                except KeyError:
                    return Status.FAILED
            """,
        ),
        Valid(
            "a comment that gives the reason",
            """
            def stage_of(name):
                try:
                    return Stage[name]
                except KeyError:
                    # files before version 3 hold names of stages that are gone
                    return Stage.NEW
            """,
        ),
    )
    INVALID = (
        Invalid(
            "by name",
            """
            def stage_of(name):
                try:
                    return Stage[name.upper()]
                except KeyError:
                    return Stage.NEW
            """,
            ((4, MESSAGE.format("except KeyError", "Stage[name.upper()]", "Stage.NEW")),),
        ),
        Invalid(
            "by value, assigned",
            """
            class Loader:
                def load(self, data):
                    try:
                        self.mode = modes.Mode(data["mode"])
                    except (KeyError, ValueError):
                        self.mode = modes.Mode.FAST
            """,
            (
                (
                    5,
                    MESSAGE.format(
                        "except (KeyError, ValueError)",
                        'modes.Mode(data["mode"])',
                        "modes.Mode.FAST",
                    ),
                ),
            ),
        ),
        Invalid(
            "an entry of the table",
            """
            def norm_of(kind):
                try:
                    layer = NORMS[kind]
                except KeyError:
                    layer = NORMS["batch"]
                return layer
            """,
            ((4, MESSAGE.format("except KeyError", "NORMS[kind]", 'NORMS["batch"]')),),
        ),
        Invalid(
            "by getattr, with a debug log",
            """
            def reduce_of(name):
                try:
                    op = getattr(Reduction, name)
                except AttributeError:
                    logger.debug("unknown")
                    op = Reduction.MEAN
                return op
            """,
            (
                (
                    4,
                    MESSAGE.format(
                        "except AttributeError", "getattr(Reduction, name)", "Reduction.MEAN"
                    ),
                ),
            ),
        ),
    )

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report clauses that replace an unknown name by a member."""
        if not isinstance(node, ast.ExceptHandler) or not _is_of_lookup(node):
            return
        members = [value for value in _results(node) if is_member(value) or _is_entry(value)]
        attempt = file.parent(node) if members else None
        if not isinstance(attempt, ast.Try) or is_reported(node.body) or is_explained(node, file):
            return
        for member in members:
            owner = (
                dotted(member.value) if isinstance(member, (ast.Attribute, ast.Subscript)) else ""
            )
            lookup = _lookup_in(attempt.body, owner)
            if lookup is not None:
                clause, code = clause_header(node, file), quoted(file.code(lookup))
                yield Violation(node, MESSAGE.format(clause, code, file.code(member)))
                return


def _is_entry(node: ast.expr) -> bool:
    """Return whether an expression is an entry of a table by a literal key: `TABLE["default"]`."""
    return isinstance(node, ast.Subscript) and is_text(node.slice)


def _is_of_lookup(handler: ast.ExceptHandler) -> bool:
    """Return whether a clause names errors of a failed lookup only."""
    if handler.type is None:
        return False
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return all(terminal_name(kind) in LOOKUP_ERRORS for kind in kinds)


def _results(handler: ast.ExceptHandler) -> Iterator[ast.expr]:
    """Yield what a clause returns or assigns."""
    for statement in handler.body:
        if isinstance(statement, (ast.Return, ast.Assign)) and statement.value is not None:
            yield statement.value


def _lookup_in(body: list[ast.stmt], owner: str) -> ast.expr | None:
    """Return the lookup of a member of an enumeration whose result a block returns or assigns."""
    for statement in body:
        for node in scan(statement, {ast.Subscript, ast.Call}):
            if isinstance(node, ast.Subscript) and dotted(node.value) == owner != "":
                return None if isinstance(node.slice, ast.Constant) else node
            if not isinstance(node, ast.Call) or not node.args:
                continue
            is_getattr = terminal_name(node.func) == "getattr" and dotted(node.args[0]) == owner
            if is_getattr or dotted(node.func) == owner:
                return node
    return None
