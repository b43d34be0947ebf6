"""Whether code runs under autograd, and whether a value carries a graph."""

from __future__ import annotations

import ast
import re

from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins
from esper_audit.source.syntax.ast_walk import scan, walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.local_values import FunctionValues
from esper_audit.source.syntax.names import Function, dotted, identifiers, terminal_name

LOSS = re.compile(r"(?i)(^|_)(\w*loss\w*|criterion|objective|penalty|divergence)(_|$)")
DEEPEST = 5
WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

OFF = frozenset({"no_grad", "inference_mode", "_no_grad", "_disable_dynamo_if_unsupported"})
ENDING_GRAPH = frozenset(
    {
        "detach",
        "detach_",
        "item",
        "tolist",
        "numpy",
        "float",
        "int",
        "bool",
        "len",
        "clone_detached",
    }
    | {"argmax", "argmin", "argsort", "sign", "round", "floor", "ceil", "long", "randn_like"}
    | {"rand_like", "zeros_like", "ones_like", "perf_counter", "time"}
)


def is_without_gradients(node: ast.expr | ast.stmt, file: FileView) -> bool:
    """Return whether a node stands under `no_grad` or `inference_mode`, by `with` or by decorator."""
    switches: list[ast.expr] = []
    for statement in file.enclosing(node):
        if isinstance(statement, (ast.With, ast.AsyncWith)):
            switches += [item.context_expr for item in statement.items]
        elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            switches += statement.decorator_list
    return any(map(_turns_off, switches))


def has_torch(file: FileView) -> bool:
    """Return whether a file imports torch, everything of another module, or nothing at all."""
    names = [a.name for i in file.nodes(ast.Import) for a in i.names]
    names += [i.module or "" for i in file.nodes(ast.ImportFrom)]
    is_open = not names or any(i.names[0].name == "*" for i in file.nodes(ast.ImportFrom))
    return is_open or any("torch" in name.partition(".")[0] for name in names)


def is_loss(node: ast.expr | ast.stmt, file: FileView) -> bool:
    """Return whether a node stands in a function or class with the word loss in its name."""
    return any(LOSS.search(WORDS.sub("_", d.name)) for d in file.definitions(node))


def is_differentiated(node: ast.expr | ast.stmt, file: FileView) -> bool:
    """Return whether autograd runs through a node: it belongs to a loss or to the forward of a module.

    That is a method that `forward` reaches, a function of the file that such a method calls, or a
    function or class with the word loss in its name.
    """
    functions = file.functions(node)
    if not functions or is_without_gradients(node, file):
        return False
    if is_loss(node, file):
        return True
    return functions[0] in file.once(_functions_of_forward)


def _functions_of_forward(file: FileView) -> set[Function]:
    """Return the methods that a `forward` of the file reaches, and the functions that these call."""
    table = file.once(class_table)
    families = [table.family(definition) for definition in table.classes]
    modules = [f for f in families if f.is_module or (f.foreign_bases and f.method("forward"))]
    found = {method for family in modules for method in family.reached_from("forward")}
    functions = {s.name: s for s in file.source.tree.body if isinstance(s, Function)}
    called = {
        dotted(call.func)
        for method in found
        for call in scan(method, {ast.Call})
        if isinstance(call, ast.Call)
    }
    return found | {functions[name] for name in called & functions.keys()}


def ends_graph(node: ast.expr) -> bool:
    """Return whether an expression has a part that cuts the graph: `.detach()`, `.item()`, `.data`."""
    for part in walk(node):
        if isinstance(part, ast.Attribute) and part.attr == "data":
            return True
        if isinstance(part, ast.Call) and terminal_name(part.func) in ENDING_GRAPH:
            # `x.float()` keeps the graph, `float(x)` does not.
            is_conversion = isinstance(part.func, ast.Attribute) and part.func.attr == "float"
            if not is_conversion:
                return True
    return False


def is_from_input(node: ast.expr, file: FileView, depth: int = 0) -> bool:
    """Return whether a value is computed from a parameter of its function or from the object."""
    if depth > DEEPEST:
        return False
    origins = file.once(ValueOrigins).of(node, calls=0)
    names = [p for origin in origins for p in walk(origin) if isinstance(p, ast.Name)]
    values = [value for name in names for value in file.once(FunctionValues).reaching(name)]
    if any(value.statement is None or isinstance(value.statement, ast.For) for value in values):
        return True
    sources = [value.value for value in values if value.value is not None]
    return any(is_from_input(source, file, depth + 1) for source in sources)


def _turns_off(node: ast.expr) -> bool:
    """Return whether `torch.no_grad()`, `no_grad` or `set_grad_enabled(False)` is meant."""
    called = node.func if isinstance(node, ast.Call) else node
    name = terminal_name(called)
    if name == "set_grad_enabled" and isinstance(node, ast.Call) and node.args:
        first = node.args[0]
        return isinstance(first, ast.Constant) and first.value is False
    return name in OFF


def is_detached(node: ast.expr, file: FileView) -> bool:
    """Return whether the graph of a result is dropped at once: `model(x)[0].detach()`."""
    above = file.parent(node)
    while isinstance(above, ast.Subscript):
        above = file.parent(above)
    return isinstance(above, ast.Attribute) and above.attr in ("detach", "data")


def is_handed_on(name: str, code: ast.AST, file: FileView) -> bool:
    """Return whether code, or a function of the file that it calls, gives an object to other code by its name."""
    calls = _calls_in(code)
    names = {name for call in calls for name in identifiers(call.func)}
    called = [function for function in file.nodes(ast.FunctionDef) if function.name in names]
    given = [*calls, *(call for function in called for call in _calls_in(function))]
    arguments = {ast.unparse(argument) for call in given for argument in call.args}
    return not arguments.isdisjoint({name, f"self.{name}"})


def _calls_in(code: ast.AST) -> list[ast.Call]:
    return [call for call in scan(code, {ast.Call}) if isinstance(call, ast.Call)]
