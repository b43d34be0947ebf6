"""The places of a forward pass at which `torch.compile` leaves the graph."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.syntax.ast_walk import scan, walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name

READS = frozenset({"item", "tolist", "numpy"})
REDUCTIONS = frozenset(
    {"any", "all", "sum", "max", "min", "mean", "norm", "isnan", "isinf", "allclose"}
)
ELEMENTWISE = frozenset({"abs", "float", "exp", "log", "sigmoid", "softmax", "detach", "clamp"})
# Under these the code does not run in a compiled graph, or only in the search for an error.
EAGER_TESTS = (
    "is_compiling",
    "is_scripting",
    "is_tracing",
    "debug",
    "verbose",
    "is_exporting",
    "log",
)
EAGER_DECORATORS = ("disable", "ignore", "unused", "no_compile", "skip")
WHOLE_NUMBERS = frozenset(
    {"shape", "size", "dim", "ndim", "numel", "device", "dtype", "len", "isinstance"}
)


def forward_parts(forward: Function, definition: ast.ClassDef, file: FileView) -> list[Function]:
    """Return a forward with the methods of its object and the functions of the file that it calls."""
    family = file.once(class_table).family(definition)
    functions = {s.name: s for s in file.tree.body if isinstance(s, Function)}
    found: dict[Function, None] = {forward: None}
    for call in (n for n in scan(forward, {ast.Call}) if isinstance(n, ast.Call)):
        name = dotted(call.func)
        called = family.method(name[5:]) if name.startswith("self.") else functions.get(name)
        if called is not None and not _is_eager(called):
            found[called] = None
    return [function for function in found if not _is_eager(function)]


def breaks_in(function: Function, file: FileView) -> Iterator[tuple[ast.expr, str]]:
    """Yield what breaks the graph in a function, with what it does."""
    nodes = scan(function, {ast.Call, ast.If, ast.IfExp, ast.While}, {ast.Lambda})
    tensors = _tensors(function)
    for node in nodes:
        if isinstance(node, ast.Call):
            reason = _of_call(node)
            if reason and not _is_under_eager_test(node, file):
                yield node, reason
        elif isinstance(node, (ast.If, ast.IfExp, ast.While)):
            test = node.test
            if _is_value(test, tensors) and not _is_under_eager_test(test, file):
                yield test, "branches on the value of a tensor"


def _of_call(call: ast.Call) -> str:
    name = terminal_name(call.func)
    if isinstance(call.func, ast.Attribute) and name in READS and not call.args:
        return f"reads a tensor by `.{name}()`"
    return "prints" if isinstance(call.func, ast.Name) and name == "print" else ""


def _tensors(function: Function) -> set[str]:
    """Return the arguments of a function, and the local names that methods of them give."""
    given = {p.arg for p in parameters(function.args)} - {"self", "cls"}
    for node in function.body:
        value = node.value if isinstance(node, ast.Assign) else None
        if not isinstance(node, ast.Assign) or not isinstance(value, ast.Call):
            continue
        is_method = isinstance(value.func, ast.Attribute) and dotted(value.func.value) in given
        if is_method and terminal_name(value.func) in REDUCTIONS | ELEMENTWISE:
            given |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return given


def _is_value(test: ast.expr, tensors: set[str]) -> bool:
    """Return whether a condition is computed from the values of a tensor."""
    parts = test.values if isinstance(test, ast.BoolOp) else [test]
    return any(_is_reduction_of(part, tensors) for part in parts)


def _is_reduction_of(test: ast.expr, given: set[str]) -> bool:
    """Return whether a part of a condition reduces a tensor to one value: `(x > 0).any()`, `x.sum() > 0`."""
    if isinstance(test, ast.UnaryOp):
        return _is_reduction_of(test.operand, given)
    if isinstance(test, ast.Compare):
        return isinstance(test.ops[0], (ast.Lt, ast.LtE, ast.Gt, ast.GtE)) and any(
            _is_reduction_of(side, given) for side in (test.left, *test.comparators)
        )
    if not isinstance(test, ast.Call) or terminal_name(test.func) not in REDUCTIONS:
        return False
    names = [terminal_name(n) for n in walk(test) if isinstance(n, (ast.Attribute, ast.Name))]
    is_method = isinstance(test.func, ast.Attribute)
    return is_method and not given.isdisjoint(names) and WHOLE_NUMBERS.isdisjoint(names)


def _is_eager(function: Function) -> bool:
    names = [ast.unparse(decorator) for decorator in function.decorator_list]
    return any(word in name for name in names for word in EAGER_DECORATORS)


def _is_under_eager_test(node: ast.expr, file: FileView) -> bool:
    """Return whether a node stands in a branch for eager or debugging runs, in a raise or an assert."""
    for statement in file.enclosing(node):
        if isinstance(statement, (ast.Raise, ast.Assert)):
            return True
        tests = [statement.test] if isinstance(statement, (ast.If, ast.While)) else []
        if any(word in ast.unparse(test).lower() for test in tests for word in EAGER_TESTS):
            return True
    return False
