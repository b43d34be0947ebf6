"""Which function a docstring documents, and what there is to compare it with."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.source.syntax.enclosing import Definition
from esper_audit.source.syntax.names import Function, parameters

# Decorators behind which a caller meets the very signature that is written.
TRANSPARENT = frozenset(
    {
        "abstractmethod",
        "cache",
        "classmethod",
        "compile",
        "contextmanager",
        "custom_bwd",
        "custom_fwd",
    }
    | {"disable", "disable_compiler", "export", "final", "ignore", "inference_mode", "lru_cache"}
    | {"no_grad", "override", "script", "script_if_tracing", "staticmethod", "unused", "wrap"}
)


def docstring(definition: Definition) -> str:
    """Return the docstring of a function or class as it is written, empty without one."""
    first = definition.body[0]
    value = first.value if isinstance(first, ast.Expr) else None
    text = value.value if isinstance(value, ast.Constant) else None
    return text if isinstance(text, str) else ""


def documented_function(definition: Definition) -> Function | None:
    """Return the function that a docstring is about: the `__init__` of a class, if it has its own."""
    if not isinstance(definition, ast.ClassDef):
        return definition
    return next((method for method in methods(definition) if method.name == "__init__"), None)


def methods(class_: ast.ClassDef) -> Iterator[Function]:
    """Yield the methods that stand in the body of a class."""
    return (s for s in class_.body if isinstance(s, (ast.FunctionDef, ast.AsyncFunctionDef)))


def has_its_own_signature(function: Function) -> bool:
    """Return whether no decorator may give the function another signature than it is written with."""
    return all(_is_transparent(decorator) for decorator in function.decorator_list)


def told_beside(definition: Definition, enclosing: Sequence[Definition]) -> str:
    """Return the docstring that shares the work: of `__init__` for its class, of the class for it."""
    if isinstance(definition, ast.ClassDef):
        function = documented_function(definition)
        return docstring(function) if function is not None else ""
    above = enclosing[-2] if len(enclosing) > 1 else None
    is_init = definition.name == "__init__" and isinstance(above, ast.ClassDef)
    return docstring(above) if is_init and above is not None else ""


def named_parameters(function: Function) -> list[str]:
    """Return what a caller may pass by a name or a place of its own, `self` and `cls` left out."""
    arguments = function.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return names[1:] if names[:1] in (["self"], ["cls"], ["mcs"]) else names


def known_to_class(class_: ast.ClassDef) -> set[str]:
    """Return the names that a class's docstring may well document beside what `__init__` takes."""
    taken = {p.arg for method in methods(class_) for p in parameters(method.args)}
    fields = (s.target for s in class_.body if isinstance(s, ast.AnnAssign))
    return taken | {field.id for field in fields if isinstance(field, ast.Name)}


def _is_transparent(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = called.attr if isinstance(called, ast.Attribute) else ""
    name = called.id if isinstance(called, ast.Name) else name
    return name in TRANSPARENT or name.startswith("register")
