"""The rule `early-empty-return`: what is missing makes an empty result."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import terminal_name, text_of
from esper_audit.text.phrases import quoted

MESSAGE = (
    "`{}` returns `{}` where {}: the caller takes it for a result without entries. Raise, or warn"
)
ABSENCE = frozenset({"exists", "is_file", "is_dir", "isfile", "isdir"})
EMPTY_CALLS = frozenset({"dict", "list", "set", "tuple", "frozenset"})


class EarlyEmptyReturn(Rule):
    """A missing file or object makes an empty result.

    What: a function that returns `[]`, `{}` or another empty container where a path does not exist or an
    attribute of the object is None, while its other returns hold something. Off unless selected: an empty
    result is right where absence is normal (an optional cache), which no code shows.

    Why: a wrong path loads no samples, a metric over nothing is 0, and the first error is far away.

    Quiet: a branch that warns or logs; a test of whether there are entries at all (`if not items`).

    Tickets: real code
    """

    contract = "unknown-values"
    category = Category.DEFENSIVE_PROGRAMMING
    severity = Severity.P3
    default = False
    precision = "1 of 5 (torchrl, pykeen, sentence-transformers)"
    triggers = Triggers(nodes=frozenset({"If"}), words=frozenset({"return"}))

    VALID = (
        Valid(
            "raised",
            """
            def load(path):
                if not path.exists():
                    raise FileNotFoundError(path)
                return list(path.iterdir())
            """,
        ),
        Valid(
            "nothing to do",
            """
            def squares(values):
                if not values:
                    return []
                return [v * v for v in values]
            """,
        ),
        Valid(
            "reported",
            """
            def load(path):
                if not path.exists():
                    log.warning("no %s", path)
                    return []
                return list(path.iterdir())
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a path",
            """
            import os

            def samples(folder):
                if not os.path.isdir(folder):
                    return []
                return sorted(os.listdir(folder))
            """,
            ((5, MESSAGE.format("samples", "[]", "`folder` does not exist")),),
        ),
        Invalid(
            "a model that was never built",
            """
            class Learner:
                def metrics(self, batches):
                    if self.model is None:
                        return {}
                    return {name: self.model(b) for name, b in batches}
            """,
            ((4, MESSAGE.format("metrics", "{}", "`self.model` is None")),),
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep branches that only return something empty."""
        return [node for node in nodes if isinstance(node, ast.If) and _empty(node) is not None]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report branches that return something empty for what is missing."""
        if not isinstance(node, ast.If):
            return
        empty, missing = _empty(node), _missing(node.test)
        functions = file.functions(node)
        if empty is None or not missing or not functions:
            return
        returns = scan(functions[-1], {ast.Return})
        others = [r for r in returns if isinstance(r, ast.Return) and r.value is not None]
        if any(text_of(other.value) != text_of(empty) for other in others if other.value):
            name = functions[-1].name
            yield Violation(node.body[0], MESSAGE.format(name, quoted(file.code(empty)), missing))


def _empty(node: ast.If) -> ast.expr | None:
    """Return the empty container that a branch consists of returning."""
    statement = node.body[0]
    value = statement.value if isinstance(statement, ast.Return) else None
    if isinstance(value, (ast.List, ast.Tuple, ast.Set)):
        return None if value.elts else value
    if isinstance(value, ast.Dict):
        return None if value.keys else value
    is_call = isinstance(value, ast.Call) and terminal_name(value.func) in EMPTY_CALLS
    return value if is_call and isinstance(value, ast.Call) and not value.args else None


def _missing(test: ast.expr) -> str:
    """Return what is missing if a test is true, empty if the test is about something else."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        call = test.operand
        if isinstance(call, ast.Call) and terminal_name(call.func) in ABSENCE:
            is_function = bool(call.args)
            owner = call.args[0] if is_function else _receiver(call)
            return f"`{text_of(owner)}` does not exist"
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Is):
        is_none = isinstance(test.comparators[0], ast.Constant)
        is_own = text_of(test.left).startswith("self.")
        return f"`{text_of(test.left)}` is None" if is_none and is_own else ""
    return ""


def _receiver(call: ast.Call) -> ast.expr:
    """Return the object of a method call, the function itself for any other call."""
    return call.func.value if isinstance(call.func, ast.Attribute) else call.func
