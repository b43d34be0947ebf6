"""The import graph: what importing a module loads, in the tree and outside."""

from __future__ import annotations

import ast
import posixpath
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

from esper_audit.source.facts.module_facts import ModuleFacts
from esper_audit.source.facts.records import Use
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.enclosing import chain
from esper_audit.source.syntax.names import dotted, imported
from esper_audit.source.syntax.source import Source

if TYPE_CHECKING:
    from esper_audit.source.usage.tree import Tree

PACKAGE = "__init__.py"
CAUGHT = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
STAR, CHECKING = "*", "TYPE_CHECKING"
IMPLICIT = 0  # the line of an implicit import: the packages around a module run first


class Loading(NamedTuple):
    """An import that runs with its module: its line, and the files and outside names that it loads.

    `star` is the file whose public names a star import binds, empty for any other import.
    """

    line: int
    files: tuple[str, ...]
    names: tuple[str, ...]
    star: str = ""


class EagerImports:
    """The graph of the imports at the top of files, without those below `TYPE_CHECKING` and in functions."""

    def __init__(self, tree: Tree) -> None:
        index = tree.index
        self._tree = tree
        self._module_names = index.store.module_names
        self._files = frozenset(index.store.paths)
        self.of: dict[str, list[Loading]] = {
            module.path: list(self._loadings(module)) for module in index.modules()
        }
        self._conditional: dict[str, frozenset[int]] = {}
        self._by_name: dict[tuple[str, bool], frozenset[str]] = {}
        self._importers: dict[str, set[tuple[str, int]]] = defaultdict(set)
        for path, loadings in self.of.items():
            for loading in loadings:
                for target in loading.files:
                    self._importers[target].add((path, loading.line))

    def importers(self, name: str, *, surely: bool = False) -> frozenset[str]:
        """Return the files that import a module: one outside by its dotted name, or of the tree."""
        if (name, surely) not in self._by_name:
            self._by_name[name, surely] = frozenset(
                path
                for path, loadings in self.of.items()
                for loading in loadings
                if self.is_import_of(loading, name)
                and self._is_counted(path, loading.line, surely=surely)
            )
        return self._by_name[name, surely]

    def importers_of_file(self, path: str) -> frozenset[str]:
        """Return the files with an import that loads a file of the tree."""
        return frozenset(importer for importer, _ in self._importers.get(path, ()))

    def is_import_of(self, loading: Loading, name: str) -> bool:
        """Return whether an import names a module, or something in it."""
        names = [*loading.names, *map(self._module_names.name, loading.files)]
        return any(f"{one}.".startswith(f"{name}.") for one in names)

    def loaders(
        self, starts: Collection[str], *, without: Collection[str] = (), surely: bool = False
    ) -> set[str]:
        """Return the files that load one of some files, themselves included, on paths not through `without`.

        `surely` leaves out imports below a condition, or in a `try` that goes on without them.
        """
        found = set(starts) - {*without}
        pending = list(found)
        while pending:
            above = {
                path
                for path, line in self._importers[pending.pop()]
                if path not in found and path not in without
                if self._is_counted(path, line, surely=surely)
            }
            found |= above
            pending += above
        return found

    def loaded_by(self, path: str) -> set[str]:
        """Return the files that importing a file loads."""
        found = {path}
        pending = [path]
        while pending:
            below = {f for loading in self.of.get(pending.pop(), ()) for f in loading.files} - found
            found |= below
            pending += below
        return found

    def _loadings(self, module: ModuleFacts) -> Iterator[Loading]:
        top = module.facts.scopes[0]
        checked = {path for name in top.type_checking for path in top.bindings.get(name, ())}
        for mention in module.facts.mentions:
            is_import = mention.use is Use.IMPORT and mention.scope == 0
            if is_import and mention.path not in checked:
                yield self._loading(module, mention.path.name, mention.line)
        yield Loading(IMPLICIT, tuple(self._around(module.path)), ())
        if STAR in top.bindings:
            yield from self._star_loadings(module)

    def _star_loadings(self, module: ModuleFacts) -> Iterator[Loading]:
        """Yield the star imports of a file, without those below `TYPE_CHECKING`."""
        source = self._tree.source(module.path)
        for line, target in _star_imports(source) if source is not None else ():
            loading = self._loading(module, target, line)
            star = self._module_names.resolve(target, module.path)
            yield loading._replace(star=star[0] if star is not None else "")

    def _loading(self, module: ModuleFacts, target: str, line: int) -> Loading:
        found = self._module_names.resolve(target, module.path)
        if found is None:
            return Loading(line, (), (target,) if not target.startswith(".") else ())
        file, rest = found
        below = self._module_names.submodule(file, rest[0]) if rest else None
        files = [*self._around(file), file, *([below] if below is not None else [])]
        return Loading(line, tuple(f for f in files if f != module.path), ())

    def _is_counted(self, path: str, line: int, *, surely: bool) -> bool:
        """Return whether an import counts: all do, unless `surely` requires that it runs whenever its file does."""
        return not surely or line not in self._conditional_lines(path)

    def _conditional_lines(self, path: str) -> frozenset[int]:
        """Return the lines of the imports of a file that may be skipped, or may fail."""
        if path not in self._conditional:
            source = self._tree.source(path)
            lines = {loading.line for loading in self.of[path]} - {IMPLICIT}
            if source is not None:
                tops = {line: around_line(source, line) for line in lines}
                found = (line for line, around in tops.items() if any(map(_is_condition, around)))
                self._conditional[path] = frozenset(found)
            else:
                self._conditional[path] = frozenset()
        return self._conditional[path]

    def _around(self, path: str) -> Iterator[str]:
        """Yield the `__init__` of every package around a file: importing it runs them all."""
        directory = posixpath.dirname(path)
        while directory:
            init = f"{directory}/{PACKAGE}"
            if init not in self._files:
                return
            if init != path:
                yield init
            directory = posixpath.dirname(directory)


def _star_imports(source: Source) -> Iterator[tuple[int, str]]:
    """Yield the line and the dotted target of each star import that runs with its file."""
    for node in walk(source.tree):
        if not isinstance(node, ast.ImportFrom) or node.names[0].name != STAR:
            continue
        enclosing = chain(source.tree, node.lineno, node.col_offset)
        if not any(isinstance(s, ast.If) and CHECKING in dotted(s.test) for s in enclosing):
            yield from ((node.lineno, target) for _, target in imported(node))


def _is_condition(statement: ast.stmt) -> bool:
    """Return whether the imports in a statement may be skipped, or may fail."""
    if isinstance(statement, ast.Try):
        goes_on = [h for h in statement.handlers if not isinstance(h.body[-1], ast.Raise)]
        return bool(CAUGHT & {dotted(one) for handler in goes_on for one in _types(handler)})
    return isinstance(statement, (ast.If, ast.Match))


def _types(handler: ast.ExceptHandler) -> list[ast.expr]:
    kind = handler.type or ast.Name("Exception")
    return kind.elts if isinstance(kind, ast.Tuple) else [kind]


def around_line(source: Source, line: int) -> list[ast.stmt]:
    """Return the statements around the text of a line, outermost first."""
    text = source.lines[line - 1]
    return chain(source.tree, line, len(text) - len(text.lstrip()))
