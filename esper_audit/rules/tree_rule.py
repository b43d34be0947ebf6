"""What a tree rule is: a check that reads the whole tree through its index; its cases are small trees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec

from esper_audit.findings.errors import RuleLoadError
from esper_audit.findings.finding import (
    Category,
    Confidence,
    NotAnalysed,
    Severity,
    TreeViolation,
)
from esper_audit.rules.code_block import dedent_block
from esper_audit.rules.rule import AnyOptions, Check, Options

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
    """A tree on which a rule reports each (path, line, message) of `expected`; `files` as in `ValidTree`."""

    name: str
    files: Mapping[str, str]
    expected: tuple[tuple[str, int, str], ...]
    options: dict[str, object] = {}

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "files", _dedented(self.files))


class TreeRule(Check):
    """A check that asks the index of the whole tree.

    It runs in `esper-audit run`, and in `check` where somebody selects it by name. `check` yields
    violations, and `Tree.undecided` where a file that could not be read keeps it from telling.
    """

    Options: ClassVar[type[AnyOptions]] = Options
    VALID: ClassVar[Sequence[ValidTree]] = ()
    INVALID: ClassVar[Sequence[InvalidTree]] = ()

    def __init__(self, options: AnyOptions | None = None, severity: Severity | None = None) -> None:
        self.options = self.Options() if options is None else options
        if severity is not None:
            self.severity = severity

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Yield what is wrong anywhere in the tree."""
        raise NotImplementedError


def validate(rule: type[TreeRule]) -> None:
    """Raise RuleLoadError unless the rule carries every part of its specification."""
    rule.documentation()
    parts: dict[str, type] = {
        "contract": str,
        "category": Category,
        "severity": Severity,
        "confidence": Confidence,
    }
    for part, type_of_part in parts.items():
        declared = next((vars(base)[part] for base in rule.__mro__ if part in vars(base)), None)
        if not isinstance(declared, type_of_part):
            raise RuleLoadError(
                f"rule {rule.id}: `{part}` is missing or not a {type_of_part.__name__}"
            )
    if not rule.VALID or not rule.INVALID:
        raise RuleLoadError(f"rule {rule.id}: needs at least one VALID and one INVALID case")
    if rule.check is TreeRule.check:
        raise RuleLoadError(f"rule {rule.id}: has no `check` method")


def _dedented(files: Mapping[str, str]) -> dict[str, str]:
    return {path: dedent_block(text) for path, text in files.items()}
