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
from esper_audit.rules.rule import AnyOptions, Check, Options

if TYPE_CHECKING:
    from esper_audit.source.usage.tree import Tree


class ValidTree(msgspec.Struct, frozen=True):
    """A tree, source by path, on which a rule is quiet; `name` is a phrase that says why."""

    name: str
    files: Mapping[str, str]
    options: dict[str, object] = {}


class InvalidTree(msgspec.Struct, frozen=True):
    """A tree on which a rule speaks: once for each (path, line, message)."""

    name: str
    files: Mapping[str, str]
    expected: tuple[tuple[str, int, str], ...]
    options: dict[str, object] = {}


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
