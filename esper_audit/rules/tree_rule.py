"""The specification of a tree rule: a check of the whole tree, with small trees as cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec

from esper_audit.findings.finding import NotAnalysed, TreeViolation
from esper_audit.rules.code_block import dedent_block
from esper_audit.rules.rule import RunnableCheck

if TYPE_CHECKING:
    from esper_audit.source.usage.tree import Tree


class ValidTree(msgspec.Struct, frozen=True):
    """A tree on which a rule reports nothing.

    `name` is a phrase that gives the reason. `files` holds the text of each file by its path: a
    plain string, or a triple-quoted block that is indented like the rule around it and loses that
    indentation here.
    """

    name: str
    files: Mapping[str, str]
    options: dict[str, object] = {}

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "files", _dedented(self.files))


class InvalidTree(msgspec.Struct, frozen=True):
    """A tree on which a rule reports each (path, line, message) of `expected`.

    `files` are as in `ValidTree`, `columns` as in `Invalid`.
    """

    name: str
    files: Mapping[str, str]
    expected: tuple[tuple[str, int, str], ...]
    options: dict[str, object] = {}
    columns: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "files", _dedented(self.files))


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


def _dedented(files: Mapping[str, str]) -> dict[str, str]:
    return {path: dedent_block(text) for path, text in files.items()}
