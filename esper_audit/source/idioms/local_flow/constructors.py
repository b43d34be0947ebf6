"""Constructors of a value: the functions and classes whose calls result in it, by assignments in the file."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.syntax.ast_walk import returned_values, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name, text_of

Scope = Function | ast.ClassDef | None
DEEPEST = 6
# Methods that return the object that they are called on.
CHAINING = frozenset(
    {"to", "cuda", "cpu", "train", "eval", "float", "half", "bfloat16", "double", "manual_seed"}
    | {"requires_grad_", "compile", "share_memory", "apply"}
)
# Functions that return their argument, or one result an argument, in order.
WRAPPERS = frozenset({"prepare", "compile", "DataParallel", "DistributedDataParallel", "setup"})

COPY = "copy.deepcopy"


class Constructors:
    """The values that each name of a file is bound to, and the calls that they come from.

    The origin of a class or function of the file itself is its name after a dot: `.Net`.
    """

    def __init__(self, file: FileView) -> None:
        self._file = file
        self._calls = file.once(LocalCalls)
        self._bindings: dict[tuple[Scope, str], list[ast.expr]] = defaultdict(list)
        self._cached: dict[ast.expr, frozenset[str]] = {}
        for assignment in file.nodes(ast.Assign):
            for target in assignment.targets:
                self._bind(target, assignment.value)
        for annotated in file.nodes(ast.AnnAssign):
            if annotated.value is not None:
                self._bind(annotated.target, annotated.value)
        for named in file.nodes(ast.NamedExpr):
            self._bind(named.target, named.value)
        blocks: list[ast.With | ast.AsyncWith] = [*file.nodes(ast.With), *file.nodes(ast.AsyncWith)]
        for item in (item for block in blocks for item in block.items):
            if item.optional_vars is not None:
                self._bind(item.optional_vars, item.context_expr)

    def of(self, node: ast.expr) -> frozenset[str]:
        """Return the full names of the functions and classes whose calls may result in a value."""
        if node not in self._cached:
            self._cached[node] = frozenset(self._of(node, 0))
        return self._cached[node]

    def values(self, node: ast.expr) -> list[ast.expr]:
        """Return the expressions that a name may hold, its parameters' arguments included."""
        return self._values(node)

    def calls_of(self, function: Function) -> list[ast.Call]:
        """Return the calls that run a function, also those of an object whose `forward` or `__call__` it is."""
        owner = self._calls.owner(function)
        if owner is None or function.name not in ("__call__", "forward"):
            return list(self._calls.uses(function))
        origin = f".{owner.name}"
        named = (
            c for c in self._file.nodes(ast.Call) if isinstance(c.func, ast.Name | ast.Attribute)
        )
        return [c for c in named if dotted(c.func) != owner.name and origin in self.of(c.func)]

    def made_by(self, node: ast.expr) -> list[ast.Call]:
        """Return the calls that may make a value, through names, conditionals and chained methods."""
        found: dict[ast.Call, None] = {}
        pending, seen = [node], set[ast.expr]()
        while pending:
            current = pending.pop()
            if current in seen:
                continue
            seen.add(current)
            if isinstance(current, ast.Call):
                found[current] = None
                is_chained = terminal_name(current.func) in CHAINING
                if is_chained and isinstance(current.func, ast.Attribute):
                    pending.append(current.func.value)
                target = self._calls.target(current) or self._calls.method_of_object(current)
                pending += returned_values(target) if target is not None else ()
                is_wrapped = terminal_name(current.func) in WRAPPERS and len(current.args) == 1
                pending += current.args if is_wrapped else ()
            elif isinstance(current, ast.IfExp):
                pending += [current.body, current.orelse]
            elif isinstance(current, ast.BoolOp):
                pending += current.values
            else:
                pending += self._values(current)
        return list(found)

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, (ast.Tuple, ast.List)):
            elements = self._elements(value, len(target.elts))
            for part, element in zip(target.elts, elements, strict=False):
                if element is not None:
                    self._bind(part, element)
            return
        name = dotted(target)
        if name:
            self._bindings[self._scope(target, name), name].append(value)

    def _elements(self, value: ast.expr, count: int) -> list[ast.expr | None]:
        """Return the value of each element that an unpacking binds, None where it is unknown."""
        if isinstance(value, (ast.Tuple, ast.List)):
            return list(value.elts)
        if not isinstance(value, ast.Call):
            return [None] * count
        if terminal_name(value.func) in WRAPPERS and len(value.args) == count:
            return list(value.args)
        target = self._calls.target(value) or self._calls.method_of_object(value)
        for returned in returned_values(target) if target is not None else ():
            if isinstance(returned, ast.Tuple) and len(returned.elts) == count:
                return list(returned.elts)
        return [None] * count

    def _scope(self, node: ast.expr, name: str) -> Scope:
        if name.startswith(("self.", "cls.")):
            return self._calls.owner(node)
        functions = self._file.functions(node)
        return functions[-1] if functions else None

    def _of(self, node: ast.expr, depth: int) -> Iterator[str]:
        if depth > DEEPEST:
            return
        if isinstance(node, ast.Call):
            yield from self._of_call(node, depth)
        elif isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)):
            for value in self._values(node):
                yield from self._of(value, depth + 1)
            yield from self._annotated(node)
        elif isinstance(node, ast.IfExp):
            yield from self._of(node.body, depth + 1)
            yield from self._of(node.orelse, depth + 1)
        elif isinstance(node, ast.BoolOp):
            for value in node.values:
                yield from self._of(value, depth + 1)

    def _of_call(self, node: ast.Call, depth: int) -> Iterator[str]:
        last = terminal_name(node.func)
        if last in WRAPPERS and len(node.args) == 1:
            yield from self._of(node.args[0], depth + 1)
        if last in CHAINING and isinstance(node.func, ast.Attribute):
            yield from self._of(node.func.value, depth + 1)
        target = self._calls.target(node) or self._calls.method_of_object(node)
        if target is not None:
            yield f".{target.name}"
            for value in returned_values(target):
                yield from self._of(value, depth + 1)
        elif isinstance(node.func, ast.Name) and self._calls.class_named(node.func.id):
            yield f".{node.func.id}"
        else:
            name = self._file.resolve(node.func) or ""
            yield name
            if name == COPY and node.args:
                yield from self._of(node.args[0], depth + 1)

    def _values(self, node: ast.expr) -> list[ast.expr]:
        name = dotted(node)
        if isinstance(node, ast.Subscript):
            return self._entry(node)
        if not name:
            return []
        if name.startswith(("self.", "cls.")):
            return self._bindings.get((self._calls.owner(node), name), [])
        for function in reversed(self._file.functions(node)):
            bound = self._bindings.get((function, name), [])
            if name in {parameter.arg for parameter in parameters(function.args)}:
                return [*bound, *self._calls.parameter_values(function, name)]
            if bound:
                return bound
        return self._bindings.get((None, name), [])

    def _entry(self, node: ast.Subscript) -> list[ast.expr]:
        """Return the value of an entry of a literal dict: `{"a": A()}["a"]`."""
        if not isinstance(node.slice, ast.Constant):
            return []
        key = text_of(node.slice)
        tables = (value for value in self._values(node.value) if isinstance(value, ast.Dict))
        pairs = (pair for table in tables for pair in zip(table.keys, table.values, strict=True))
        return [value for found, value in pairs if found is not None and text_of(found) == key]

    def _annotated(self, node: ast.expr) -> Iterator[str]:
        """Yield the classes that the annotation of a parameter names."""
        if isinstance(node, ast.Attribute):
            yield from self._classes_of(self._field(node))
        if not isinstance(node, ast.Name):
            return
        for function in reversed(self._file.functions(node)):
            for parameter in parameters(function.args):
                if parameter.arg == node.id:
                    yield from self._classes_of(parameter.annotation)
                    return

    def _field(self, node: ast.Attribute) -> ast.expr | None:
        """Return the annotation of an attribute of the object in the body of its class."""
        owner = self._calls.owner(node) if dotted(node.value) == "self" else None
        fields = (s for s in (owner.body if owner else ()) if isinstance(s, ast.AnnAssign))
        return next((s.annotation for s in fields if dotted(s.target) == node.attr), None)

    def _classes_of(self, annotation: ast.expr | None) -> Iterator[str]:
        if annotation is None:
            return
        parts = scan(annotation, {ast.Name, ast.Attribute}, {ast.Attribute})
        for part in parts:
            if isinstance(part, ast.Name) and self._calls.class_named(part.id):
                yield f".{part.id}"
            elif isinstance(part, (ast.Name, ast.Attribute)):
                yield self._file.resolve(part) or ""
