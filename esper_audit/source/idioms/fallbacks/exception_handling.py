"""The exceptions that an `except` clause or `contextlib.suppress` catches, and the clause's body."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Sequence

from esper_audit.source.idioms.fallbacks.argument_defaults import is_none
from esper_audit.source.syntax.ast_walk import children
from esper_audit.source.syntax.enclosing import FUNCTION_TYPES, blocks
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, identifiers

SUPPRESS = "contextlib.suppress"
# A comment of a few words that is no directive for another tool and no to-do note.
EXPLANATION = re.compile(
    r"#+ *(?!noqa|type:|pragma|pylint|nosec|esper-audit:|todo|fixme|xxx)(?:[^\W\d]\S* +){2,}\S",
    re.IGNORECASE,
)
TEARDOWN_WORDS = (
    "a?exit|cancel|cleanup|close|destroy|disconnect|kill|release|shutdown|stop|terminate"
)
TEARDOWN = re.compile(rf"(?i)(^|_)({TEARDOWN_WORDS})(_|$)")


def caught_types(handler: ast.ExceptHandler, file: FileView) -> list[str]:
    """Return the full names that a clause catches.

    An unknown name is an empty string; a bare `except` catches `builtins.BaseException`.
    """
    if handler.type is None:
        return ["builtins.BaseException"]
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return [file.resolve(kind) or "" for kind in kinds]


def suppressed_types(call: ast.Call, file: FileView) -> list[str]:
    """Return the full names that a call catches if it is `contextlib.suppress(...)`."""
    if file.resolve(call.func) != SUPPRESS:
        return []
    return [file.resolve(argument) or "" for argument in call.args]


def clause_header(handler: ast.ExceptHandler, file: FileView) -> str:
    """Return a clause without its body, such as `except OSError`."""
    if handler.type is None:
        return "bare except"
    return f"except {file.code(handler.type, parentheses=True)}"


def is_possible_handler(handler: ast.ExceptHandler, names: frozenset[str]) -> bool:
    """Return whether a clause may catch one of some builtin exceptions, possibly under an alias."""
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(is_reference_to(kind, names) for kind in kinds)


def is_reference_to(kind: ast.expr, names: frozenset[str]) -> bool:
    """Return whether an expression may refer to one of some builtins, possibly under an alias."""
    if isinstance(kind, ast.Attribute):
        return kind.attr in names
    return isinstance(kind, ast.Name) and (kind.id in names or kind.id not in vars(builtins))


def own_nodes(roots: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes of a block without the bodies of the functions that it defines."""
    pending = list(reversed(roots))
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, (*FUNCTION_TYPES, ast.Lambda)):
            pending.extend(reversed(children(node)))


def has_raise(roots: Sequence[ast.AST]) -> bool:
    """Return whether an exception is raised anywhere in a block."""
    return any(isinstance(node, ast.Raise) for node in own_nodes(roots))


def is_explained(handler: ast.ExceptHandler, file: FileView) -> bool:
    """Return whether a comment in a clause gives a reason for it."""
    return EXPLANATION.search(file.code_with_comments(handler)) is not None


def is_exception_used(handler: ast.ExceptHandler) -> bool:
    """Return whether a clause uses the exception that it caught."""
    return any(handler.name in identifiers(node) for node in own_nodes(handler.body))


def is_raised_later(node: ast.ExceptHandler | ast.Call, file: FileView) -> bool:
    """Return whether the function raises after a node: always, or if the wanted value is None."""
    missing = [
        file.code(target, parentheses=True)
        for part in (node.body if isinstance(node, ast.ExceptHandler) else ())
        if isinstance(part, ast.Assign) and is_none(part.value)
        for target in part.targets
    ]
    return any(_is_raise_for(part, missing, file) for part in _later_statements(node, file))


def _later_statements(node: ast.ExceptHandler | ast.Call, file: FileView) -> Iterator[ast.stmt]:
    """Yield the statements that follow a node in the blocks around it, up to the function."""
    statements = file.enclosing(node)
    for above, inner in zip(reversed(statements[:-1]), reversed(statements), strict=False):
        for block in blocks(above):
            if inner in block and not file.is_on_header_line(block[0]):
                yield from block[block.index(inner) + 1 :]
        if isinstance(above, (*FUNCTION_TYPES, ast.Module)):
            return
        if isinstance(above, (ast.For, ast.AsyncFor, ast.While)):
            yield from above.orelse


def _is_raise_for(statement: ast.stmt, missing: Sequence[str], file: FileView) -> bool:
    if isinstance(statement, ast.Raise):
        return True
    if not isinstance(statement, ast.If) or not missing:
        return False
    none_tests = {test for name in missing for test in (f"{name} is None", f"not {name}")}
    is_none_test = file.code(statement.test, parentheses=True) in none_tests
    return is_none_test and any(isinstance(part, ast.Raise) for part in statement.body)


def is_in_finalizer(node: ast.ExceptHandler | ast.Call, file: FileView) -> bool:
    """Return whether a node is located in `__del__` or in a function that `atexit` calls."""
    functions = file.functions(node)
    if not functions:
        return False
    if functions[-1].name == "__del__":
        return True
    if b"atexit" not in file.source.words:
        return False
    decorators = (dotted(decorator) for decorator in functions[-1].decorator_list)
    return "atexit.register" in decorators or functions[-1].name in file.once(_exit_functions)


def _exit_functions(file: FileView) -> frozenset[str]:
    """Return the names that a file passes to `atexit.register`."""
    calls = (call for call in file.nodes(ast.Call) if dotted(call.func) == "atexit.register")
    return frozenset(dotted(argument) for call in calls for argument in call.args)


def is_teardown(block: Sequence[ast.stmt], functions: Sequence[Function]) -> bool:
    """Return whether a block, or the innermost function around it, only closes or stops resources."""
    if any(TEARDOWN.search(function.name) for function in functions[-1:]):
        return True
    return all(
        any(TEARDOWN.search(word) for node in own_nodes([part]) for word in identifiers(node))
        for part in block
    )


def is_fallback(node: ast.AST, file: FileView) -> bool:
    """Return whether a pass is what remains where one without gradients raised."""
    above = file.parent(node)
    while above is not None and not isinstance(above, (ast.FunctionDef, ast.AsyncFunctionDef)):
        if isinstance(above, ast.ExceptHandler):
            return True
        above = file.parent(above)
    return False
