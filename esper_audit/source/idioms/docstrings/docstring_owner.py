"""The function that a docstring documents, and its parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.enclosing import Definition
from esper_audit.source.syntax.names import Function, parameters

# Decorators that leave the signature of the function unchanged.
TRANSPARENT = frozenset(
    {"abstractmethod", "cache", "classmethod", "compile", "contextmanager", "custom_bwd"}
    | {"custom_fwd"}
    | {"disable", "disable_compiler", "export", "final", "ignore", "inference_mode", "lru_cache"}
    | {"no_grad", "override", "script", "script_if_tracing", "staticmethod", "unused", "wrap"}
)


def docstring(definition: Definition) -> str:
    """Return the unmodified docstring of a function or class, or an empty string."""
    first = definition.body[0]
    value = first.value if isinstance(first, ast.Expr) else None
    text = value.value if isinstance(value, ast.Constant) else None
    return text if isinstance(text, str) else ""


def documented_function(definition: Definition) -> Function | None:
    """Return the function that a docstring documents: for a class its own `__init__`, or None."""
    if not isinstance(definition, ast.ClassDef):
        return definition
    return next((method for method in methods(definition) if method.name == "__init__"), None)


def methods(class_: ast.ClassDef) -> Iterator[Function]:
    """Yield the methods in the body of a class."""
    return (s for s in class_.body if isinstance(s, (ast.FunctionDef, ast.AsyncFunctionDef)))


def has_declared_signature(function: Function) -> bool:
    """Return whether no decorator may change the signature of a function."""
    return all(_is_transparent(decorator) for decorator in function.decorator_list)


def companion_docstring(definition: Definition, enclosing: Sequence[Definition]) -> str:
    """Return the other docstring about the same parameters: of `__init__` for a class and vice versa."""
    if isinstance(definition, ast.ClassDef):
        function = documented_function(definition)
        return docstring(function) if function is not None else ""
    above = enclosing[-2] if len(enclosing) > 1 else None
    is_init = definition.name == "__init__" and isinstance(above, ast.ClassDef)
    return docstring(above) if is_init and above is not None else ""


def named_parameters(function: Function) -> list[str]:
    """Return the names of the parameters without `self`, `cls`, `*args` and `**kwargs`."""
    arguments = function.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return names[1:] if names[:1] in (["self"], ["cls"], ["mcs"]) else names


def string_keys(function: Function) -> set[str]:
    """Return the strings by which a body indexes or queries what it was given: the keys of a dict."""
    found: set[str] = set()
    for node in scan(function, {ast.Subscript, ast.Compare, ast.Call}):
        if isinstance(node, ast.Subscript):
            keys: list[ast.expr] = [node.slice]
        elif isinstance(node, ast.Compare):
            keys = [node.left]
        else:
            keys = node.args[:1] if isinstance(node, ast.Call) and _is_get(node) else []
        found |= {k.value for k in keys if isinstance(k, ast.Constant) and isinstance(k.value, str)}
    return found


def _is_get(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in ("get", "pop", "setdefault")


def class_argument_names(class_: ast.ClassDef) -> set[str]:
    """Return the names that a class docstring may document: method parameters and annotated fields."""
    taken = {p.arg for method in methods(class_) for p in parameters(method.args)}
    fields = (s.target for s in class_.body if isinstance(s, ast.AnnAssign))
    return taken | {field.id for field in fields if isinstance(field, ast.Name)}


def _is_transparent(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = called.attr if isinstance(called, ast.Attribute) else ""
    name = called.id if isinstance(called, ast.Name) else name
    return name in TRANSPARENT or name.startswith("register")
