"""The results of an analyser as JSON: each with a message, a file and a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from esper_audit.tickets.importing.foreign_record import ForeignRecord, numbered
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
from esper_audit.tickets.markdown_import.terms.severities import severity_in
from esper_audit.tickets.parts import Evidence, TicketLocation

PATHS = ("filename", "file", "path", "filePath", "file_path", "uri")
LINES = ("line", "line_number", "lineno", "row", "lineNumber")
MESSAGES = ("message", "issue_text", "text", "msg", "description")
RULES = (
    "test_id",
    "code",
    "check_id",
    "rule",
    "ruleId",
    "rule_id",
    "message-id",
    "symbol",
    "check",
)
SEVERITIES = ("issue_severity", "severity", "type", "level")
LISTS = (
    "results",
    "messages",
    "generalDiagnostics",
    "findings",
    "diagnostics",
    "issues",
    "problems",
)
TOOLS = {
    "test_id": "bandit",
    "noqa_row": "ruff",
    "message-id": "pylint",
    "hint": "mypy",
    "check_id": "semgrep",
}


def results_in(content: object) -> list[Json]:
    """Return the results in a JSON document of an analyser, none if it is of another kind."""
    if isinstance(content, dict):
        listed = next(
            (content[name] for name in LISTS if isinstance(content.get(name), list)), None
        )
        if listed is None:
            is_result = _first(content, PATHS) and _first(content, MESSAGES)
            listed = [content] if is_result else _by_file(content)
    else:
        listed = content if isinstance(content, list) else []
    nested: list[Json] = [
        {**entry, "path": result.get("filePath")}
        for result in map(mapping, listed)
        if isinstance(result.get("messages"), list)
        for entry in map(mapping, result["messages"])
    ]
    results: list[Json] = nested or [mapping(one) for one in listed]
    has_all = all(_first(one, PATHS) and _first(one, MESSAGES) for one in results)
    return results if has_all else []


def _by_file(content: Json) -> list[Json]:
    """Return the results of a document whose keys are files."""
    lists = [(path, value) for path, value in content.items() if isinstance(value, list)]
    return [{"path": path, **mapping(one)} for path, value in lists for one in value]


def analyser_records(
    results: Sequence[Json], stem: str, paths: PathMap
) -> tuple[list[ForeignRecord], list[str]]:
    """Return the records of the results of an analyser, whose name is that of the file if no key gives it."""
    tool = next((TOOLS[key] for result in results for key in TOOLS if key in result), stem)
    return numbered([_analyser_record(result, tool, paths) for result in results]), []


def _analyser_record(result: Json, tool: str, paths: PathMap) -> ForeignRecord:
    path_key, path = _first(result, PATHS) or ("", "")
    message_key, message = _first(result, MESSAGES) or ("", "")
    rule_key, rule = _first(result, RULES) or ("", "")
    severity_key, severity = _first(result, SEVERITIES) or ("", "")
    snippet = (
        str(result["code"]).strip("\n") if rule_key == "test_id" and result.get("code") else ""
    )
    place = TicketLocation(path=paths.here(str(path)), lines=_result_lines(result))
    read = {path_key, message_key, rule_key, severity_key, *(["code"] if snippet else [])}
    rest = {key: value for key, value in result.items() if key not in read}
    stated = str(severity).lower()
    return ForeignRecord(
        id=result_id(tool, str(rule), (place,), str(message), snippet),
        title=first_sentence(str(message)) or str(rule),
        body=f"## Detailed Description\n\n### What's Wrong\n\n{message}",
        severity=LEVELS.get(stated) or (severity_in(stated) if stated else None),
        agent=tool,
        places=(place,),
        evidence=(Evidence(code=_plain_snippet(snippet)),) if snippet else (),
        report=tool,
        section=str(rule),
        rows=(("Rule", str(rule)), *result_rows(rest)),
        words=(("severity", str(severity)),),
    )


def _result_lines(result: Json) -> str:
    """Return the lines of a result: by a key of its own, in its location, or in a range from 0."""
    for inner in (result, *(mapping(result.get(key)) for key in ("location", "start"))):
        first = _first(inner, LINES)
        if first is not None:
            end = _first(mapping(result.get("end_location") or result.get("end")), LINES)
            last = end[1] if end else result.get("endLine", result.get("end_line"))
            return line_range(first[1], last)
    start = mapping(mapping(result.get("range")).get("start")).get("line")
    return str(start + 1) if isinstance(start, int) else ""


def _plain_snippet(code: str) -> str:
    """Return code without the numbers that bandit puts in front of its lines."""
    lines = [line.split(" ", 1) for line in code.splitlines()]
    if all(line[0].isdigit() for line in lines):
        return "\n".join(line[1] if len(line) > 1 else "" for line in lines)
    return code


def _first(result: Json, keys: Sequence[str]) -> tuple[str, Any] | None:
    """Return the first key with a plain value, and the value, also inside `extra`."""
    for key in keys:
        value = result.get(key)
        if isinstance(value, (str, int)) and value != "" and not isinstance(value, bool):
            return key, value
    inner = result.get("extra")
    return _first(inner, keys) if isinstance(inner, dict) else None
