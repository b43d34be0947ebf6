"""What an `except` clause or a `contextlib.suppress` catches, and what the clause's body does."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Sequence

from esper_audit.source.syntax.ast_walk import children
from esper_audit.source.syntax.enclosing import blocks
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, identifiers

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SUPPRESS = "contextlib.suppress"
# A comment of a few words; marks for other tools and plans are none.
EXPLANATION = re.compile(
    r"#+ *(?!noqa|type:|pragma|pylint|nosec|esper-audit:|todo|fixme|xxx)(?:[^\W\d]\S* +){2,}\S",
    re.IGNORECASE,
)


WORDS = "a?exit|cancel|cleanup|close|destroy|disconnect|kill|release|shutdown|stop|terminate"
TEARDOWN = re.compile(rf"(?i)(^|_)({WORDS})(_|$)")


def caught(handler: ast.ExceptHandler, file: FileView) -> list[str]:
    """Return the full names of what a clause catches, empty where unknown; bare is all."""
    if handler.type is None:
        return ["builtins.BaseException"]
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return [file.resolve(kind) or "" for kind in kinds]


def suppressed(call: ast.Call, file: FileView) -> list[str]:
    """Return the full names of what a `contextlib.suppress(...)` catches, none for other calls."""
    if file.resolve(call.func) != SUPPRESS:
        return []
    return [file.resolve(argument) or "" for argument in call.args]


def header(handler: ast.ExceptHandler, file: FileView) -> str:
    """Return the words of a clause without its body: `except OSError`."""
    if handler.type is None:
        return "bare except"
    return f"except {file.code(handler.type, parentheses=True)}"


def may_catch(handler: ast.ExceptHandler, names: frozenset[str]) -> bool:
    """Return whether a clause may catch one of some builtin exceptions, under whatever name."""
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(may_be(kind, names) for kind in kinds)


def may_be(kind: ast.expr, names: frozenset[str]) -> bool:
    """Return whether an expression may stand for one of some builtins, perhaps under an alias."""
    if isinstance(kind, ast.Attribute):
        return kind.attr in names
    return isinstance(kind, ast.Name) and (kind.id in names or kind.id not in vars(builtins))


def own_nodes(roots: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes of a block without those of the functions that it only defines."""
    pending = list(reversed(roots))
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.Lambda)):
            pending.extend(reversed(children(node)))


def raises(roots: Sequence[ast.AST]) -> bool:
    """Return whether an exception is raised anywhere in a block."""
    return any(isinstance(node, ast.Raise) for node in own_nodes(roots))


def is_explained(handler: ast.ExceptHandler, file: FileView) -> bool:
    """Return whether a comment in a clause gives a reason for what is caught."""
    return EXPLANATION.search(file.code_with_comments(handler)) is not None


def tells(handler: ast.ExceptHandler) -> bool:
    """Return whether a clause uses the exception that it caught."""
    return any(handler.name in identifiers(node) for node in own_nodes(handler.body))


def surfaces_later(node: ast.ExceptHandler | ast.Call, file: FileView) -> bool:
    """Return whether the function raises further down: always, or if what was to be had is None."""
    missing = [
        file.code(target, parentheses=True)
        for part in (node.body if isinstance(node, ast.ExceptHandler) else ())
        if isinstance(part, ast.Assign) and is_none(part.value)
        for target in part.targets
    ]
    return any(_raises_for(part, missing, file) for part in _further_down(node, file))


def is_none(node: ast.expr) -> bool:
    """Return whether a node is the constant None."""
    return isinstance(node, ast.Constant) and node.value is None


def _further_down(node: ast.ExceptHandler | ast.Call, file: FileView) -> Iterator[ast.stmt]:
    """Yield the statements of the function that come after that of a node, in blocks around it."""
    statements = file.enclosing(node)
    for above, inner in zip(reversed(statements[:-1]), reversed(statements), strict=False):
        for block in blocks(above):
            if inner in block and not file.shares_header_line(block[0]):
                yield from block[block.index(inner) + 1 :]
        if isinstance(above, (*FUNCTIONS, ast.Module)):
            return
        if isinstance(above, (ast.For, ast.AsyncFor, ast.While)):
            yield from above.orelse


def _raises_for(statement: ast.stmt, missing: Sequence[str], file: FileView) -> bool:
    if isinstance(statement, ast.Raise):
        return True
    if not isinstance(statement, ast.If) or not missing:
        return False
    refused = {test for name in missing for test in (f"{name} is None", f"not {name}")}
    is_refused = file.code(statement.test, parentheses=True) in refused
    return is_refused and any(isinstance(part, ast.Raise) for part in statement.body)


def runs_at_the_end(node: ast.ExceptHandler | ast.Call, file: FileView) -> bool:
    """Return whether a node is located in `__del__` or in a function that `atexit` calls."""
    functions = file.functions(node)
    if not functions:
        return False
    if functions[-1].name == "__del__":
        return True
    if b"atexit" not in file.source.words:
        return False
    decorators = (dotted(decorator) for decorator in functions[-1].decorator_list)
    return "atexit.register" in decorators or functions[-1].name in file.once(_run_at_exit)


def _run_at_exit(file: FileView) -> frozenset[str]:
    """Return the names that a file passes to `atexit.register`."""
    calls = (call for call in file.nodes(ast.Call) if dotted(call.func) == "atexit.register")
    return frozenset(dotted(argument) for call in calls for argument in call.args)


def tears_down(block: Sequence[ast.stmt], functions: Sequence[Function]) -> bool:
    """Return whether all that a block does, or the function around it, is to close or stop something."""
    if any(TEARDOWN.search(function.name) for function in functions[-1:]):
        return True
    return all(
        any(TEARDOWN.search(word) for node in own_nodes([part]) for word in identifiers(node))
        for part in block
    )
