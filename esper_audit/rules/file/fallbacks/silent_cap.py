"""The rule `silent-cap`: a configured number is cut to a literal without a word."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.fallbacks.dispatch import is_reported
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, parameters, text_of
from esper_audit.text.phrases import quoted

# An attribute of a configuration: `config.workers`, `self.args.workers`.
CONFIGURED = re.compile(r"(^|\.)(config|cfg|conf|args|options|opts|settings|hparams)\.")
MESSAGE = (
    "`{}` cuts the `{}` of the caller to {} without a word. Raise or warn where it is exceeded"
)


class SilentCap(Rule):
    """A configured number is cut to a literal without a word.

    What: `x = min(8, x)` or `self.x = min(x, 8)` of a parameter and a literal, or `min(8, config.x)` of a
    configuration, where nothing in the function raises or warns.

    Why: the user raises the setting and nothing changes. A sweep over it measures one value many times.

    Quiet: a limit that is reported; a limit that is itself computed; `max`, which is a floor; a function
    that returns the limited number itself, also among others, so that the caller sees it.

    Off unless selected: a literal bound is mostly one that the matter sets, and a warning is a matter of taste.

    Tickets: real code
    """

    contract = "unknown-values"
    category = Category.DEFENSIVE_PROGRAMMING
    severity = Severity.P3
    default = False
    precision = "0 of 3 by readers in 133 packages (the size of a data set, a window, a table)"
    triggers = Triggers(calls=frozenset({"min"}))

    VALID = (
        Valid(
            "reported",
            """
            def build(workers):
                if workers > 8:
                    warnings.warn("at most 8 workers")
                workers = min(8, workers)
                return Pool(workers)
            """,
        ),
        Valid(
            "a number that the caller gets back",
            """
            def limit(strategy, devices, depth):
                if strategy == "notebook":
                    strategy, devices = "single", devices or 1
                    devices = min(devices, 1)
                depth = min(64, depth)
                if strategy is None:
                    return depth
                return strategy, devices
            """,
        ),
        Valid(
            "two computed numbers",
            """
            def build(width, other):
                width = min(width, other * 2)
                return width
            """,
        ),
        Valid(
            "another value is made of it",
            """
            def build(step):
                scale = min(1.0, step / 100)
                groups = min(32, width(step))
                return scale, groups
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a parameter",
            """
            def build(data, workers=4):
                workers = min(8, workers)
                return Loader(data, workers)
            """,
            ((2, MESSAGE.format("min(8, workers)", "workers", "8")),),
        ),
        Invalid(
            "a configuration",
            """
            class Pool:
                def start(self, depth):
                    return spawn(min(self.config.slots, 64), min(depth, 64))
            """,
            ((3, MESSAGE.format("min(self.config.slots, 64)", "self.config.slots", "64")),),
        ),
        Invalid(
            "kept on self",
            """
            class Pool:
                def __init__(self, slots: int):
                    self.slots = min(slots, 64)
            """,
            ((3, MESSAGE.format("min(slots, 64)", "slots", "64")),),
        ),
    )

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report limits of parameters by a literal."""
        if not isinstance(node, ast.Call) or len(node.args) != 2:
            return
        literals = [a for a in node.args if isinstance(a, ast.Constant)]
        names = [a for a in node.args if isinstance(a, (ast.Name, ast.Attribute))]
        functions = file.functions(node)
        if len(literals) != 1 or len(names) != 1 or not functions:
            return
        name = text_of(names[0])
        own = {p.arg for p in parameters(functions[-1].args)}
        is_kept = (
            name in own and _is_kept(name, node, file) and not _is_returned(name, functions[-1])
        )
        is_configured = name.partition(".")[0] in own and CONFIGURED.search(name) is not None
        if (is_kept or is_configured) and not is_reported(functions[-1].body):
            yield Violation(
                node, MESSAGE.format(quoted(file.code(node)), name, text_of(literals[0]))
            )


def _is_returned(name: str, function: Function) -> bool:
    """Return whether a function returns a name, alone or in a tuple."""
    returns = scan(function, {ast.Return}, NESTED_SCOPES)
    values = [r.value for r in returns if isinstance(r, ast.Return)]
    parts = [part for v in values for part in (v.elts if isinstance(v, ast.Tuple) else [v])]
    return any(isinstance(part, ast.Name) and part.id == name for part in parts)


def _is_kept(name: str, cap: ast.Call, file: FileView) -> bool:
    """Return whether a cut parameter replaces itself, or the attribute of its name."""
    statement = file.enclosing(cap)[-1]
    if not isinstance(statement, ast.Assign) or statement.value is not cap:
        return False
    return any(text_of(t).removeprefix("self.").lstrip("_") == name for t in statement.targets)
