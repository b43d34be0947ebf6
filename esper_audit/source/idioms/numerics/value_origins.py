"""The expressions that a value comes from, through local names and functions of the same file."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.local_values import FunctionValues
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name

MOST_ORIGINS = 24
# Gives the operand that an operation hands on for the purpose of a rule, None for any other node.
Step = Callable[[ast.expr, FileView], ast.expr | None]


class ValueOrigins:
    """The origins of expressions of one file."""

    def __init__(self, file: FileView) -> None:
        self._file = file
        self.values = file.once(FunctionValues)

    def of(self, node: ast.expr, step: Step | None = None, calls: int = 1) -> list[ast.expr]:
        """Return the expressions that may be the value of `node`.

        Names are replaced by what reaches them, a conditional by both sides, a call of a function of
        the same file by what it returns (as many of them one inside the other as `calls`), what
        `step` knows by the operand it gives. A name that remains is a parameter, a loop variable or
        unknown.
        """
        found: dict[ast.expr, None] = {}
        seen: set[ast.expr] = set()
        pending = [(node, calls)]
        while pending and len(seen) < MOST_ORIGINS:
            current, left = pending.pop()
            if current in seen:
                continue
            seen.add(current)
            sources = list(self._sources(current, step, left))
            if not sources:
                found[current] = None
            pending += reversed(sources)
        return list(found)

    def _sources(
        self, node: ast.expr, step: Step | None, calls: int
    ) -> Iterator[tuple[ast.expr, int]]:
        if isinstance(node, ast.IfExp):
            yield from ((node.body, calls), (node.orelse, calls))
        elif isinstance(node, ast.NamedExpr):
            yield node.value, calls
        elif isinstance(node, (ast.Name, ast.Attribute)):
            values = self.values.reaching(node)
            if all(v.value is not None and v.index is None for v in values):
                yield from ((v.value, calls) for v in values if v.value is not None)
        else:
            operand = step(node, self._file) if step is not None else None
            if operand is not None:
                yield operand, calls
            elif calls and isinstance(node, ast.Call):
                function = called_function(node, self._file)
                results = returned(function) if function is not None else []
                yield from ((result, calls - 1) for result in results)


def called_function(call: ast.Call, file: FileView) -> Function | None:
    """Return the function or method of the same file that is called, None if it is not known."""
    function = call.func
    if isinstance(function, ast.Name) and function.id == "self":
        around = [d for d in file.definitions(call) if isinstance(d, ast.ClassDef)]
        own = file.once(class_table).family(around[-1]) if around else None
        return own.method("forward") if own is not None else None
    if isinstance(function, ast.Name):
        values = file.once(FunctionValues).reaching(function)
        if len(values) == 1:
            annotated = _annotated_class(function, file) if values[0].statement is None else None
            return annotated or _forward_of(values[0].value, file)
        found = file.once(_functions).get(function.id)
        return found if file.resolve(function) is None and not values else None
    if isinstance(function, ast.Attribute) and dotted(function.value) in ("self", "cls"):
        classes = [d for d in file.definitions(call) if isinstance(d, ast.ClassDef)]
        if classes:
            family = file.once(class_table).family(classes[-1])
            bound = family.bindings(function.attr)
            module = bound[0].value if len(bound) == 1 else None
            return family.method(function.attr) or _forward_of(module, file)
    return None


def _annotated_class(name: ast.Name, file: FileView) -> Function | None:
    """Return the `forward` of the class of the same file with which a parameter is annotated."""
    functions = file.functions(name)
    given = parameters(functions[-1].args) if functions else []
    annotations = [p.annotation for p in given if p.arg == name.id]
    table = file.once(class_table)
    found = table.by_name.get(dotted(annotations[0])) if annotations and annotations[0] else None
    return table.family(found).method("forward") if found is not None else None


def _forward_of(module: ast.expr | None, file: FileView) -> Function | None:
    """Return the `forward` of the class of the same file that an expression makes an object of."""
    if not isinstance(module, ast.Call) or not isinstance(module.func, ast.Name):
        return None
    table = file.once(class_table)
    definition = table.by_name.get(module.func.id)
    return table.family(definition).method("forward") if definition is not None else None


def passed_arguments(name: ast.Name, file: FileView) -> list[ast.expr]:
    """Return what the calls of the same file pass for the parameter that a name is."""
    functions = file.functions(name)
    values = file.once(FunctionValues).reaching(name)
    if not functions or len(values) != 1 or values[0].statement is not None:
        return []
    function = functions[-1]
    names = [p.arg for p in parameters(function.args) if p.arg not in ("self", "cls")]
    if name.id not in names:
        return []
    position, found = names.index(name.id), []
    for call in file.nodes(ast.Call):
        if terminal_name(call.func) == function.name and called_function(call, file) is function:
            named = [k.value for k in call.keywords if k.arg == name.id]
            found += [*named, *_at(call.args, position)]
    return found


def _at(arguments: list[ast.expr], position: int) -> list[ast.expr]:
    """Return the argument at a position, the element of a comprehension for one that is unpacked."""
    for number, argument in enumerate(arguments[: position + 1]):
        if isinstance(argument, ast.Starred):
            spread = argument.value
            if isinstance(spread, (ast.GeneratorExp, ast.ListComp)):
                return [spread.elt]
            elements = spread.elts if isinstance(spread, (ast.Tuple, ast.List)) else []
            return elements[position - number :][:1]
    return arguments[position : position + 1]


def returned(function: Function) -> list[ast.expr]:
    """Return what the `return` statements of a function return, nothing for a generator."""
    if scan(function, {ast.Yield, ast.YieldFrom}, NESTED_SCOPES):
        return []
    nodes = scan(function, {ast.Return}, NESTED_SCOPES)
    statements = sorted((n for n in nodes if isinstance(n, ast.Return)), key=lambda n: n.lineno)
    return [s.value for s in statements if s.value is not None]


def _functions(file: FileView) -> dict[str, Function]:
    """Return the functions of a module by name, without methods and nested functions."""
    top = (s for s in file.source.tree.body if isinstance(s, Function))
    return {function.name: function for function in top}


def first_reason(
    node: ast.expr,
    file: FileView,
    depth: int,
    reason: Callable[[ast.expr, FileView, int], str],
) -> str:
    """Return the first reason that `reason` gives for an origin of a value, empty without one.

    `reason` gets the depth of its own questions.
    """
    origins = file.once(ValueOrigins).of(node)
    return next(filter(None, (reason(origin, file, depth + 1) for origin in origins)), "")
