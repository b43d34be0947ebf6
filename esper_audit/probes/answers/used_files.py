"""The files that a module uses: itself, what it imports inside its tree, and the data beside them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator

from esper_audit.project.engine_fingerprint import content_digest
from esper_audit.project.git import changed_since
from esper_audit.project.import_root import INIT, import_root
from esper_audit.project.installed_files import is_installed
from esper_audit.source.modules.import_statements import import_statements

DYNAMIC = re.compile(rb"import_module|__import__|importlib|pkgutil|entry_points|exec\(")


class UsedFiles:
    """The files that modules of a project or of an installed package use.

    `root` is the folder of the project. Of what is installed, only the package of the module itself is
    followed. Files are read once.
    """

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)
        self._imports: dict[str, frozenset[str]] = {}
        self._texts: dict[str, bytes] = {}
        self._digests: dict[str, bytes] = {}
        self._data: dict[str, dict[str, str]] = {}  # by folder and file
        self._module_files: dict[str, str] = {}  # by path without suffix
        self._import_roots: dict[str, str] = {}  # by folder
        self._inits: dict[str, frozenset[str]] = {}  # by folder
        self._stamps: dict[str, str] = {}
        self._trees: dict[str, str] = {}

    def of(self, file: str) -> frozenset[str]:
        """Return the files that a file and what it imports consist of, by their real paths."""
        found: set[str] = set()
        pending = [os.path.realpath(file)]
        while pending:
            used = pending.pop()
            if used not in found:
                found.add(used)
                pending += self._imported(used) - found
        folders = {os.path.dirname(one) for one in found}
        return frozenset(found.union(*map(self._inits_above, folders)))

    def digest(self, file: str) -> bytes:
        """Return a digest of the contents of the used files, and of the data in their packages."""
        if file not in self._digests:
            self._digests[file] = self._digest(self.of(file))
        return self._digests[file]

    def tree_digest(self, file: str) -> bytes:
        """Return a digest of all modules and data in the package of a file, or in its folder."""
        return self._digest(_python_files(_tree(file)))

    def _digest(self, files: Collection[str]) -> bytes:
        parts = [*map(self._stamp, sorted(files))]
        for tree in sorted(set(map(self._tree, files))):
            if tree not in self._data:
                self._data[tree] = dict(_data_stamps(tree))
            stamps = self._data[tree]
            parts += [stamps[path] for path in stamps if self._may_read(files, tree, path)]
        return content_digest("\0".join(parts).encode())

    def _stamp(self, path: str) -> str:
        """Return the path of a file with a digest of its content."""
        if path not in self._stamps:
            self._stamps[path] = f"{path}\0{content_digest(self._text(path)).hex()}"
        return self._stamps[path]

    def _tree(self, file: str) -> str:
        if file not in self._trees:
            self._trees[file] = _tree(file)
        return self._trees[file]

    def _may_read(self, files: Collection[str], tree: str, data: str) -> bool:
        """Return whether modules may read a file of data in a tree: of their package, or one that they name."""
        if not data.startswith(tree + os.sep) or data.endswith((".py", ".pyc")):
            return False
        if os.path.isfile(os.path.join(tree, INIT)):
            return True
        name = os.path.basename(data).encode()
        return any(name in self._text(file) for file in files)

    def changed_since(self, revision: str) -> set[str]:
        """Return the real paths of the files of the project that changed since a revision.

        Raises GitError.
        """
        return {os.path.join(self._root, path) for path in changed_since(self._root, revision)}

    def uses_any(self, file: str, changed: Collection[str]) -> bool:
        """Return whether a file uses one of some files, which are modules or data in its package."""
        used = self.of(file)
        if not used.isdisjoint(changed):
            return True
        trees = set(map(self._tree, used))
        return any(self._may_read(used, tree, path) for tree in trees for path in changed)

    def every_digest(self, files: Collection[str]) -> bytes:
        """Return a digest of all that some modules and their packages consist of."""
        trees = {_tree(file): file for file in files}
        parts = [self.tree_digest(file) for file in trees.values()]
        return content_digest(b"\0".join([*parts, *map(self.digest, sorted(files))]))

    def _imported(self, file: str) -> frozenset[str]:
        if file not in self._imports:
            text = self._text(file)
            dynamic = _python_files(_tree(file)) if DYNAMIC.search(text) else ()
            self._imports[file] = frozenset([*self._resolved(file, text), *dynamic])
        return self._imports[file]

    def _resolved(self, file: str, text: bytes) -> Iterator[str]:
        for statement in import_statements(text):
            below = statement.module.lstrip(".")
            dots = len(statement.module) - len(below)
            folder = file
            for _ in range(dots):
                folder = os.path.dirname(folder)
            roots = [folder] if dots else self._roots(file, below.partition(".")[0])
            for root in roots:
                base = os.path.join(root, *below.split(".")) if below else root
                names = [os.path.join(base, name) for name in statement.names]
                yield from filter(None, map(self._module_file, (base, *names)))

    def _inits_above(self, folder: str) -> frozenset[str]:
        """Return the files that an import from a folder runs before: those of the packages around it."""
        if folder not in self._inits:
            init = os.path.join(folder, INIT)
            is_package = os.path.isfile(init)
            above = self._inits_above(os.path.dirname(folder)) if is_package else frozenset()
            self._inits[folder] = above | {init} if is_package else above
        return self._inits[folder]

    def _module_file(self, base: str) -> str:
        """Return the file of the module or package at a path without suffix, empty if there is none."""
        if base not in self._module_files:
            self._module_files[base] = _module_file(base)
        return self._module_files[base]

    def _roots(self, file: str, top: str) -> list[str]:
        """Return the folders from which a file may import a top-level module that is followed."""
        folder = os.path.dirname(file)
        if folder not in self._import_roots:
            self._import_roots[folder] = import_root(folder)
        root = self._import_roots[folder]
        is_own = (root + os.sep).startswith(self._root + os.sep)
        if not is_own or is_installed(root):
            return [root] if file.startswith(os.path.join(root, top) + os.sep) else []
        return list(dict.fromkeys((root, folder, self._root)))

    def _text(self, file: str) -> bytes:
        if file not in self._texts:
            self._texts[file] = file_content(file)
        return self._texts[file]


def file_content(path: str) -> bytes:
    """Return the content of a file, empty if it cannot be read."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError:
        return b""


