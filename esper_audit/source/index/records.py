"""The results of queries: symbols, references, callers with what they pass, tests, and unread files."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec

from esper_audit.findings.finding import NotAnalysed
from esper_audit.project.file_roles import Role
from esper_audit.source.facts.records import (
    CallArguments,
    DefinitionKind,
    Parameter,
    ParameterKind,
    Use,
)
from esper_audit.source.index.class_hierarchy import ClassKind
from esper_audit.source.index.targets import ResolvedBy

Item = TypeVar("Item")
OWN_ATTRIBUTE = re.compile(r"self\.[^.]*")


class Passing(enum.StrEnum):
    """Whether a call passes an argument. Calls with `*args` or `**kwargs` may."""

    PASSES = "passes"
    OMITS = "omits"
    MAY_FORWARD = "may-forward"


class Symbol(msgspec.Struct, frozen=True, order=True):
    """Something that is defined in the tree.

    `path` and `symbol` (dotted within the file) are its identity; `name` is dotted from the outermost
    package, as an import would write it. Lines count from 1, columns too.
    """

    path: str
    symbol: str
    name: str
    kind: DefinitionKind
    line: int
    column: int
    end_line: int
    role: Role
    class_kind: ClassKind | None = None

    @property
    def key(self) -> str:
        """The identity as one text."""
        return f"{self.path}:{self.symbol}"

    def holds(self, place: Place) -> bool:
        """Return whether a place is located in the symbol."""
        return place.path == self.path and f"{place.symbol}.".startswith(f"{self.symbol}.")

    @property
    def short(self) -> str:
        """The last part of the name."""
        return self.name.rpartition(".")[2]

    @property
    def is_private(self) -> bool:
        """Return whether a part of the name starts with an underscore and is no dunder name."""
        return any(
            part.startswith("_") and not part.endswith("__") for part in self.symbol.split(".")
        )


class Place(msgspec.Struct, frozen=True, order=True):
    """The place of a reference. `symbol` is the function or class around it, empty for the module."""

    path: str
    line: int
    column: int
    symbol: str
    role: Role


class Reference(
    msgspec.Struct, frozen=True, order=True, rename={"resolved_by": "how", "text": "written"}
):
    """A mention of a symbol: where it is, what it does, how it was resolved, and its access path as text.

    `by_string` marks names spelled in a string (`getattr(x, "name")`).
    """

    place: Place
    use: Use
    resolved_by: ResolvedBy
    text: str
    by_string: bool = False

    @property
    def is_own_attribute(self) -> bool:
        """Return whether its text is that of an attribute of `self`, and goes through no other attribute."""
        return OWN_ATTRIBUTE.fullmatch(self.text) is not None


class Caller(msgspec.Struct, frozen=True):
    """A call of a symbol. `passing` concerns the argument of the query, None without one.

    `value` is what it passes when that is a literal: `None` passed may mean the same as leaving it out.
    """

    reference: Reference
    arguments: CallArguments
    passing: Passing | None = None
    value: str = ""

    @property
    def place(self) -> Place:
        """The place of the call."""
        return self.reference.place


class ReachingTest(msgspec.Struct, frozen=True, order=True, rename={"resolved_by": "how"}):
    """A test function (or module) that reaches a symbol, directly or through other code.

    `through` are the functions on the way, from the test's side, empty for a direct one. Helpers and
    fixtures of the tests are among them.
    """

    path: str
    symbol: str
    line: int
    resolved_by: ResolvedBy
    through: list[str] = []

    @property
    def is_direct(self) -> bool:
        """Return whether the test itself names the symbol."""
        return not self.through


class QueryResult(msgspec.Struct, Generic[Item], frozen=True):
    """The result of a query: sorted items, and files that may contain more but could not be read."""

    items: list[Item]
    not_looked_at: list[NotAnalysed]

    @property
    def is_complete(self) -> bool:
        """Return whether every file that may contain an item was read."""
        return not self.not_looked_at


BY_POSITION = (ParameterKind.POSITIONAL_ONLY, ParameterKind.PLAIN)


def passing(
    parameters: Sequence[Parameter] | None, arguments: CallArguments, name: str
) -> tuple[Passing, str]:
    """Return whether a call passes the parameter `name`, and the literal that it passes.

    `parameters` are those that the call fills, without `self`; None where the signature is not known.
    """
    if name in arguments.keywords:
        return Passing.PASSES, arguments.literal(name)
    forwards = arguments.star or arguments.double_star or arguments.partial
    if parameters is None:
        unknown = forwards or arguments.positional
        return (Passing.MAY_FORWARD if unknown else Passing.OMITS), ""
    by_position = [p.name for p in parameters if p.kind in BY_POSITION]
    extra = next((p for p in parameters if p.name == name), None)
    if extra is not None and extra.kind in (ParameterKind.ARGS, ParameterKind.KWARGS):
        return _extra(extra.kind, by_position, parameters, arguments), ""
    position = by_position.index(name) if name in by_position else None
    if position is not None and position < arguments.positional:
        return Passing.PASSES, arguments.literal(str(position))
    may = (arguments.star and position is not None) or arguments.double_star or arguments.partial
    is_positional_only = extra is not None and extra.kind is ParameterKind.POSITIONAL_ONLY
    if is_positional_only:
        may = arguments.star or arguments.partial
    return (Passing.MAY_FORWARD if may else Passing.OMITS), ""


def _extra(
    kind: ParameterKind,
    by_position: Sequence[str],
    parameters: Sequence[Parameter],
    arguments: CallArguments,
) -> Passing:
    """Return whether a call passes anything to `*args` or `**kwargs`."""
    if kind is ParameterKind.ARGS:
        given = arguments.positional > len(by_position)
        forwards = arguments.star
    else:
        given = bool(set(arguments.keywords) - {p.name for p in parameters})
        forwards = arguments.double_star
    if given:
        return Passing.PASSES
    return Passing.MAY_FORWARD if forwards else Passing.OMITS
