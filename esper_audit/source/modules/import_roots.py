"""Import roots: packages whose modules the tree also imports without the package, such as `src`.

An `__init__` in such a directory makes it a package, but the program has the directory on its path.
"""

from __future__ import annotations

import posixpath
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from esper_audit.findings.finding import NotAnalysed
from esper_audit.source.modules.import_statements import ImportStatement, import_statements
from esper_audit.source.modules.module_names import ModuleNames
from esper_audit.source.syntax.names import NameScope
from esper_audit.source.syntax.source import Source, parse

WHOLE_TREE = "."
STAR = "*"
# From here on what does not resolve is no exception, such as a generated or compiled module.
FEWEST_UNRESOLVED, UNRESOLVED_SHARE = 3, 1 / 5
RENAMED_SHARE = 4 / 5  # of the imports of a package, if the package is the tree under another name
# Copies of libraries, which are imported from where they are installed too.
VENDORED = re.compile(r"(^|/)_?(vendor|vendored|externals?|extern|third_?party)(/|$)")


class LocatedImport(NamedTuple):
    """An import statement in a file."""

    path: str
    statement: ImportStatement


def read_module_names(
    paths: Sequence[str], root: str, contents: Mapping[str, bytes]
) -> tuple[ModuleNames, NotAnalysed | None]:
    """Return the names of a tree's modules, and a problem if much that it imports from itself is missing.

    `root` is the name of its directory. `contents` are the files that could be read.
    """
    names = ModuleNames(paths, root)
    imports = [
        LocatedImport(path, statement)
        for path, data in contents.items()
        for statement in import_statements(data)
    ]
    survey = ImportSurvey(names, contents, imports)
    roots = survey.roots()
    if roots:
        names = ModuleNames(paths, root, roots)
        survey = ImportSurvey(names, contents, imports)
    return names, survey.problem()


