"""The modules that a Python text builds and calls with arguments whose values it shows."""

from __future__ import annotations

import ast
import builtins
import contextlib
import importlib
import inspect
import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

from torch import nn

from esper_audit.findings.coverage import RecipeOrigin
from esper_audit.findings.errors import FAILURES
from esper_audit.probes.recipes.materialise import import_name
from esper_audit.probes.recipes.recipe import Recipe
from esper_audit.probes.recipes.recipe_file import StoredRecipe
from esper_audit.probes.recipes.values import (
    Arguments,
    CallSpec,
    NameSpec,
    NotDescribable,
    TensorSpec,
    TupleSpec,
    Value,
)
from esper_audit.probes.recording.description import describe, path_of
from esper_audit.probes.source_calls.constant_values import (
    Unknown,
    computed,
    drawn_tensor,
    negated,
)
from esper_audit.source.syntax.names import defaults, parameters

CASTS = {
    "float": "float32", "double": "float64", "half": "float16",
    "bfloat16": "bfloat16", "long": "int64", "int": "int32", "bool": "bool",
}  # fmt: skip
ARITHMETIC = (int, float, abs, round, max, min, len, sum)
SAME = frozenset(
    {"to", "cuda", "cpu", "requires_grad_", "contiguous", "clone", "detach", "eval", "train", "type"}
)  # fmt: skip


