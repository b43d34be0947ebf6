"""The modules of a path or package that may define a class, found without importing them."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from esper_audit.project.discovery import Discovery
from esper_audit.project.import_root import INIT, import_root, module_name

ENTRY_POINTS = frozenset({"setup.py", "conftest.py", "__main__.py"})


class ModuleClass(msgspec.Struct, frozen=True):
    """A class that can be built, or a function of tensors, by its address, with its definition."""

    target: str
    path: str
    line: int
    end_line: int
    is_function: bool = False


@dataclass(frozen=True)
class Target:
    """The modules to import, by dotted name with their file, and the folders to import them from."""

    modules: dict[str, str]
    search_path: tuple[str, ...]


def target_of_path(path: str) -> Target:
    """Return the modules of a file, or of the files below a folder that are no tests or scripts."""
    path = os.path.abspath(path)
    is_file = os.path.isfile(path)
    files = [path] if is_file else [f for f in Discovery(path).run([path]).files if _is_library(f)]
    found: dict[str, str] = {}
    roots: list[str] = []
    for file in files:
        absolute = os.path.join(path, file) if not is_file else file
        if absolute.endswith(".py") and (is_file or has_definition(absolute)):
            root = import_root(os.path.dirname(absolute))
            found[module_name(absolute, root)] = absolute
            roots.append(root)
    return Target(found, tuple(dict.fromkeys(roots)))


def target_of_package(name: str, search_path: tuple[str, ...]) -> Target | None:
    """Return the modules of an importable package or module, None if there is no such package.

    A folder without `__init__.py` is one too if there is no other.
    """
    folders = [*search_path, *_python_path()]
    bases = [(os.path.join(folder, *name.split(".")), folder) for folder in folders]
    for base, folder in bases:
        if os.path.isfile(os.path.join(base, INIT)):
            return _package_below(base, folder, search_path)
        if os.path.isfile(f"{base}.py"):
            return Target({name: f"{base}.py"}, (folder,) if folder in search_path else ())
    for base, folder in bases:
        if any(True for _ in _python_files(base)):
            return _package_below(base, folder, search_path)
    return None


def _package_below(base: str, folder: str, search_path: tuple[str, ...]) -> Target:
    modules = {module_name(f, folder): f for f in _python_files(base) if has_definition(f)}
    return Target(modules, (folder,) if folder in search_path else ())


def _python_path() -> Iterator[str]:
    import sys

    yield from (folder or os.getcwd() for folder in sys.path if os.path.isdir(folder or "."))


def has_definition(file: str) -> bool:
    """Return whether a file defines a class or a function."""
    try:
        with open(file, encoding="utf-8") as stream:
            text = stream.read()
        return ("class " in text or "def " in text) and any(
            isinstance(node, ast.ClassDef | ast.FunctionDef) for node in ast.walk(ast.parse(text))
        )
    except (OSError, ValueError, SyntaxError):
        return False


def _python_files(folder: str) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        yield from (os.path.join(parent, name) for name in sorted(names) if name.endswith(".py"))


def _is_library(file: str) -> bool:
    """Return whether a file is no test, no example and no entry point, by its path."""
    parts = file.replace(os.sep, "/").split("/")
    is_test = any(part in ("tests", "test", "testing", "examples", "docs") for part in parts[:-1])
    name = parts[-1]
    is_test = is_test or name.startswith("test_") or name.endswith("_test.py")
    return not is_test and name not in ENTRY_POINTS
