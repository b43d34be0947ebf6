"""Contracts for the terminal, and the checks as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import msgspec

from esper_audit.findings.contract import PROFILES
from esper_audit.findings.errors import UsageError
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.rules.rule import Check, FileRule
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.rules.version_ranges import versions_of
from esper_audit.text.phrases import did_you_mean
from esper_audit.text.terminal import prose_width

VERSION = 1


def contract_lines(catalogue: CheckCatalogue, contract_id: str) -> Iterator[str]:
    """Yield the explanation of a contract: its statement, where it is in force, and its checks."""
    contract = catalogue.contracts[contract_id]
    yield from textwrap.wrap(f"{contract.id}: {contract.statement}", prose_width())
    yield ""
    yield from textwrap.wrap(f"Why: {contract.why}", prose_width())
    yield ""
    if contract.kind == "universal":
        yield "A universal contract: it is in force everywhere."
    else:
        profiles = [name for name, kinds in PROFILES.items() if "policy" in kinds]
        text = f'A policy: in force with policies = ["{contract.id}"], or profile {profiles[0]}.'
        yield from textwrap.wrap(text, prose_width())
    yield ""
    checks = [check for check in catalogue.checks.values() if check.contract == contract_id]
    for check in checks:
        notes = "" if check.default else " (off unless selected)"
        yield f"  {check.severity} {check.id}{notes}"
    if not checks:
        yield "No check exists yet."


def checks_as_json(catalogue: CheckCatalogue, check_id: str | None) -> str:
    """Return every check, or one, as JSON.

    Raises:
        UsageError: there is no such check.
    """
    if check_id is not None and check_id not in catalogue.checks:
        raise UsageError(f"unknown check '{check_id}'{did_you_mean(check_id, catalogue.checks)}")
    shown = [one for one in catalogue.checks.values() if check_id in (None, one.id)]
    content = {"version": VERSION, "checks": [_as_json(one, catalogue) for one in shown]}
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()


def _as_json(check: type[Check], catalogue: CheckCatalogue) -> dict[str, object]:
    documentation = check.documentation()
    kind = "probe"
    if issubclass(check, TreeRule):
        kind = "tree rule"
    elif issubclass(check, FileRule):
        kind = "rule"
    return {
        "id": check.id,
        "kind": kind,
        "contract": check.contract,
        "contract_kind": catalogue.contracts[check.contract].kind,
        "category": check.category,
        "severity": check.severity,
        "confidence": check.confidence,
        "default": check.default,
        "roles": sorted(role.value for role in check.roles),
        "precision": check.precision,
        "versions": versions_of(check),
        "title": documentation.title,
        "what": documentation.what,
        "why": documentation.why,
        "quiet": documentation.quiet,
    }
