"""The module names of a tree, which resolve imports to files without importing anything."""

from __future__ import annotations

import posixpath
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import takewhile

PACKAGE = "__init__"


class ModuleNames:
    """The modules of a tree. A directory with an `__init__` is a package. Any other may be a root."""

    def __init__(
        self, paths: Iterable[str], root: str = "", roots: Mapping[str, bool] | None = None
    ) -> None:
        """Take the paths of a tree. `root` is the name of its directory, which may be a package itself.

        `roots` are packages whose modules are also imported without the package, each with whether
        that is their usual name.
        """
        self._files = frozenset(paths)
        self._packages = {posixpath.dirname(path) for path in self._files if _stem(path) == PACKAGE}
        self._above = f"{root}." if root and "" in self._packages else ""
        full = {path: self._name(path) for path in self._files} if roots else {}
        self._packages -= {directory for directory, is_usual in (roots or {}).items() if is_usual}
        self._names = {path: self._name(path) for path in self._files}
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for path in sorted(self._files):
            for name in self._names_of(path):
                self._by_name[name].append(path)
        for directory in roots or ():
            self._add_names_below(directory, full)
        self._found: dict[tuple[str, str], str | None] = {}

    def name(self, path: str) -> str:
        """Return the dotted name of the module in a file, as seen from above its outermost package."""
        return self._names[path]

    def names(self, path: str) -> list[str]:
        """Return every dotted name by which a module can be imported."""
        return sorted(name for name, paths in self._by_name.items() if path in paths)

    def is_package_directory(self, directory: str) -> bool:
        """Return whether a directory has an `__init__`."""
        return self.file(directory) is not None and directory in self._packages

    def is_package(self, path: str) -> bool:
        """Return whether a file is the `__init__` of a package."""
        return _stem(path) == PACKAGE

    def find(self, name: str, importer: str) -> str | None:
        """Return the file that a dotted name refers to in `importer`, relative with leading dots."""
        directory = posixpath.dirname(importer)
        key = (name, directory)
        if key not in self._found:
            self._found[key] = (
                self._relative(name, directory)
                if name.startswith(".")
                else self._absolute(name, importer)
            )
        return self._found[key]

    def submodule(self, package: str, name: str) -> str | None:
        """Return the file of a module or package directly in the package of a file."""
        if _stem(package) != PACKAGE:
            return None
        return self.file(posixpath.join(posixpath.dirname(package), name))

    def resolve(self, target: str, importer: str) -> tuple[str, list[str]] | None:
        """Return the file of the longest prefix of a dotted target that is a module, and the rest."""
        dots = len(target) - len(target.lstrip("."))
        parts = target[dots:].split(".") if target[dots:] else []
        for count in range(len(parts), -1, -1):
            name = "." * dots + ".".join(parts[:count])
            path = self.find(name, importer) if name else None
            if path is not None:
                return path, parts[count:]
        return None

    def _relative(self, name: str, directory: str) -> str | None:
        below = name.lstrip(".")
        for _ in range(len(name) - len(below) - 1):
            directory = posixpath.dirname(directory)
        return self.file(posixpath.join(directory, *below.split(".")) if below else directory)

    def _absolute(self, name: str, importer: str) -> str | None:
        beside = self.file(posixpath.join(posixpath.dirname(importer), *name.split(".")))
        if beside is not None and posixpath.dirname(importer) not in self._packages:
            return beside
        if name.partition(".")[0] in sys.stdlib_module_names:
            return None
        candidates = self._by_name.get(name, [])
        return max(candidates, key=lambda path: _proximity(path, importer), default=None)

    def file(self, location: str) -> str | None:
        """Return the file of the module or package at a path without suffix."""
        for suffix in (".py", f"/{PACKAGE}.py", ".pyi", f"/{PACKAGE}.pyi"):
            path = (location + suffix).lstrip("/")
            if path in self._files:
                return path
        return None

    def _name(self, path: str) -> str:
        directory, parts = posixpath.dirname(path), [_stem(path)]
        while directory in self._packages and directory:
            parts.append(posixpath.basename(directory))
            directory = posixpath.dirname(directory)
        prefix = self._above if not directory else ""
        if parts[0] == PACKAGE and (len(parts) > 1 or prefix):
            del parts[0]
        return (prefix + ".".join(reversed(parts))).rstrip(".")

    def _add_names_below(self, directory: str, full: Mapping[str, str]) -> None:
        """Add the names of the modules of an import root: without its package, and with it (`full`)."""
        for path in sorted(self._files):
            if not path.startswith(f"{directory}/"):
                continue
            location = path.removeprefix(f"{directory}/").rpartition(".")[0]
            inside = location.removesuffix(PACKAGE).strip("/").replace("/", ".")
            for name in filter(None, (inside, full[path])):
                if path not in self._by_name[name]:
                    self._by_name[name].append(path)
            if not inside:
                self._names[path] = full[path]

    def _names_of(self, path: str) -> Iterable[str]:
        """Yield every name that a module may be imported by: from any directory above its packages."""
        name = self._names[path]
        yield name
        if self._above and name.startswith(self._above):
            return
        depth = name.count(".") + 1 + (_stem(path) == PACKAGE)
        above = posixpath.dirname(path).split("/")[: -depth + 1 or None]
        for directory in reversed([part for part in above if part]):
            name = f"{directory}.{name}"
            yield name


def module_of_file(path: str) -> str:
    """Return the module as which a file below the root of a project is imported from there."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _stem(path: str) -> str:
    return posixpath.basename(path).rpartition(".")[0]


def _proximity(path: str, importer: str) -> tuple[int, int]:
    """Return how near two files are. Of equally near files the less deep is nearer."""
    same = (a == b for a, b in zip(path.split("/"), importer.split("/"), strict=False))
    return sum(takewhile(bool, same)), -path.count("/")
