"""Which code runs when an object, a worker or the process ends, where nobody is left to hear of an error."""

from __future__ import annotations

import ast
import re

from esper_audit import cst
from esper_audit.ast_walk import walk
from esper_audit.except_clauses import own_nodes, statements
from esper_audit.names import dotted
from esper_audit.view import View

WORDS = "a?exit|cancel|cleanup|close|destroy|disconnect|kill|release|shutdown|stop|terminate"
TEARDOWN = re.compile(rf"(?i)(^|_)({WORDS})(_|$)")


def runs_at_the_end(node: cst.CSTNode, view: View) -> bool:
    """Say whether a node stands in `__del__` or in a function that `atexit` calls."""
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
    """Say whether all that a block does, or the function around it, is to close or stop something."""
    if any(TEARDOWN.search(function.name) for function in view.functions(block)[-1:]):
        return True
    return all(
        any(isinstance(n, cst.Name) and TEARDOWN.search(n.value) for n in own_nodes([part]))
        for part in statements(block)
    )
