"""Finding the files to audit: Python files below some paths that neither git nor the configuration ignores."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from esper_audit.findings.errors import UsageError, reason_of
from esper_audit.findings.finding import NotAnalysed
from esper_audit.project.path_patterns import PathPatterns, is_pattern

SUFFIXES = (".py", ".pyi")
NOTEBOOK = ".ipynb"  # counted, not checked
IGNORE_FILE = ".gitignore"
NO_PYTHON = "holds no Python file to check"
ALWAYS_EXCLUDED = frozenset(
    {
        ".git", ".hg", ".svn", ".venv", "venv", ".tox", ".nox", ".eggs", "node_modules", "__pycache__",
        ".mypy_cache", ".ruff_cache", ".pytest_cache", ".esper_audit_cache",
    }
)  # fmt: skip
# The output of a packaging tool, unless it is a package of this name.
BUILD_FOLDERS = frozenset({"build", "dist"})


class Discovery:
    """A walk below `root` that collects `files`, `problems`, `directories` and `ignore_files`, and counts `notebooks`.

    `ignore_files` are all files that decide what is ignored, also those that do not exist.
    """

    def __init__(self, root: str, exclude: Sequence[str] = ()) -> None:
        self.root = root
        self.files: list[str] = []
        self.problems: list[NotAnalysed] = []
        self.directories: list[str] = []
        self.ignore_files: list[str] = []
        self.excluded_by_configuration: list[str] = []
        self.notebooks = 0
        self._exclude = _spec(exclude) if exclude else None
        self._visited: set[tuple[int, int]] = set()

    def run(self, paths: Iterable[str]) -> Discovery:
        """Walk each absolute path, of a directory or a file.

        Raises UsageError if it does not exist.
        """
        for path in paths:
            if not os.path.lexists(path):
                raise UsageError(f"{path}: no such file or directory")
            if os.path.isdir(path):
                found = len(self.files) + len(self.problems)
                self._walk(path, self._ignores_above(path))
                if found == len(self.files) + len(self.problems):
                    self._problem(path, NO_PYTHON)
            elif self.is_excluded(path):
                self.excluded_by_configuration.append(self._relative(path))
            else:
                self._add(path)
        self.files = sorted(set(self.files))
        self.problems = sorted(set(self.problems))
        return self

    def is_excluded(self, path: str) -> bool:
        """Return whether the configuration excludes a file (absolute), which need not exist."""
        return self._excluded(path, is_directory=False)

    def _walk(self, top: str, ignores: list[Ignore]) -> None:
        """Visit all directories, with a stack instead of recursion so that depth is not limited."""
        pending = [(top, ignores)]
        while pending:
            directory, above = pending.pop()
            below = self._visit(directory, above)
            pending.extend(reversed(below))

    def _visit(self, directory: str, ignores: list[Ignore]) -> list[tuple[str, list[Ignore]]]:
        """Collect the files of a directory and return its subdirectories with their ignore rules."""
        below: list[tuple[str, list[Ignore]]] = []
        try:
            with os.scandir(directory) as entries:
                listing = sorted(entries, key=lambda entry: entry.name)
            status = os.stat(directory)
        except OSError as error:
            self._problem(directory, f"cannot be listed: {reason_of(error)}")
            return below
        self._visited.add((status.st_dev, status.st_ino))
        self.directories.append(directory)
        if any(entry.name == IGNORE_FILE for entry in listing):
            ignores = [*ignores, self._ignore(directory, IGNORE_FILE)]
        for entry in listing:
            is_directory = entry.is_dir(follow_symlinks=True) if not _is_dangling(entry) else False
            if self._ignored(entry.path, ignores, is_directory=is_directory):
                continue
            if is_directory:
                if not entry.is_symlink() or self._may_follow(entry):
                    below.append((entry.path, ignores))
            elif entry.name.endswith(SUFFIXES):
                self._add(entry.path)
            else:
                self.notebooks += 1
        return below

    def _may_follow(self, link: os.DirEntry[str]) -> bool:
        target, here = os.path.realpath(link.path), os.path.realpath(os.path.dirname(link.path))
        if here == target or here.startswith(target.rstrip(os.sep) + os.sep):
            self._problem(link.path, "symbolic link to a directory above it (not followed)")
            return False
        status = link.stat()
        directory = (status.st_dev, status.st_ino)
        inside_root = target.startswith(os.path.realpath(self.root) + os.sep)
        if inside_root or directory in self._visited:
            return False
        self._visited.add(directory)
        return True

    def _add(self, path: str) -> None:
        if os.path.islink(path) and not os.path.exists(path):
            self._problem(path, "dangling symbolic link")
        elif not os.path.isfile(path):
            self._problem(path, "not a regular file")
        elif (shown := _readable_path(path)) != path:
            self._problem(shown, "file name is not UTF-8")
        else:
            self.files.append(self._relative(path))

    def _is_tool_directory(self, directory: str) -> bool:
        """Return whether a directory is a virtual environment, a cache or the output of a build."""
        name = os.path.basename(directory)
        if name not in BUILD_FOLDERS:
            return name in ALWAYS_EXCLUDED
        mark = os.path.join(directory, "__init__.py")
        self.ignore_files.append(mark)
        return not os.path.isfile(mark)

    def _ignored(self, path: str, ignores: list[Ignore], *, is_directory: bool) -> bool:
        if is_directory and self._is_tool_directory(path):
            return True
        if not is_directory and not path.endswith((*SUFFIXES, NOTEBOOK)):
            return True
        if self._excluded(path, is_directory=is_directory):
            return True
        for directory, spec in reversed(ignores):
            verdict = spec.verdict(
                _relative_pattern_path(directory, path, is_directory=is_directory)
            )
            if verdict is not None:
                return verdict
        return False

    def _excluded(self, path: str, *, is_directory: bool) -> bool:
        if self._exclude is None:
            return False
        return self._exclude.is_match(
            _relative_pattern_path(self.root, path, is_directory=is_directory)
        )

    def _ignores_above(self, directory: str) -> list[Ignore]:
        """Return the ignore rules from the git root down to `directory`."""
        found: list[Ignore] = []
        for above in _git_root_down_to(directory):
            exclude = os.path.join(".git", "info", "exclude")
            for name in (exclude,) if above == directory else (exclude, IGNORE_FILE):
                if os.path.isfile(os.path.join(above, name)):
                    found.append(self._ignore(above, name))
                else:
                    self.ignore_files.append(os.path.join(above, name))
        return found

    def _ignore(self, directory: str, name: str) -> Ignore:
        path = os.path.join(directory, name)
        self.ignore_files.append(path)
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return directory, _spec(file.read().splitlines())
        except OSError as error:
            self._problem(path, f"cannot be read: {reason_of(error)}")
            return directory, _spec(())

    def _problem(self, path: str, reason: str) -> None:
        self.problems.append(NotAnalysed(self._relative(path), reason))

    def _relative(self, path: str) -> str:
        return relative(self.root, path)


Ignore = tuple[str, PathPatterns]


def relative(root: str, path: str) -> str:
    """Return a path with slashes, relative to the root if it is below it."""
    below = os.path.relpath(path, root)
    shown = path if below == ".." or below.startswith(".." + os.sep) else below
    return shown.replace(os.sep, "/")


def _is_dangling(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() and not os.path.exists(entry.path)


def _readable_path(path: str) -> str:
    """Return a path with replacement characters for all bytes that are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "replace")


def _spec(lines: Sequence[str]) -> PathPatterns:
    try:
        return PathPatterns(lines)
    except ValueError:
        return PathPatterns([line for line in lines if is_pattern(line)])


def _relative_pattern_path(directory: str, path: str, *, is_directory: bool) -> str:
    return os.path.relpath(path, directory).replace(os.sep, "/") + ("/" if is_directory else "")


def _git_root_down_to(directory: str) -> Iterator[str]:
    """Yield the directories from the git root down to `directory`, none outside a repository."""
    chain = [directory]
    while not os.path.exists(os.path.join(chain[-1], ".git")):
        parent = os.path.dirname(chain[-1])
        if parent == chain[-1]:
            return
        chain.append(parent)
    yield from reversed(chain)
