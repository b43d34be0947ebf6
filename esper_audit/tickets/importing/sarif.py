"""The results of an analyser in a SARIF log."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from esper_audit.findings.finding import Severity
from esper_audit.tickets.importing.foreign_record import FENCED, ForeignRecord, numbered
from esper_audit.tickets.importing.result_values import (
    LEVELS,
    Json,
    first_sentence,
    line_range,
    mapping,
    result_id,
    result_rows,
)
from esper_audit.tickets.markdown_import.terms.paths import PathMap
from esper_audit.tickets.parts import Evidence, TicketLocation
from esper_audit.tickets.states import ResolutionKind, Status

# The lowest score of a severity, by the scale of security scores from 0 to 10.
SCORES = ((9.0, Severity.P0), (7.0, Severity.P1), (4.0, Severity.P2), (0.0, Severity.P3))
HEADING = re.compile(r"^(#{1,4} )", re.MULTILINE)
SARIF_READ = frozenset(
    {
        *("ruleId", "ruleIndex", "rule", "level", "kind", "message", "locations", "suppressions"),
        *(
            "properties",
            "partialFingerprints",
            "fingerprints",
            "guid",
            "correlationGuid",
            "baselineState",
        ),
    }
)


def sarif_records(content: Json, paths: PathMap) -> tuple[list[ForeignRecord], list[str]]:
    """Return the records of a SARIF log, and what is not read, by kind."""
    unread: Counter[str] = Counter()
    records = []
    for run in content["runs"]:
        driver = mapping(mapping(run.get("tool")).get("driver"))
        rules = [mapping(rule) for rule in driver.get("rules") or []]
        for result in map(mapping, run.get("results") or []):
            if result.get("kind", "fail") not in ("fail", "open", "review"):
                unread[f"results of the kind {result['kind']}"] += 1
                continue
            unread.update(key for key in result if key not in SARIF_READ)
            records.append(_sarif_record(result, driver, rules, paths))
    return numbered(records), [f"{number} {kind}" for kind, number in sorted(unread.items())]


def _sarif_record(
    result: Json, driver: Json, rules: Sequence[Json], paths: PathMap
) -> ForeignRecord:
    tool = str(driver.get("name") or "SARIF")
    rule = _rule(result, rules)
    rule_id = str(result.get("ruleId") or rule.get("id") or "")
    message = _message(mapping(result.get("message")), rule)
    places = tuple(_sarif_places(result, paths))
    snippet = _snippet(result)
    level = str(
        result.get("level") or mapping(rule.get("defaultConfiguration")).get("level") or "warning"
    )
    score = mapping(rule.get("properties")).get("security-severity")
    suppressed = [mapping(one) for one in result.get("suppressions") or []]
    accepted = [one for one in suppressed if one.get("status", "accepted") == "accepted"]
    excuses = [str(one.get("justification") or one.get("kind") or "") for one in accepted]
    properties = {**mapping(result.get("properties"))}
    return ForeignRecord(
        id=result_id(tool, rule_id, places, message, snippet),
        title=first_sentence(message) or rule_id,
        body=f"## Detailed Description\n\n### What's Wrong\n\n{message}",
        status=Status.WONT_FIX if accepted else Status.OPEN,
        kind=ResolutionKind.WONT_FIX if accepted else None,
        resolution=f"suppressed: {'; '.join(excuses)}" if accepted else "",
        severity=_score(score) or LEVELS.get(level),
        agent=tool,
        places=places,
        evidence=(Evidence(code=snippet),) if snippet else (),
        report=f"{tool} {driver.get('semanticVersion') or driver.get('version') or ''}".strip(),
        section=rule_id,
        rows=(("Rule", _named(rule_id, rule)), *result_rows(properties)),
        notes=(("About the rule", _about_rule(rule)),),
        words=(("severity", str(score or level)),),
    )


def _rule(result: Json, rules: Sequence[Json]) -> Json:
    index = result.get("ruleIndex", mapping(result.get("rule")).get("index"))
    if isinstance(index, int) and 0 <= index < len(rules):
        return rules[index]
    return next((rule for rule in rules if rule.get("id") == result.get("ruleId")), {})


def _message(message: Json, rule: Json) -> str:
    text = message.get("text") or message.get("markdown")
    if not text and message.get("id"):
        strings = mapping(rule.get("messageStrings"))
        text = mapping(strings.get(message["id"])).get("text")
    for number, argument in enumerate(message.get("arguments") or []):
        text = str(text).replace(f"{{{number}}}", str(argument))
    return str(text or "")


def _sarif_places(result: Json, paths: PathMap) -> Iterator[TicketLocation]:
    for location in map(mapping, result.get("locations") or []):
        physical = mapping(location.get("physicalLocation"))
        uri = unquote(str(mapping(physical.get("artifactLocation")).get("uri") or ""))
        region = mapping(physical.get("region"))
        names = [mapping(one) for one in location.get("logicalLocations") or []]
        symbol = next(
            (str(one["fullyQualifiedName"]) for one in names if one.get("fullyQualifiedName")), ""
        )
        if uri:
            path = paths.here(uri.removeprefix("file://"))
            yield TicketLocation(
                path=path,
                symbol=symbol,
                lines=line_range(region.get("startLine"), region.get("endLine")),
            )


def _snippet(result: Json) -> str:
    for location in map(mapping, result.get("locations") or []):
        region = mapping(mapping(location.get("physicalLocation")).get("region"))
        text = mapping(region.get("snippet")).get("text")
        if text:
            return str(text).strip("\n")
    return ""


def _about_rule(rule: Json) -> str:
    """Return what the rule explains, with its headings below that of a section."""
    texts: list[str] = []
    for name in ("shortDescription", "fullDescription", "help"):
        described = mapping(rule.get(name))
        text = str(described.get("markdown") or described.get("text") or "").strip()
        if text and text not in "\n".join(texts):
            texts.append(text)
    pieces = FENCED.split("\n\n".join(texts))
    pieces[::2] = [HEADING.sub(r"##\1", piece) for piece in pieces[::2]]
    return "".join(pieces)


def _named(rule_id: str, rule: Json) -> str:
    parts = (rule_id, str(rule.get("name") or ""), str(rule.get("helpUri") or ""))
    return " - ".join(filter(None, parts))


def _score(score: object) -> Severity | None:
    try:
        number = float(str(score))
    except ValueError:
        return None
    return next(severity for least, severity in SCORES if number >= least) if number >= 0 else None