def file_digest(path: str) -> str:
    """Return a digest of a file, as text."""
    return content_digest(file_content(path)).hex()


def _module_file(base: str) -> str:
    """Return the file of the module or package at a path without suffix, empty if there is none."""
    for path in (f"{base}.py", os.path.join(base, INIT)):
        if os.path.isfile(path):
            return os.path.realpath(path)
    return ""


def _tree(file: str) -> str:
    """Return the folder of the outermost package of a file, or the folder of a file in no package."""
    folder = os.path.dirname(os.path.realpath(file))
    root = import_root(folder)
    return (
        os.path.join(root, os.path.relpath(folder, root).split(os.sep)[0])
        if root != folder
        else folder
    )


def _python_files(tree: str) -> list[str]:
    return [path for path in _files(tree) if path.endswith(".py")]


def _data_stamps(tree: str) -> Iterator[tuple[str, str]]:
    """Yield what is no Python source in a tree, each file with its size and time."""
    for path in sorted(_files(tree)):
        if not path.endswith((".py", ".pyc")):
            found = os.stat(path)
            yield path, f"{path}\0{found.st_size}\0{found.st_mtime_ns}"


def _files(tree: str) -> Iterator[str]:
    """Yield the files of a package with its sub-folders, or of a folder that is no package without them."""
    is_package = os.path.isfile(os.path.join(tree, INIT))
    for parent, folders, names in os.walk(tree):
        folders[:] = [name for name in folders if is_package and name != "__pycache__"]
        yield from (path for name in names if os.path.isfile(path := os.path.join(parent, name)))
