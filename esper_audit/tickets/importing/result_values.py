"""What the results of all analysers have: an id that stays, lines, a severity, and values without field."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from esper_audit.findings.finding import Severity
from esper_audit.tickets.importing.foreign_record import safe_id
from esper_audit.tickets.markdown_import.document.inline_values import one_line
from esper_audit.tickets.parts import TicketLocation

Json: TypeAlias = Mapping[str, Any]
LEVELS = {
    "error": Severity.P2,
    "fatal": Severity.P1,
    "warning": Severity.P3,
    "note": Severity.P4,
    "none": Severity.P4,
    "convention": Severity.P4,
    "refactor": Severity.P4,
    "information": Severity.P4,
}
DIGITS = 8


def result_id(
    tool: str, rule: str, places: Sequence[TicketLocation], message: str, snippet: str
) -> str:
    """Return an id that stays when lines move: of the tool, the rule and a hash of file, message and code."""
    files = [place.path for place in places]
    content = json.dumps([rule, files, message, snippet])
    digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
    return safe_id(tool.upper(), rule, digest)


def line_range(first: object, last: object) -> str:
    """Return the lines from a first to a last one, empty without a first."""
    if not isinstance(first, int):
        return ""
    return f"{first}-{last}" if isinstance(last, int) and last > first else str(first)


def first_sentence(message: str) -> str:
    """Return the first line of a message."""
    return one_line(message.strip().partition("\n")[0])


def result_rows(properties: Json) -> Iterator[tuple[str, str]]:
    """Yield the names and texts of values without field."""
    for name, value in properties.items():
        if value not in (None, "", [], {}):
            yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def mapping(value: object) -> Json:
    """Return a value that is an object of JSON, else an empty one."""
    return value if isinstance(value, dict) else {}
