"""The exceptions that an `except` clause or `contextlib.suppress` catches, and the clause's body."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Sequence

from esper_audit.source.syntax import cst
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.cst_walk import children
from esper_audit.source.syntax.names import dotted
from esper_audit.source.syntax.node_view import View

SUPPRESS = "contextlib.suppress"
# A comment of a few words that is no directive for another tool and no to-do note.
EXPLANATION = re.compile(
    r"#+ *(?!noqa|type:|pragma|pylint|nosec|esper-audit:|todo|fixme|xxx)(?:[^\W\d]\S* +){2,}\S",
    re.IGNORECASE,
)


def caught_types(handler: cst.ExceptHandler, view: View) -> list[str]:
    """Return the full names that a clause catches.

    An unknown name is an empty string; a bare `except` catches `builtins.BaseException`.
    """
    if handler.type is None:
        return ["builtins.BaseException"]
    kinds = handler.type.elements if isinstance(handler.type, cst.Tuple) else None
    expressions = [element.value for element in kinds] if kinds is not None else [handler.type]
    return [view.resolve(expression) or "" for expression in expressions]


def suppressed_types(call: cst.Call, view: View) -> list[str]:
    """Return the full names that a call catches if it is `contextlib.suppress(...)`."""
    if view.resolve(call.func) != SUPPRESS:
        return []
    return [view.resolve(argument.value) or "" for argument in call.args]


def clause_header(handler: cst.ExceptHandler, view: View) -> str:
    """Return a clause without its body, such as `except OSError`."""
    return f"except {view.code(handler.type)}" if handler.type is not None else "bare except"


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


def own_nodes(roots: Sequence[cst.CSTNode]) -> Iterator[cst.CSTNode]:
    """Yield the nodes of a block without the bodies of the functions that it defines."""
    pending = list(reversed(roots))
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, (cst.FunctionDef, cst.Lambda)):
            pending.extend(reversed(children(node)))


def has_raise(roots: Sequence[cst.CSTNode]) -> bool:
    """Return whether an exception is raised anywhere in a block."""
    return any(isinstance(node, cst.Raise) for node in own_nodes(roots))


def is_explained(handler: cst.ExceptHandler, view: View) -> bool:
    """Return whether a comment in a clause gives a reason for it."""
    return EXPLANATION.search(view.code(handler)) is not None


def is_exception_used(handler: cst.ExceptHandler) -> bool:
    """Return whether a clause uses the exception that it caught."""
    name = exception_name(handler)
    return any(isinstance(n, cst.Name) and n.value == name for n in own_nodes([handler.body]))


def exception_name(handler: cst.ExceptHandler) -> str:
    """Return the name that a clause binds the exception to, or an empty string."""
    name = handler.name.name if handler.name is not None else None
    return name.value if isinstance(name, cst.Name) else ""


def statements(block: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yield the statements of a block, also those that share a line."""
    parts = block.body if isinstance(block, (cst.IndentedBlock, cst.SimpleStatementSuite)) else ()
    for part in parts:
        if isinstance(part, cst.SimpleStatementLine):
            yield from part.body
        else:
            yield part


def is_raised_later(node: cst.ExceptHandler | cst.Call, view: View) -> bool:
    """Return whether the function raises after a node: always, or if the wanted value is None."""
    missing = [
        view.code(target.target)
        for part in (statements(node.body) if isinstance(node, cst.ExceptHandler) else ())
        if isinstance(part, cst.Assign) and view.code(part.value) == "None"
        for target in part.targets
    ]
    return any(_is_raise_for(part, missing, view) for part in _later_statements(node, view))


def _later_statements(node: cst.CSTNode, view: View) -> Iterator[cst.CSTNode]:
    """Yield the statements that follow a node in the blocks around it, up to the function."""
    for above in view.ancestors(node):
        if isinstance(above, (cst.FunctionDef, cst.Module)):
            return
        if isinstance(above, cst.IndentedBlock):
            below = list[cst.CSTNode](above.body)
            yield from below[below.index(node) + 1 :]
        elif isinstance(above, (cst.For, cst.While)) and above.orelse is not None:
            yield from statements(above.orelse.body)
        node = above


def _is_raise_for(statement: cst.CSTNode, missing: Sequence[str], view: View) -> bool:
    if isinstance(statement, cst.Raise):
        return True
    if isinstance(statement, cst.SimpleStatementLine):
        return any(isinstance(part, cst.Raise) for part in statement.body)
    if not isinstance(statement, cst.If):
        return False
    none_tests = {test for name in missing for test in (f"{name} is None", f"not {name}")}
    block = list(statements(statement.body))
    return view.code(statement.test) in none_tests and any(isinstance(p, cst.Raise) for p in block)


TEARDOWN_WORDS = (
    "a?exit|cancel|cleanup|close|destroy|disconnect|kill|release|shutdown|stop|terminate"
)
TEARDOWN = re.compile(rf"(?i)(^|_)({TEARDOWN_WORDS})(_|$)")


def is_in_finalizer(node: cst.CSTNode, view: View) -> bool:
    """Return whether a node is located in `__del__` or in a function that `atexit` calls."""
    functions = view.functions(node)
    if not functions:
        return False
    if functions[-1].name == "__del__":
        return True
    if b"atexit" not in view.source.words:
        return False
    decorators = (dotted(decorator) for decorator in functions[-1].decorator_list)
    calls = (call for call in walk(view.source.tree) if isinstance(call, ast.Call))
    registered = {dotted(a) for c in calls if dotted(c.func) == "atexit.register" for a in c.args}
    return "atexit.register" in decorators or functions[-1].name in registered


def is_teardown(block: cst.CSTNode, view: View) -> bool:
    """Return whether a block, or the function around it, only closes or stops resources."""
    if any(TEARDOWN.search(function.name) for function in view.functions(block)[-1:]):
        return True
    return all(
        any(isinstance(n, cst.Name) and TEARDOWN.search(n.value) for n in own_nodes([part]))
        for part in statements(block)
    )
