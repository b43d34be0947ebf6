"""What one file says, as plain data: what it defines, binds, mentions, calls and spells out in strings."""

from __future__ import annotations

import enum

import msgspec


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
    """What a definition defines; the kind of a class (dataclass, enum, ...) is a question of its bases."""

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


# What takes any number of arguments.
MANY = frozenset({ParameterKind.ARGS, ParameterKind.KWARGS})


class Parameter(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A parameter; `default` is its source when it is a literal or a name, `...` when it is more."""

    name: str
    kind: ParameterKind
    required: bool
    default: str = ""
    annotation: str = ""
    read: bool = False


class CallArguments(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a call passes; `literals` holds those that are constants, by position or keyword.

    `star` and `double_star` say that `*args` or `**kwargs` stand in the call; `spread` is how the
    latter is written (`kwargs`); `discarded` that nobody uses the result; `partial` that the call
    only happens later (`functools.partial(F, ...)`); `first` is how the first argument is written,
    noted for calls that serialise.
    """

    positional: int = 0
    keywords: list[str] = []
    star: bool = False
    double_star: bool = False
    spread: str = ""
    literals: dict[str, str] = {}
    discarded: bool = False
    partial: bool = False
    first: str = ""


class Mention(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A name or attribute somewhere in the file; `path` is how it is written (`written.py`).

    `scope` is the position of the enclosing scope in the file's list; `by_string` marks
    `getattr(x, "name")` and its kin, which are uses like any other, spelled in a string.
    """

    path: str
    use: Use
    scope: int
    line: int
    column: int
    arguments: CallArguments | None = None
    by_string: bool = False


class ScopeFacts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A module, class or function: its dotted name in the file and what it binds names to.

    A binding is a list of paths: `!Class.method` a definition of this file, `@a.b` an import,
    anything else an expression; `?` is a value of which nothing is known.
    """

    name: str
    kind: ScopeKind
    parent: int
    line: int
    end_line: int
    bindings: dict[str, list[str]]
    type_checking: list[str] = []

    def holds(self, line: int) -> bool:
        """Return whether a line stands in it."""
        return self.line <= line <= self.end_line


class Bound(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A value given to an attribute of the object itself (`self.x = ...`), and where."""

    path: str
    scope: int
    line: int
    column: int


class Definition(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Something that can be referred to; `name` is dotted within the file (`Class.method`).

    `scope` is the scope that it opens (functions and classes), `owner` the one it stands in;
    `stub` says that its body does nothing (docstring, `pass`, `...`, `raise NotImplementedError`);
    `returned` are the paths that it returns when no annotation says what; `literal` is the value of
    a constant when that is one. `end_line` counts decorators and body, `line` is that of the name.
    """

    name: str
    kind: DefinitionKind
    owner: int
    line: int
    column: int
    end_line: int
    scope: int = -1
    decorators: list[str] = []
    bases: list[str] = []
    keywords: list[str] = []
    parameters: list[Parameter] = []
    annotation: str = ""
    returned: list[str] = []
    attributes: dict[str, list[Bound]] = {}
    documented: bool = False
    stub: bool = False
    generator: bool = False
    has_default: bool = False
    literal: str = ""

    @property
    def short(self) -> str:
        """The last part of the name."""
        return self.name.rpartition(".")[2]


class FileFacts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Everything that the index knows of a file; `strings` are words in strings, with their places.

    `exports` is `__all__`, each name with its line, where the file has one.
    """

    scopes: list[ScopeFacts]
    definitions: list[Definition]
    mentions: list[Mention]
    strings: dict[str, list[tuple[int, int]]]
    exports: dict[str, int] | None = None
