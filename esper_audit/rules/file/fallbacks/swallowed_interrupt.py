"""The rule `swallowed-interrupt`: a silent clause that takes Ctrl-C and `sys.exit` with it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.fallbacks.exception_handling import (
    caught_types,
    clause_header,
    is_explained,
    is_in_finalizer,
    is_raised_later,
)
from esper_audit.source.idioms.fallbacks.silent_statements import is_silent
from esper_audit.source.syntax.file_view import FileView

EVERYTHING = "builtins.BaseException"
MESSAGE = "{} also discards KeyboardInterrupt and SystemExit: catch `Exception`"


class SwallowedInterrupt(Rule):
    """A silent clause discards interrupts and exits.

    What: a bare `except` or `except BaseException` whose body only passes, continues, returns or assigns
    a default, in a teardown, too.

    Why: Ctrl-C and `sys.exit` during the `try` are lost: a training that should end goes on, and a
    scheduler that asks it to stop kills it without a checkpoint.

    Quiet: `except Exception`; a clause that raises, reports or uses the exception; a comment that gives
    the reason, or `noqa: E722`; `__del__` and functions that `atexit` calls.

    Tickets: real code
    """

    contract = "interrupts-end"
    category = Category.DEFENSIVE_PROGRAMMING
    severity = Severity.P3
    precision = "1 of 1 finding in 19 packages would be merged (open_clip_torch)"
    triggers = Triggers(nodes=frozenset({"ExceptHandler"}), words=frozenset({"except"}))

    VALID = (
        Valid(
            "ordinary errors alone",
            """
            def close(stream):
                try:
                    stream.close()
                except Exception:
                    pass
            """,
        ),
        Valid(
            "an exception that is kept or raised again",
            """
            def run(self, job):
                try:
                    job()
                except BaseException as error:
                    self.error = error
                try:
                    job()
                except:
                    self.clean()
                    raise
            """,
        ),
        Valid(
            "a reason, a finalizer",
            """
            class Pool:
                def read(self):
                    try:
                        return self.queue.get()
                    except:  # noqa: E722
                        return None
                def __del__(self):
                    try:
                        self.stop()
                    except:
                        pass
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a teardown",
            """
            class Sink:
                def stop(self):
                    try:
                        self.stream.finish()
                    except:
                        pass
            """,
            ((5, MESSAGE.format("bare except")),),
        ),
        Invalid(
            "a loop that goes on",
            """
            def fetch(urls):
                for url in urls:
                    try:
                        yield load(url)
                    except BaseException:
                        continue
            """,
            ((5, MESSAGE.format("except BaseException")),),
        ),
        Invalid(
            "an import, and a default in a tuple of types",
            """
            try:
                import apex
            except:
                apex = None
            def size(path):
                try:
                    return path.stat().st_size
                except (OSError, BaseException):
                    return 0
            """,
            (
                (3, MESSAGE.format("bare except")),
                (8, MESSAGE.format("except (OSError, BaseException)")),
            ),
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep bare clauses and those that may catch `BaseException`."""
        clauses = (node for node in nodes if isinstance(node, ast.ExceptHandler))
        return [c for c in clauses if c.type is None or "BaseException" in ast.unparse(c.type)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report silent clauses that catch interrupts and exits."""
        if not isinstance(node, ast.ExceptHandler) or EVERYTHING not in caught_types(node, file):
            return
        if not is_silent(node.body, node.name, file) or is_explained(node, file):
            return
        is_declared = "E722" in file.source.lines[node.lineno - 1]
        if not (is_declared or is_in_finalizer(node, file) or is_raised_later(node, file)):
            yield Violation(node, MESSAGE.format(clause_header(node, file)))
