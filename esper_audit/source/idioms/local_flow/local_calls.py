"""Calls of the functions and methods that the same file defines."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping, Sequence

from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, defaults, terminal_name

OWNERS = frozenset({"self", "cls"})
# Methods that a call without their name runs.
RUN_BY_OBJECTS = frozenset({"__init__", "__call__", "forward"})


class LocalCalls:
    """The functions of a file by name and class, and the calls that reach them."""

    def __init__(self, file: FileView) -> None:
        self._file = file
        self.functions: list[Function] = sorted(
            [*file.nodes(ast.FunctionDef), *file.nodes(ast.AsyncFunctionDef)],
            key=lambda function: (function.lineno, function.col_offset),
        )
        self._by_place: dict[tuple[ast.AST | None, str], Function] = {}
        self._names: set[str] = set()
        self._owner: dict[Function, ast.ClassDef | None] = {}
        for function in self.functions:
            scope = file.definitions(function)
            place = scope[-1] if scope else None
            self._by_place[place, function.name] = function
            self._owner[function] = place if isinstance(place, ast.ClassDef) else None
            self._names.add(function.name)
        self._classes = {node.name: node for node in file.nodes(ast.ClassDef)}
        self._callers: dict[Function, list[ast.Call]] | None = None
        self._instances: dict[tuple[Function | None, str], ast.ClassDef] | None = None

    def target(self, call: ast.Call) -> Function | None:
        """Return the function of this file that a call runs, None if it is defined elsewhere."""
        if terminal_name(call.func) not in self._names:
            return None
        if isinstance(call.func, ast.Name):
            return self._function(call.func)
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
            owner = self.owner(call) if call.func.value.id in OWNERS else None
            return self.method(owner, call.func.attr) or self._hook(owner, call.func.attr)
        return None

    def named(self, name: ast.Name) -> Function | None:
        """Return the function of this file that a name refers to."""
        return self._function(name) if name.id in self._names else None

    def owner(self, node: ast.expr | ast.stmt) -> ast.ClassDef | None:
        """Return the innermost class around a node."""
        scopes = self._file.definitions(node)
        return next((s for s in reversed(scopes) if isinstance(s, ast.ClassDef)), None)

    def is_method(self, function: Function) -> bool:
        """Return whether a function is defined directly in a class."""
        return self._owner[function] is not None

    def class_named(self, name: str) -> ast.ClassDef | None:
        """Return the class of this file with a name."""
        return self._classes.get(name)

    def method(self, owner: ast.ClassDef | None, name: str) -> Function | None:
        """Return the method of a class or of its bases in this file."""
        return self._method(owner, name, set())

    def callers(self, function: Function) -> Sequence[ast.Call]:
        """Return the calls in this file that run a function."""
        if self._callers is None:
            self._callers = defaultdict(list)
            for call in self._file.nodes(ast.Call):
                target = self.target(call)
                if target is not None:
                    self._callers[target].append(call)
        return self._callers.get(function, [])

    def uses(self, function: Function) -> Sequence[ast.Call]:
        """Return the calls in this file that run a function, also by a class or an object of it.

        `Trainer(net)` runs `__init__`, and `trainer.fit(loader)` the method of the class that made it.
        """
        owner = self._owner[function]
        if owner is None:
            return self.callers(function)
        if function.name == "__init__":
            made = (c for c in self._file.nodes(ast.Call) if isinstance(c.func, ast.Name))
            found = [c for c in made if self._initialiser(c) is function]
        else:
            calls = self._file.calls(function.name)
            found = [c for c in calls if self.method_of_object(c) is function]
        return [*self.callers(function), *found]

    def method_of_object(self, call: ast.Call) -> Function | None:
        """Return the method that a call on a local object of a class of this file runs."""
        if self._instances is None:
            self._instances = self._constructed()
        if not isinstance(call.func, ast.Attribute) or not isinstance(call.func.value, ast.Name):
            return None
        name = call.func.value
        scopes = [*reversed(self._file.functions(name)), None]
        classes = (self._instances.get((scope, name.id)) for scope in scopes)
        owner = next((found for found in classes if found is not None), None)
        return self.method(owner, call.func.attr)

    def arguments(self, call: ast.Call, function: Function) -> Mapping[str, ast.expr]:
        """Return the argument that a call passes for each parameter, without those it leaves out."""
        names = [p.arg for p in (*function.args.posonlyargs, *function.args.args)]
        is_bound = isinstance(call.func, ast.Attribute) or function.name in RUN_BY_OBJECTS
        if self.is_method(function) and is_bound:
            names = names[1:]
        passed: dict[str, ast.expr] = {}
        for name, argument in zip(names, call.args, strict=False):
            if isinstance(argument, ast.Starred):
                break
            passed[name] = argument
        return passed | {k.arg: k.value for k in call.keywords if k.arg is not None}

    def parameter_values(self, function: Function, name: str) -> list[ast.expr]:
        """Return the values that a parameter can have: its default and what calls in this file pass."""
        passed = [self.arguments(call, function).get(name) for call in self.uses(function)]
        values = [defaults(function.args).get(name), *passed]
        return [value for value in values if value is not None]

    def _hook(self, owner: ast.ClassDef | None, name: str) -> Function | None:
        """Return the method that the only derived class of the file defines for a class that calls it."""
        if owner is None:
            return None
        derived = [c for c in self._classes.values() if owner.name in map(terminal_name, c.bases)]
        found = [m for c in derived if (m := self._by_place.get((c, name))) is not None]
        return found[0] if len(found) == 1 else None

    def _initialiser(self, call: ast.Call) -> Function | None:
        """Return the `__init__` of this file that the construction of an object runs."""
        return self.method(self._classes.get(terminal_name(call.func)), "__init__")

    def _constructed(self) -> dict[tuple[Function | None, str], ast.ClassDef]:
        """Return the class of each name that a function or the module binds to a new object."""
        found = {}
        for statement in self._file.nodes(ast.Assign):
            made = statement.value
            owner = (
                self._classes.get(terminal_name(made.func)) if isinstance(made, ast.Call) else None
            )
            target = statement.targets[0]
            if owner is not None and isinstance(target, ast.Name):
                functions = self._file.functions(target)
                found[functions[-1] if functions else None, target.id] = owner
        return found

    def _function(self, name: ast.Name) -> Function | None:
        for scope in [*reversed(self._file.functions(name)), None]:
            found = self._by_place.get((scope, name.id))
            if found is not None:
                return found
        return None

    def _method(self, owner: ast.ClassDef | None, name: str, seen: set[str]) -> Function | None:
        if owner is None or owner.name in seen:
            return None
        found = self._by_place.get((owner, name))
        if found is not None:
            return found
        bases = [self._classes.get(terminal_name(base)) for base in owner.bases]
        inherited = (self._method(base, name, seen | {owner.name}) for base in bases)
        return next((method for method in inherited if method is not None), None)
