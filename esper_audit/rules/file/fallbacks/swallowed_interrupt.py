"""The rule `swallowed-interrupt`: a silent clause that takes Ctrl-C and `sys.exit` with it."""

from __future__ import annotations

import ast
import re
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
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, identifiers

# Directives on the line of a clause by which its author keeps it.
DECLARED = re.compile(r"#.*(E722|BLE001|pylint: *disable.*(bare|broad)-except)")
UNNAMED = re.compile(r"# *noqa(?! *:)", re.IGNORECASE)
WHOLE_FILE = re.compile(r"^# *(ruff|flake8): *noqa *$", re.IGNORECASE | re.MULTILINE)
LOOKUPS = ("importlib.", "pkg_resources.")
QUICK_CALLS = frozenset(
    {"bool", "float", "getattr", "hasattr", "int", "isinstance", "len", "print", "str", "type"}
)
LASTING = (ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Await)
EVERYTHING = "builtins.BaseException"
MESSAGE = "{} also discards KeyboardInterrupt and SystemExit: catch `Exception`"


class SwallowedInterrupt(Rule):
    """A silent clause discards interrupts and exits.

    What: a bare `except` or `except BaseException` whose body only passes, continues, returns or assigns
    a default, in a teardown, too.

    Why: Ctrl-C and `sys.exit` during the `try` are lost: a training that should end goes on, and a
    scheduler that asks it to stop kills it without a checkpoint.

    Quiet: `except Exception`; a clause that raises, reports or uses the exception; a comment that gives
    the reason, or a directive for a linter (`noqa: E722`, `pylint: disable=bare-except`, a plain `noqa`
    but in a loop that only tries again, or one for the whole file); `__del__` and functions that `atexit`
    calls; imports and version look-ups of the module itself, which are over before anything runs; a `try`
    that only imports, prints, or reads and writes items and attributes, which nothing has time to
    interrupt.

    Off by default: most of what such clauses guard is over at once, in packages that write them
    everywhere.

    Tickets: real code
    """

    contract = "interrupts-end"
    category = Category.DEFENSIVE_PROGRAMMING
    severity = Severity.P3
    default = False
    precision = (
        "2 of 19 by readers in 27 packages seen last; 33 of 48 in 36; before: 13 of 14 by readers in "
        "28 packages, after mending; 14 of 19 before"
    )
    triggers = Triggers(nodes=frozenset({"ExceptHandler"}), words=frozenset({"except"}))

    VALID = (
        Valid(
            "items, attributes, prints and imports, which are over at once",
            """
            def describe(rows, config):
                try:
                    print(f"system {platform.platform()}")
                except:
                    pass
                try:
                    rows = rows["train"]
                    import extra
                except:
                    extra = None
                try:
                    return config.env.workers[len(rows)]
                except:
                    return None
            """,
        ),
        Valid(
            "a file that its author keeps from the linter",
            """
            # ruff: noqa

            def score(text):
                try:
                    return measure(text)
                except:
                    return 0.0
            """,
        ),
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
        Valid(
            "an optional import and a version of the module, and what a linter is to leave",
            """
            import importlib.metadata

            try:
                import fused_kernels
                HAS_KERNELS = True
            except:
                HAS_KERNELS = False

            try:
                VERSION = importlib.metadata.version("sampler")
            except BaseException:
                VERSION = "unknown"


            def heads(rows):
                for _, row in rows:
                    try:
                        yield row.split()[0]
                    except:  # noqa
                        continue


            def tail(rows):
                try:
                    return rows[-1].split()[0]
                except:  # pylint: disable=bare-except
                    return ""
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
            "a load of the module, and a default in a tuple of types",
            """
            try:
                table = load("table")
            except:  # noqa: F401
                table = None
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
        Invalid(
            "a loop that tries again, which a plain noqa does not explain",
            """
            def ask(service, text):
                for _ in range(200):
                    try:
                        return service.send(text)
                    except:  # noqa
                        pass
            """,
            ((5, MESSAGE.format("bare except")),),
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
        line = file.source.lines[node.lineno - 1]
        is_declared = DECLARED.search(line) or (UNNAMED.search(line) and not _is_retry(node, file))
        is_declared = is_declared or _is_lookup(node, file) or _is_quick(node, file)
        if not (is_declared or is_in_finalizer(node, file) or is_raised_later(node, file)):
            yield Violation(node, MESSAGE.format(clause_header(node, file)))


def _is_retry(clause: ast.ExceptHandler, file: FileView) -> bool:
    """Return whether a clause is in a loop that only repeats: without end, or without use of its item."""
    loops = [s for s in file.enclosing(clause) if isinstance(s, (ast.While, ast.For))]
    if not loops or isinstance(loops[-1], ast.While):
        return bool(loops)
    items = {name for n in walk(loops[-1].target) for name in identifiers(n)}
    return all(items.isdisjoint(identifiers(n)) for s in loops[-1].body for n in walk(s))


def _is_quick(clause: ast.ExceptHandler, file: FileView) -> bool:
    """Return whether what a clause guards is over at once, or the whole file is left to its author."""
    guarded = file.parent(clause)
    body = guarded.body if isinstance(guarded, ast.Try) else []
    lasting = (statement for statement in body if not _is_print_or_import(statement))
    for node in (node for statement in lasting for node in walk(statement)):
        is_slow_call = isinstance(node, ast.Call) and dotted(node.func) not in QUICK_CALLS
        if is_slow_call or isinstance(node, LASTING):
            return WHOLE_FILE.search(file.source.text) is not None
    return True


def _is_print_or_import(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    is_print = isinstance(value, ast.Call) and dotted(value.func) == "print"
    return is_print or isinstance(statement, (ast.Import, ast.ImportFrom))


def _is_lookup(clause: ast.ExceptHandler, file: FileView) -> bool:
    """Return whether a clause of the module guards an import or a version look-up."""
    guarded = file.parent(clause)
    if file.functions(clause) or not isinstance(guarded, ast.Try):
        return False
    return any(
        isinstance(node, (ast.Import, ast.ImportFrom))
        or (isinstance(node, ast.Call) and (file.resolve(node.func) or "").startswith(LOOKUPS))
        for statement in guarded.body
        for node in walk(statement)
    )
