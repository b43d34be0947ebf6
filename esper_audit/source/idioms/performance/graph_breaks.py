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
    {
        "any",
        "all",
        "sum",
        "max",
        "min",
        "mean",
        "norm",
        "isnan",
        "isinf",
        "allclose",
        "amax",
        "amin",
    }
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
    tensors, numbers = _tensors(function)
    for node in nodes:
        if isinstance(node, ast.Call):
            reason = _of_call(node)
            if reason and not _is_under_eager_test(node, file):
                yield node, reason
        elif isinstance(node, (ast.If, ast.IfExp, ast.While)):
            test = node.test
            is_number = any(dotted(side) in numbers for side in _ordered(test))
            if (is_number or _is_value(test, tensors)) and not _is_under_eager_test(test, file):
                yield test, "branches on the value of a tensor"


def _of_call(call: ast.Call) -> str:
    name = terminal_name(call.func)
    if isinstance(call.func, ast.Attribute) and name in READS and not call.args:
        return f"reads a tensor by `.{name}()`"
    return "prints" if isinstance(call.func, ast.Name) and name == "print" else ""


def _ordered(test: ast.expr) -> list[ast.expr]:
    """Return the sides of a comparison by size."""
    is_order = isinstance(test, ast.Compare) and isinstance(
        test.ops[0], (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
    )
    return [test.left, *test.comparators] if is_order and isinstance(test, ast.Compare) else []


def _tensors(function: Function) -> tuple[set[str], set[str]]:
    """Return the arguments of a function with the local names that methods of them give.

    The second are the local names of what is reduced to one value.
    """
    given = {p.arg for p in parameters(function.args)} - {"self", "cls"}
    numbers: set[str] = set()
    for node in function.body:
        value = node.value if isinstance(node, ast.Assign) else None
        if not isinstance(node, ast.Assign) or not isinstance(value, ast.Call):
            continue
        targets = {target.id for target in node.targets if isinstance(target, ast.Name)}
        name = terminal_name(value.func)
        if name in REDUCTIONS | ELEMENTWISE and _receiver(value) in given:
            given |= targets
            is_reduced = name in REDUCTIONS and not (value.args or value.keywords)
            numbers |= targets if is_reduced and _is_chained(value) else set()
    return given, numbers


def _receiver(call: ast.Call) -> str:
    """Return the name that a chain of elementwise methods begins with."""
    node: ast.expr = call
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node is not call and node.func.attr not in ELEMENTWISE:
            return ""
        node = node.func.value
    return dotted(node)


def _is_chained(call: ast.Call) -> bool:
    """Return whether a method is called on the result of another one, which only tensors have."""
    return isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Call)


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