def recipes_in_text(text: str, objects: Mapping[str, Any]) -> list[StoredRecipe]:
    """Return the recipes of the constructions and calls of module classes in a Python text.

    `objects` are what its names mean beside those that it imports and assigns.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return []
    return _in_block(tree.body, {}, objects)


def _in_block(
    body: list[ast.stmt], names: dict[str, Value], objects: Mapping[str, Any]
) -> list[StoredRecipe]:
    """Return the recipes of statements in order, with what they assign known to those that follow."""
    reader = _Reader(dict(names), objects)
    return [one for statement in body for one in reader.read(statement)]


class _Reader:
    """Reads the statements of one scope: what names hold, and which modules are built and called."""

    def __init__(self, names: dict[str, Value], objects: Mapping[str, Any]) -> None:
        self.names, self.objects = names, dict(objects)
        self.found: list[StoredRecipe] = []

    def read(self, statement: ast.stmt) -> list[StoredRecipe]:
        """Return the recipes of a statement."""
        self.found = []
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            self._import(statement)
        elif isinstance(statement, ast.ClassDef):
            return _in_block(statement.body, self.names, self.objects)
        elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return self._in_function(statement)
        elif isinstance(statement, ast.Assign):
            self._assign(statement.targets[0], self._value_or_none(statement.value))
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            self._assign(statement.target, self._value_or_none(statement.value))
        else:
            self._read_parts(statement)
        return self.found

    def _in_function(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[StoredRecipe]:
        """Return the recipes in a function, whose parameters have their defaults."""
        inner = _Reader(dict(self.names), self.objects)
        for parameter in parameters(function.args):
            inner.forget(parameter.arg)
        for name, default in defaults(function.args).items():
            known = self._value_or_none(default)
            if not isinstance(known, Unknown) and known is not None:
                inner.names[name] = known
        return [one for statement in function.body for one in inner.read(statement)]

    def forget(self, name: str) -> None:
        """Forget what a name holds."""
        self.names.pop(name, None)
        self.objects.pop(name, None)

    def _read_parts(self, statement: ast.stmt) -> None:
        """Read the statements inside a block, and the expressions of any other statement."""
        found = list(self.found)
        for part in ast.iter_child_nodes(statement):
            if isinstance(part, ast.stmt):
                found += self.read(part)
            elif isinstance(part, ast.expr):
                self.found = []
                self._value_or_none(part)
                found += self.found
        self.found = found

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        for alias in statement.names:
            name = (alias.asname or alias.name).partition(".")[0]
            source = alias.name if isinstance(statement, ast.Import) else statement.module or ""
            is_relative = isinstance(statement, ast.ImportFrom) and statement.level > 0
            module = None if is_relative else _loaded(source)
            if module is None:
                continue
            if isinstance(statement, ast.ImportFrom):
                found = inspect.getattr_static(module, alias.name, None)
                self.objects |= {} if found is None else {name: found}
            else:
                self.objects[name] = module if alias.asname else sys.modules[name]

    def _assign(self, target: ast.expr, value: Value | Unknown) -> None:
        if isinstance(target, ast.Name):
            self.forget(target.id)
            if not isinstance(value, Unknown):
                self.names[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            items = value.items if isinstance(value, TupleSpec) else ()
            for number, part in enumerate(target.elts):
                known = items[number] if len(items) == len(target.elts) else Unknown()
                self._assign(part, known)

    def _value_or_none(self, node: ast.expr) -> Value | Unknown:
        try:
            return self._value(node)
        except Unknown as unknown:
            self._read_calls_inside(node)
            return unknown

    def _read_calls_inside(self, node: ast.expr) -> None:
        """Read the calls in an expression that is unknown as a whole."""
        for part in ast.walk(node):
            if isinstance(part, ast.Call) and part is not node:
                with contextlib.suppress(Unknown):
                    self._value(part)

    def _value(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Constant):
            return self._literal(node.value)
        if isinstance(node, ast.Tuple):
            return TupleSpec(tuple(map(self._value, node.elts)))
        if isinstance(node, ast.List):
            return [self._value(item) for item in node.elts]
        if isinstance(node, ast.Dict):
            keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
            if all(isinstance(key, str) for key in keys):
                return dict(zip(map(str, keys), map(self._value, node.values), strict=True))
        if isinstance(node, (ast.BinOp, ast.UnaryOp)):
            return self._computed(node)
        if isinstance(node, ast.Name) and node.id in self.names:
            return self.names[node.id]
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self._described(self._object(node))
        if isinstance(node, ast.Call):
            return self._call(node)
        raise Unknown

    def _literal(self, value: object) -> Value:
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise Unknown

    def _computed(self, node: ast.BinOp | ast.UnaryOp) -> Value:
        if isinstance(node, ast.UnaryOp):
            return negated(node.op, self._value(node.operand))
        return computed(node.op, self._value(node.left), self._value(node.right))

    def _object(self, node: ast.expr) -> Any:
        """Return what a dotted name is, as far as modules and classes hold it."""
        if isinstance(node, ast.Name):
            if node.id in self.names:
                raise Unknown
            if node.id in self.objects:
                return self.objects[node.id]
            if node.id in vars(builtins):
                return vars(builtins)[node.id]
        if isinstance(node, ast.Attribute):
            owner = self._object(node.value)
            if isinstance(owner, (ModuleType, type)):
                try:
                    return inspect.getattr_static(owner, node.attr)
                except AttributeError as error:
                    raise Unknown from error
        raise Unknown

    def _described(self, found: Any) -> Value:
        if isinstance(found, ModuleType):
            raise Unknown
        try:
            return describe(found, lambda _: None)
        except NotDescribable as problem:
            raise Unknown from problem

    def _call(self, node: ast.Call) -> Value:
        if isinstance(node.func, ast.Attribute):
            with contextlib.suppress(Unknown):
                return self._method(node.func.attr, self._value(node.func.value), node)
        if isinstance(node.func, (ast.Name, ast.Call)):
            with contextlib.suppress(Unknown):
                built = self._value(node.func)
                if isinstance(built, CallSpec) and _is_module_call(built):
                    self._keep(built, self._arguments(node))
                    raise Unknown
        called = self._object(node.func)
        arguments = self._arguments(node)
        if isinstance(called, type) and issubclass(called, nn.Module):
            return self._built(called, arguments)
        drawn = drawn_tensor(called, arguments)
        if drawn is not None:
            return drawn
        if called in ARITHMETIC or inspect.getmodule(called) is math:
            return self._result(called, arguments)
        described = self._described(called)
        if isinstance(described, NameSpec):
            return CallSpec(described.path, arguments.args, arguments.kwargs)
        raise Unknown

    def _built(self, kind: type, arguments: Arguments) -> Value:
        try:
            built = CallSpec(path_of(kind), arguments.args, arguments.kwargs)
        except NotDescribable as problem:
            raise Unknown from problem
        self._keep(built, None)
        return built

    def _result(self, called: Any, arguments: Arguments) -> Value:
        plain = [v for v in arguments.args if isinstance(v, (int, float))]
        if len(plain) != len(arguments.args) or arguments.kwargs:
            raise Unknown
        try:
            return self._literal(called(*plain))
        except FAILURES as error:
            raise Unknown from error

    def _method(self, name: str, value: Value, node: ast.Call) -> Value:
        """Return the result of a method that leaves a module or the shape of a tensor as it is."""
        if isinstance(value, TensorSpec) and name in CASTS:
            return replace(value, dtype=CASTS[name])
        if name in SAME and (isinstance(value, TensorSpec) or _is_module_call(value)):
            return value
        if name == "forward" and isinstance(value, CallSpec):
            self._keep(value, self._arguments(node))
        raise Unknown

    def _arguments(self, node: ast.Call) -> Arguments:
        """Return the arguments of a call, to which `**kwargs` of an enclosing function adds none."""
        kwargs = {k.arg: self._value(k.value) for k in node.keywords if k.arg is not None}
        return Arguments(tuple(map(self._value, node.args)), kwargs)

    def _keep(self, built: CallSpec, call: Arguments | None) -> None:
        build = Arguments(built.args, built.kwargs)
        recipe = Recipe(built.path, build, call or Arguments(), RecipeOrigin.CALL_SITE)
        self.found.append(StoredRecipe(recipe, has_call=call is not None))


def _loaded(name: str) -> ModuleType | None:
    """Return a module whose package is imported, None for any other."""
    top = name.partition(".")[0]
    # An import is foreign code and may raise anything. Parts of torch are large.
    with contextlib.suppress(*FAILURES):
        if name not in sys.modules and top in sys.modules and top != "torch":
            importlib.import_module(name)
    return sys.modules.get(name)


def _is_module_call(value: Value) -> bool:
    """Return whether a value is the construction of a module."""
    found = import_name(value.path) if isinstance(value, CallSpec) else None
    return isinstance(found, type) and issubclass(found, nn.Module)
