"""Validate the specification of a rule before it is used."""

from __future__ import annotations

from esper_audit.findings.errors import RuleLoadError
from esper_audit.rules.node_types import CST_NODE_TYPES, NODE_TYPES
from esper_audit.rules.rule import Check, Rule, RunnableCheck, Triggers
from esper_audit.rules.version_ranges import parse_range, versions_of
from esper_audit.text.phrases import did_you_mean

BROAD_TYPES = frozenset(
    {
        "Assign",
        "Attribute",
        "BinOp",
        "BoolOp",
        "Call",
        "Compare",
        "Expr",
        "If",
        "Return",
        "Subscript",
    }
    | {"BinaryOperation", "BooleanOperation", "Comparison"}
)
"""Node types of which every function has some: a rule that they trigger must filter them."""


def validate(check: type[RunnableCheck], kind: type[RunnableCheck]) -> None:
    """Raise RuleLoadError unless a check carries every part of the specification of its kind."""
    check.documentation()
    for part, part_type in kind.REQUIRED.items():
        if not isinstance(_declared(check, part), part_type):
            raise RuleLoadError(
                f"rule {check.id}: `{part}` is missing or not a {part_type.__name__}"
            )
    _validate_versions(check)
    if not check.VALID or not check.INVALID:
        raise RuleLoadError(f"rule {check.id}: needs at least one VALID and one INVALID case")
    if _declared(check, "check") is _declared(kind, "check"):
        raise RuleLoadError(f"rule {check.id}: has no `check` method")
    triggers = _declared(check, "triggers")
    if isinstance(triggers, Triggers):
        _validate_triggers(check, kind, triggers)


def _validate_versions(check: type[RunnableCheck]) -> None:
    """Raise RuleLoadError for a range of versions that is none."""
    for package, versions in versions_of(check).items():
        try:
            parse_range(versions)
        except ValueError as error:
            raise RuleLoadError(f"rule {check.id}: `{package}_versions`: {error}") from error


def _validate_triggers(
    check: type[RunnableCheck], kind: type[RunnableCheck], triggers: Triggers
) -> None:
    """Raise RuleLoadError for a node type that does not exist, or a broad one without a filter."""
    known = NODE_TYPES if issubclass(check, Rule) else CST_NODE_TYPES
    for name in sorted(triggers.nodes | triggers.collected):
        if name not in known:
            hint = did_you_mean(name, known)
            raise RuleLoadError(f"rule {check.id}: unknown node type '{name}'{hint}")
    filters = "prefilter" if issubclass(check, Rule) else "may_match"
    broad = ", ".join(sorted(BROAD_TYPES & triggers.nodes))
    if broad and _declared(check, filters) is _declared(kind, filters):
        raise RuleLoadError(
            f"rule {check.id}: triggers on every {broad} and has no `{filters}`. Define one."
        )


def _declared(check: type[Check], part: str) -> object:
    return next((vars(base)[part] for base in check.__mro__ if part in vars(base)), None)
