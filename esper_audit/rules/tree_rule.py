"""The specification of a tree rule: a check of the whole tree, with small trees as cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec

from esper_audit.findings.finding import NotAnalysed, TreeViolation
from esper_audit.rules.rule import RunnableCheck

if TYPE_CHECKING:
    from esper_audit.source.usage.tree import Tree


class ValidTree(msgspec.Struct, frozen=True):
    """A tree, source by path, without a finding of the rule; `name` is a phrase with the reason."""

    name: str
    files: Mapping[str, str]
    options: dict[str, object] = {}


class InvalidTree(msgspec.Struct, frozen=True):
    """A tree, source by path, with one finding for each (path, line, message)."""

    name: str
    files: Mapping[str, str]
    expected: tuple[tuple[str, int, str], ...]
    options: dict[str, object] = {}


class TreeRule(RunnableCheck):
    """A check that reads the index of the whole tree.

    It runs in `esper-audit run`, and in `esper-audit check` where it is selected by id. `check` yields
    violations, and `Tree.undecided` where a file that could not be read leaves the answer open.
    """

    VALID: ClassVar[Sequence[ValidTree]] = ()
    INVALID: ClassVar[Sequence[InvalidTree]] = ()

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Yield the violations anywhere in the tree."""
        raise NotImplementedError