class ImportSurvey:
    """What the imports of a tree resolve to."""

    def __init__(
        self, names: ModuleNames, contents: Mapping[str, bytes], imports: Sequence[LocatedImport]
    ) -> None:
        self._names = names
        self._contents = contents
        self._scopes: dict[str, NameScope | None] = {}
        self._parents = _parents(contents)
        self._votes: dict[tuple[str, str, tuple[str, ...]], int] = {}
        self._resolved: list[LocatedImport] = []
        self._unresolved: list[LocatedImport] = []
        self._outside: list[LocatedImport] = []
        known: dict[tuple[str, str, tuple[str, ...]], list[LocatedImport]] = {}
        for located in imports:
            path, statement = located
            key = (posixpath.dirname(path), statement.module, statement.names)
            if key not in known:
                known[key] = self._group(path, statement)
            known[key].append(located)
        self._modules_imported = _modules_imported(self._resolved)

    def roots(self) -> dict[str, bool]:
        """Return the import roots, each with whether most imports name its modules without its package."""
        votes: dict[str, int] = defaultdict(int)
        for path, statement in self._outside:
            for parent in self._parents.get(statement.module.partition(".")[0], ()):
                if self._names.is_package_directory(parent) and not VENDORED.search(parent):
                    votes[parent] += self._vote(parent, path, statement)
        chosen = sorted(directory for directory, vote in votes.items() if vote > 0)
        return {each: self._count_as_package(each) < votes[each] for each in chosen}

    def problem(self) -> NotAnalysed | None:
        """Return what is wrong if much that the tree imports from itself does not resolve, else None."""
        missing = [*self._unresolved, *self._of_renamed_packages()]
        total = len(self._resolved) + len(missing)
        if len(missing) < max(FEWEST_UNRESOLVED, UNRESOLVED_SHARE * total):
            return None
        path, statement = min(missing)
        line = self._contents[path].count(b"\n", 0, statement.offset) + 1
        return NotAnalysed(
            WHOLE_TREE,
            f"{len(missing)} of {total} imports of this tree's own modules do not resolve "
            f"(such as `{statement.module}` in {path}, line {line})",
        )

    def _group(self, path: str, statement: ImportStatement) -> list[LocatedImport]:
        """Return the list to which an import belongs."""
        module, found = statement.module, self._names.find(statement.module, path)
        head = module.partition(".")[0]
        if found is not None:
            return self._resolved
        if head in sys.stdlib_module_names:
            return []
        if any(self._names.find(_joined(module, n), path) is not None for n in statement.names):
            return self._resolved
        if head and self._names.find(head, path) is None:
            return self._outside
        # A compiled or generated module usually has a private name.
        is_expected = module.rpartition(".")[2].startswith("_") or self._is_directory(module, path)
        return [] if is_expected else self._unresolved

    def _is_directory(self, module: str, path: str) -> bool:
        """Return whether a relative import names a directory of the tree, which need not be a package."""
        if not module.startswith("."):
            return False
        target = posixpath.join(_base(module, path), *module.lstrip(".").split("."))
        return posixpath.dirname(target) in self._parents.get(posixpath.basename(target), ())

    def _vote(self, directory: str, path: str, statement: ImportStatement) -> int:
        """Return 1 for an import that a directory satisfies, -1 for one that it does not, 0 in doubt."""
        key = (directory, statement.module, statement.names)
        if key not in self._votes:
            self._votes[key] = self._fit(directory, statement)
        is_module = "." not in statement.module and self._is_plain(directory, statement.module)
        if is_module and posixpath.dirname(path) != directory:
            # A library may have the name of a module that the tree imports by its full name.
            full = f"{self._names.name(self._names.file(directory) or '')}.{statement.module}"
            return 0 if full in self._modules_imported else self._votes[key]
        return self._votes[key]

    def _is_plain(self, directory: str, name: str) -> bool:
        """Return whether a module in a directory is no package."""
        return not self._names.is_package_directory(posixpath.join(directory, name))

    def _fit(self, directory: str, statement: ImportStatement) -> int:
        module = statement.module
        location = posixpath.join(directory, *module.split("."))
        path = self._names.file(location)
        if path is None or not statement.names:
            return -1 if path is None else int("." in module)
        if STAR in statement.names:
            return 0
        if all(self._has(path, location, name, module) for name in statement.names):
            return 1
        scope = self._scope(path)
        return 0 if scope is not None and scope.stars else -1

    def _has(self, path: str, location: str, name: str, module: str) -> bool:
        """Return whether a module defines a name, and does not import it from a library of its own name."""
        if self._names.file(posixpath.join(location, name)) is not None:
            return True
        scope = self._scope(path)
        binding = scope.bound.get(name) if scope is not None else None
        head = module.partition(".")[0]
        return binding is not None and binding.target.partition(".")[0] != head

    def _scope(self, path: str) -> NameScope | None:
        """Return the names at the top of a file, or None if it does not parse."""
        if path not in self._scopes:
            source = parse(path, self._contents.get(path, b""))
            self._scopes[path] = source.names.module if isinstance(source, Source) else None
        return self._scopes[path]

    def _count_as_package(self, directory: str) -> int:
        """Count the imports that use a directory as a package: by its name, or relative to it."""
        name = self._names.name(self._names.file(directory) or "")
        return sum(
            f"{statement.module}.".startswith(f"{name}.")
            or (statement.module.startswith(".") and self._is_entered(directory, path, statement))
            for path, statement in self._resolved
        )

    def _is_entered(self, directory: str, path: str, statement: ImportStatement) -> bool:
        """Return whether a relative import leads into a directory from it or from above."""
        base = _base(statement.module, path)
        target = self._names.find(statement.module, path) or ""
        is_above = base == directory or directory.startswith(f"{base}/" if base else "")
        return is_above and target.startswith(f"{directory}/")

    def _of_renamed_packages(self) -> list[LocatedImport]:
        """Return the imports that fit modules of the tree except for the name of the outermost package."""
        by_head: dict[str, list[LocatedImport]] = defaultdict(list)
        for located in self._outside:
            by_head[located.statement.module.partition(".")[0]].append(located)
        found = []
        for imports in by_head.values():
            fitting = [located for located in imports if self._fits_inside(located.statement)]
            if len(fitting) >= max(FEWEST_UNRESOLVED, RENAMED_SHARE * len(imports)):
                found += fitting
        return found

    def _fits_inside(self, statement: ImportStatement) -> bool:
        """Return whether a module of the tree has the names of an import and the module's name but for its head."""
        _, _, below = statement.module.partition(".")
        if not below or not statement.names:
            return False
        inside = statement._replace(module=below)
        return any(
            self._fit(parent, inside) > 0
            for parent in self._parents.get(below.partition(".")[0], ())
        )


def _base(module: str, path: str) -> str:
    """Return the directory from which a relative import starts."""
    directory = posixpath.dirname(path)
    for _ in range(len(module) - len(module.lstrip(".")) - 1):
        directory = posixpath.dirname(directory)
    return directory


def _parents(paths: Mapping[str, bytes]) -> dict[str, set[str]]:
    """Return the directories that hold a module, package or directory of each name."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        for name, directory in _steps(path):
            found[name].add(directory)
    return found


def _steps(path: str) -> Iterator[tuple[str, str]]:
    """Yield the last name of a file and of each directory above it, with the directory around it."""
    location = path.rpartition(".")[0]
    while location:
        directory, name = posixpath.split(location)
        yield name, directory
        location = directory


def _modules_imported(imports: Sequence[LocatedImport]) -> frozenset[str]:
    """Return the dotted names that imports name, modules and what they contain."""
    modules = {statement.module for _, statement in imports}
    named = (_joined(s.module, name) for _, s in imports for name in s.names)
    return frozenset({*modules, *named})


def _joined(module: str, name: str) -> str:
    return f"{module}{name}" if module.endswith(".") else f"{module}.{name}"
