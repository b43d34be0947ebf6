"""Output for code scanning: SARIF 2.1.0 with fingerprints, suppressions and notifications."""

from __future__ import annotations

from typing import TypeAlias
from urllib.parse import quote

import msgspec

from esper_audit.findings.audit import Audit, Ticketed
from esper_audit.findings.finding import Edit, Finding, NotAnalysed, Severity, Suppression
from esper_audit.project.distribution import check_page, home_page, version
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.rules.rule import Check
from esper_audit.tickets.states import ACCEPTED

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
FINGERPRINT = "esperAudit/v1"
LEVELS = {"P0": "error", "P1": "error", "P2": "warning", "P3": "warning", "P4": "note"}
Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool"


def render(audit: Audit, catalogue: CheckCatalogue) -> str:
    """Return one run as a SARIF log."""
    ids = sorted({*audit.checks, *(f.check for f in audit.findings)})
    results: list[Json] = [_result(finding, ids) for finding in audit.findings]
    results += [
        _result(s.finding, ids, s.suppression) for s in audit.suppressed if s.finding.check in ids
    ]
    results += [
        _result(t.finding, ids) | _ticket(t) for t in audit.ticketed if t.finding.check in ids
    ]
    driver: Json = {
        "name": "esper-audit",
        "version": version(),
        "semanticVersion": version(),
        **({"informationUri": home_page()} if home_page() else {}),
        "rules": [_rule(catalogue.check(check), catalogue) for check in ids],
    }
    run: Json = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"esper-audit/{'probe' if audit.records else 'check'}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not audit.not_analysed,
                "exitCode": audit.exit_status,
                "toolExecutionNotifications": [_notification(n) for n in audit.not_analysed],
            }
        ],
        "results": results,
    }
    log: Json = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(log), indent=2).decode() + "\n"


def _rule(check: type[Check], catalogue: CheckCatalogue) -> Json:
    documentation = check.documentation()
    contract = catalogue.contracts[check.contract]
    help_text = (
        f"{documentation.what}\n\n{documentation.why}\n\nNot reported: {documentation.quiet}"
    )
    return {
        "id": check.id,
        "name": check.__name__,
        "shortDescription": {"text": documentation.title},
        "fullDescription": {"text": contract.statement},
        "help": {"text": help_text, "markdown": help_text},
        **({"helpUri": check_page(check.id)} if home_page() else {}),
        "defaultConfiguration": {"level": LEVELS[Severity(check.severity)]},
        "properties": {
            "tags": [str(check.category), check.contract],
            "precision": str(check.confidence),
        },
    }


def _result(
    finding: Finding, ids: list[str], suppression: Suppression | None = None
) -> dict[str, Json]:
    result: dict[str, Json] = {
        "ruleId": finding.check,
        "ruleIndex": ids.index(finding.check),
        "level": LEVELS[finding.severity],
        "message": {"text": finding.message},
        "locations": [_location(finding)],
        "partialFingerprints": {FINGERPRINT: finding.fingerprint},
        "properties": {"severity": str(finding.severity), "contract": finding.contract},
    }
    if finding.impact is not None:
        properties = {**msgspec.to_builtins(finding.impact)}
        result["properties"] = {
            "severity": str(finding.severity),
            "contract": finding.contract,
            "impact": properties,
        }
    if finding.edit is not None:
        result["fixes"] = [_fix(finding.location.path, finding.edit)]
    if suppression is not None:
        kind = "external" if suppression.origin == "configuration" else "inSource"
        result["suppressions"] = [{"kind": kind, "justification": _justification(suppression)}]
    return result


def _ticket(ticketed: Ticketed) -> dict[str, Json]:
    """Return the properties of a result with a ticket: unchanged, and suppressed if accepted."""
    properties: dict[str, Json] = {"baselineState": "unchanged"}
    if ticketed.status in ACCEPTED:
        why = f"ticket {ticketed.ticket} is {ticketed.status}"
        properties["suppressions"] = [{"kind": "external", "justification": why}]
    return properties


def _justification(suppression: Suppression) -> str:
    owner = f" ({suppression.owner})" if suppression.owner else ""
    until = f", until {suppression.until}" if suppression.until else ""
    return f"{suppression.reason}{owner}{until}"


def _location(finding: Finding) -> Json:
    at = finding.location
    location: dict[str, Json] = {
        "physicalLocation": {
            "artifactLocation": _artifact(at.path),
            "region": _region(at.line, at.column, at.end_line, at.end_column),
        }
    }
    if at.symbol:
        location["logicalLocations"] = [{"fullyQualifiedName": at.symbol}]
    return location


def _region(line: int, column: int, end_line: int, end_column: int) -> Json:
    return {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column}


def _artifact(path: str) -> Json:
    """Return a location relative to the root of the sources, which the reader of the log supplies."""
    return {"uri": quote(path), "uriBaseId": "%SRCROOT%"}


def _fix(path: str, edit: Edit) -> Json:
    region = _region(edit.line, edit.column, edit.end_line, edit.end_column)
    replacement: Json = {"deletedRegion": region, "insertedContent": {"text": edit.text}}
    change: Json = {"artifactLocation": _artifact(path), "replacements": [replacement]}
    return {"description": {"text": edit.description}, "artifactChanges": [change]}


def _notification(problem: NotAnalysed) -> Json:
    physical: dict[str, Json] = {"artifactLocation": _artifact(problem.path)}
    if problem.line:
        physical["region"] = {"startLine": problem.line}
    return {
        "level": "error",
        "message": {"text": f"not analysed: {problem.sentence()}"},
        "locations": [{"physicalLocation": physical}],
    }
