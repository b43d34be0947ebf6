"""What an `except` clause or a `contextlib.suppress` catches, and what the clause's body does."""

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
# A comment of a few words; marks for other tools and plans are none.
EXPLANATION = re.compile(
    r"#+ *(?!noqa|type:|pragma|pylint|nosec|esper-audit:|todo|fixme|xxx)(?:[^\W\d]\S* +){2,}\S",
    re.IGNORECASE,
)


def caught(handler: cst.ExceptHandler, view: View) -> list[str]:
    """Return the full names of what a clause catches, empty where unknown; bare is all."""
    if handler.type is None:
        return ["builtins.BaseException"]
    kinds = handler.type.elements if isinstance(handler.type, cst.Tuple) else None
    expressions = [element.value for element in kinds] if kinds is not None else [handler.type]
    return [view.resolve(expression) or "" for expression in expressions]


def suppressed(call: cst.Call, view: View) -> list[str]:
    """Return the full names of what a `contextlib.suppress(...)` catches, none for other calls."""
    if view.resolve(call.func) != SUPPRESS:
        return []
    return [view.resolve(argument.value) or "" for argument in call.args]


def header(handler: cst.ExceptHandler, view: View) -> str:
    """Return the words of a clause without its body: `except OSError`."""
    return f"except {view.code(handler.type)}" if handler.type is not None else "bare except"


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


def own_nodes(roots: Sequence[cst.CSTNode]) -> Iterator[cst.CSTNode]:
    """Yield the nodes of a block without those of the functions that it only defines."""
    pending = list(reversed(roots))
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, (cst.FunctionDef, cst.Lambda)):
            pending.extend(reversed(children(node)))


def raises(roots: Sequence[cst.CSTNode]) -> bool:
    """Return whether an exception is raised anywhere in a block."""
    return any(isinstance(node, cst.Raise) for node in own_nodes(roots))


def is_explained(handler: cst.ExceptHandler, view: View) -> bool:
    """Return whether a comment in a clause gives a reason: somebody thought of what is caught."""
    return EXPLANATION.search(view.code(handler)) is not None


def tells(handler: cst.ExceptHandler) -> bool:
    """Return whether a clause uses the exception that it caught."""
    name = caught_name(handler)
    return any(isinstance(n, cst.Name) and n.value == name for n in own_nodes([handler.body]))


def caught_name(handler: cst.ExceptHandler) -> str:
    """Return the name that a clause gives the exception, empty if it gives none."""
    name = handler.name.name if handler.name is not None else None
    return name.value if isinstance(name, cst.Name) else ""


def statements(block: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yield the statements of a block, those that share a line one by one."""
    parts = block.body if isinstance(block, (cst.IndentedBlock, cst.SimpleStatementSuite)) else ()
    for part in parts:
        if isinstance(part, cst.SimpleStatementLine):
            yield from part.body
        else:
            yield part


def surfaces_later(node: cst.ExceptHandler | cst.Call, view: View) -> bool:
    """Return whether the function raises further down: always, or if what was to be had is None."""
    missing = [
        view.code(target.target)
        for part in (statements(node.body) if isinstance(node, cst.ExceptHandler) else ())
        if isinstance(part, cst.Assign) and view.code(part.value) == "None"
        for target in part.targets
    ]
    return any(_raises_for(part, missing, view) for part in _further_down(node, view))


def _further_down(node: cst.CSTNode, view: View) -> Iterator[cst.CSTNode]:
    """Yield the statements of the function that come after that of a node, in blocks around it."""
    for above in view.ancestors(node):
        if isinstance(above, (cst.FunctionDef, cst.Module)):
            return
        if isinstance(above, cst.IndentedBlock):
            below = list[cst.CSTNode](above.body)
            yield from below[below.index(node) + 1 :]
        elif isinstance(above, (cst.For, cst.While)) and above.orelse is not None:
            yield from statements(above.orelse.body)
        node = above


def _raises_for(statement: cst.CSTNode, missing: Sequence[str], view: View) -> bool:
    if isinstance(statement, cst.Raise):
        return True
    if isinstance(statement, cst.SimpleStatementLine):
        return any(isinstance(part, cst.Raise) for part in statement.body)
    if not isinstance(statement, cst.If):
        return False
    refused = {test for name in missing for test in (f"{name} is None", f"not {name}")}
    block = list(statements(statement.body))
    return view.code(statement.test) in refused and any(isinstance(p, cst.Raise) for p in block)


WORDS = "a?exit|cancel|cleanup|close|destroy|disconnect|kill|release|shutdown|stop|terminate"
TEARDOWN = re.compile(rf"(?i)(^|_)({WORDS})(_|$)")


def runs_at_the_end(node: cst.CSTNode, view: View) -> bool:
    """Return whether a node stands in `__del__` or in a function that `atexit` calls."""
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


def tears_down(block: cst.CSTNode, view: View) -> bool:
    """Return whether all that a block does, or the function around it, is to close or stop something."""
    if any(TEARDOWN.search(function.name) for function in view.functions(block)[-1:]):
        return True
    return all(
        any(isinstance(n, cst.Name) and TEARDOWN.search(n.value) for n in own_nodes([part]))
        for part in statements(block)
    )
