"""The facts of one file as plain data: definitions, bindings, mentions, calls, and words in strings."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

from esper_audit.source.facts.access_path import AccessPath, named


class Use(enum.StrEnum):
    """What a mention does with a name."""

    CALL = "call"
    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    BASE = "base"
    DECORATOR = "decorator"
    ANNOTATION = "annotation"
    IMPORT = "import"
    EXPORT = "export"
    STRING = "string"


class ScopeKind(enum.StrEnum):
    """What opens a scope."""

    MODULE = "module"
    CLASS = "class"
    FUNCTION = "function"


class DefinitionKind(enum.StrEnum):
    """What a definition defines. Its bases decide the kind of a class (dataclass, enum, ...)."""

    MODULE = "module"
    FUNCTION = "function"
    METHOD = "method"
    CLASS = "class"
    CONSTANT = "constant"
    FIELD = "field"
    ATTRIBUTE = "attribute"


class ParameterKind(enum.StrEnum):
    """How an argument reaches a parameter."""

    POSITIONAL_ONLY = "positional-only"
    PLAIN = "plain"
    KEYWORD_ONLY = "keyword-only"
    ARGS = "args"
    KWARGS = "kwargs"


Paths = tuple[AccessPath, ...]
# What takes any number of arguments.
MANY = frozenset({ParameterKind.ARGS, ParameterKind.KWARGS})


class Parameter(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A parameter. `default` is its source when it is a literal or a name, `...` when it is more."""

    name: str
    kind: ParameterKind
    required: bool
    default: str = ""
    annotation: str = ""
    read: bool = False


class CallArguments(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a call passes. `literals` holds those that are constants, by position or keyword.

    `star` and `double_star` mark calls with `*args` or `**kwargs`; `spread` is the variable of the
    latter, if it is one; `discarded` marks calls whose result is not used, `partial` calls that only
    happen later (`functools.partial(F, ...)`).
    """

    positional: int = 0
    keywords: tuple[str, ...] = ()
    star: bool = False
    double_star: bool = False
    spread: str = ""
    literals: tuple[tuple[str, str], ...] = ()
    discarded: bool = False
    partial: bool = False

    def literal(self, of: str) -> str:
        """Return the constant that is passed at a position or for a keyword, empty if it is none."""
        return next((text for name, text in self.literals if name == of), "")


class Mention(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A name or attribute somewhere in the file, with its access path.

    `scope` is the position of the enclosing scope in the file's list; `by_string` marks the names in
    `getattr(x, "name")`, `setattr` and `delattr`, which are uses like any other.
    """

    path: AccessPath
    use: Use
    scope: int
    line: int
    column: int
    arguments: CallArguments | None = None
    by_string: bool = False


class ScopeFacts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A module, class or function: its dotted name in the file and what it binds names to.

    A binding is the access paths of the values that a name may have.
    """

    name: str
    kind: ScopeKind
    parent: int
    line: int
    end_line: int
    bindings: dict[str, Paths]
    type_checking: tuple[str, ...] = ()

    def holds(self, line: int) -> bool:
        """Return whether it contains a line."""
        return self.line <= line <= self.end_line


class Bound(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A value given to an attribute of the object itself (`self.x = ...`), and where."""

    path: AccessPath
    scope: int
    line: int
    column: int


class Definition(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A definition that can be referred to. `name` is dotted within the file (`Class.method`).

    `scope` is the scope that it opens (functions and classes), `owner` the one around it;
    `stub` marks bodies that do nothing (docstring, `pass`, `...`, `raise NotImplementedError`);
    `returned` are the paths that it returns or is bound to; `literal` is the value of a constant
    where that is a literal. `end_line` counts decorators and body, `line` is that of the name.
    """

    name: str
    kind: DefinitionKind
    owner: int
    line: int
    column: int
    end_line: int
    scope: int = -1
    decorators: Paths = ()
    bases: Paths = ()
    keywords: tuple[tuple[str, AccessPath], ...] = ()
    parameters: tuple[Parameter, ...] = ()
    annotation: str = ""
    returned: Paths = ()
    attributes: Mapping[str, tuple[Bound, ...]] = {}
    documented: bool = False
    stub: bool = False
    generator: bool = False
    has_default: bool = False
    literal: str = ""

    @property
    def short(self) -> str:
        """The last part of the name."""
        return self.name.rpartition(".")[2]

    def has_decorator(self, name: str) -> bool:
        """Return whether a decorator is nothing but a name, and this one."""
        return named(name) in self.decorators


class FileFacts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The facts of a file. `strings` are words in strings, with their lines and columns.

    `exports` is `__all__`, each name with its line, where the file has one.
    """

    scopes: list[ScopeFacts]
    definitions: list[Definition]
    mentions: list[Mention]
    strings: dict[str, tuple[tuple[int, int], ...]]
    exports: dict[str, int] | None = None
