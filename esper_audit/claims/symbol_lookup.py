"""Finds the symbol at an address such as `package.module.Class.method` or `path/to/file.py:Class.method`."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from esper_audit.claims.reply import Reply, cannot_tell, stale
from esper_audit.findings.finding import NotAnalysed
from esper_audit.source.modules.module_names import module_of_file
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.enclosing import blocks, first_line, last_line
from esper_audit.source.syntax.source import Source

MOST_REEXPORTS = 5
SHOWN = 3
ELSEWHERE = "; one of that name is at"  # begins the places of other definitions in a reply
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class SourceFiles(Protocol):
    """The files of a tree, by their paths relative to its root."""

    @property
    def files(self) -> Sequence[str]:
        """Every Python file that the project audits."""

    def source(self, path: str) -> Source | NotAnalysed:
        """Return a parsed Python file, or the reason why it does not parse."""

    def text(self, path: str) -> str | None:
        """Return the text of any file below the root, None if there is none."""


class LocatedSymbol(NamedTuple):
    """A symbol that was found, or a whole file if the name is empty.

    Lines count from 1.
    """

    source: Source
    name: str
    statement: ast.stmt | None
    first: int
    last: int

    @property
    def place(self) -> str:
        """`path:line`."""
        return f"{self.source.path}:{self.first}"


def find_symbol(address: str, tree: SourceFiles) -> LocatedSymbol | Reply:
    """Return the symbol at an address, or the reply that names what is missing."""
    for _ in range(MOST_REEXPORTS):
        split = _file_of(address, tree)
        if isinstance(split, Reply):
            return split
        path, name = split
        source = tree.source(path)
        if isinstance(source, NotAnalysed):
            return cannot_tell(source.sentence(), path)
        symbol = _in_source(source, name)
        if symbol is not None:
            return symbol
        target = _reexported(source, name)
        if not target:
            return _missing(source, name, tree)
        address = target
    return cannot_tell(f"{address} is re-exported more than {MOST_REEXPORTS} times")


def _file_of(address: str, tree: SourceFiles) -> tuple[str, str] | Reply:
    """Split an address into a file and the name in it."""
    path, colon, name = address.partition(":")
    if colon or "/" in path or path.endswith(".py"):
        if path in tree.files or tree.text(path) is not None:
            return path, name
        return stale(f"there is no file {path}{other_files(path, tree.files)}")
    parts = address.split(".")
    for length in range(len(parts), 0, -1):
        found = _modules(".".join(parts[:length]), tree.files)
        if len(found) > 1:
            return cannot_tell(f"{'.'.join(parts[:length])} may be {' or '.join(found)}")
        if found:
            return found[0], ".".join(parts[length:])
    return stale(
        f"there is no module of {address} in the tree{_other_definitions(parts[-1], tree)}"
    )


def _modules(dotted: str, files: Iterable[str]) -> list[str]:
    """Return the files of a module: below the root, else below a folder such as `src`."""
    named = [(path, module_of_file(path)) for path in files]
    exact = [path for path, module in named if module == dotted]
    return exact or [path for path, module in named if module.endswith(f".{dotted}")]


def _in_source(source: Source, name: str) -> LocatedSymbol | None:
    if not name:
        return LocatedSymbol(source, "", None, 1, max(1, len(source.lines)))
    block: Sequence[ast.stmt] = source.tree.body
    statement: ast.stmt | None = None
    for part in name.split("."):
        statement = next((s for s in _flat(block) if part in _names_of(s)), None)
        if statement is None:
            return None
        block = statement.body if isinstance(statement, Definition) else ()
    assert statement is not None
    return LocatedSymbol(source, name, statement, first_line(statement), last_line(statement))


def _flat(block: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a block, those under `if`, `try` and `with` included."""
    for statement in block:
        yield statement
        if not isinstance(statement, Definition):
            for inner in blocks(statement):
                yield from _flat(inner)


def _names_of(statement: ast.stmt) -> list[str]:
    """Return what a statement defines."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [statement.name]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []


def _reexported(source: Source, name: str) -> str:
    """Return the address that an import binds to a name, empty if no import binds it."""
    head, _, rest = name.partition(".")
    binding = source.names.module.bound.get(head)
    if binding is None or not binding.is_import:
        return ""
    target = binding.target
    if target.startswith("."):
        level = len(target) - len(target.lstrip("."))
        package = module_of_file(source.path).split(".")
        up = level - 1 if source.path.endswith("__init__.py") else level
        target = ".".join([*package[: len(package) - up], target.lstrip(".")])
    return f"{target}.{rest}" if rest else target


def _missing(source: Source, name: str, tree: SourceFiles) -> Reply:
    owner, _, last = name.rpartition(".")
    above = _in_source(source, owner) if owner else None
    if above is not None and isinstance(above.statement, ast.ClassDef) and above.statement.bases:
        bases = ", ".join(ast.unparse(base) for base in above.statement.bases)
        return cannot_tell(
            f"{owner} defines no {last}; it may inherit one from {bases}", above.place
        )
    return stale(f"{source.path} defines no {name}{_other_definitions(last, tree)}")


def _other_definitions(name: str, tree: SourceFiles) -> str:
    """Return where else a name is defined, in words."""
    places = []
    for path in tree.files:
        text = tree.text(path)
        if text is None or (f"def {name}" not in text and f"class {name}" not in text):
            continue
        source = tree.source(path)
        found = _in_source(source, name) if isinstance(source, Source) else None
        places += [found.place] if found else []
    return f"{ELSEWHERE} {', '.join(places[:SHOWN])}" if places else ""


def definitions_of(name: str, source: Source) -> list[LocatedSymbol]:
    """Return the functions and classes of a name at any depth of a file."""
    return [
        LocatedSymbol(source, name, node, first_line(node), last_line(node))
        for node in walk(source.tree)
        if isinstance(node, Definition) and node.name == name
    ]


def other_files(path: str, files: Sequence[str]) -> str:
    """Return which other files have the name of a path, in words."""
    name = path.rpartition("/")[2]
    others = [file for file in files if file.rpartition("/")[2] == name]
    return f"; one of that name is {', '.join(others[:SHOWN])}" if others else ""
