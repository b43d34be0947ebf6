"""The fields of the head: severity, dates and free text, with the words that say more than they can."""

from __future__ import annotations

import msgspec

from esper_audit.finding import Severity
from esper_audit.markdown_import.metadata import Metadata
from esper_audit.markdown_import.severities import LEVEL, severity_in
from esper_audit.markdown_import.values import bare, date_in, one_line
from esper_audit.ticket_parts import AsWritten

NOT_STATED = "the document states none"
NOT_STATED_MEANS = Severity.P3
FREE = ("batch", "agent", "domain", "assignee")
DATES = ("created", "updated")


class Head(msgspec.Struct, frozen=True):
    """Fields of the head by name, and the words beyond them."""

    severity: Severity
    severity_reason: str
    free: dict[str, str]
    dates: dict[str, str]
    as_written: list[AsWritten]


def read_head(metadata: Metadata) -> Head:
    """Return the fields; a severity that nobody states is P3, and the reason says so."""
    impact = metadata.other.get("impact", "")
    said = metadata.get("severity") or (impact if LEVEL.match(bare(impact)) else "")
    severity = severity_in(said)
    written = []
    if said and (severity is None or bare(said) != severity.value):
        written.append(AsWritten(field="severity", where="head", words=one_line(said)))
    dates = {}
    for name in DATES:
        text = metadata.own.get(name, "") or metadata.other.get(name, "")
        dates[name] = date_in(text)
        if text and bare(text) != dates[name]:
            written.append(AsWritten(field=name, where="head", words=one_line(text)))
    reason = metadata.own.get("severity_reason", "") or ("" if severity else NOT_STATED)
    free = {name: bare(metadata.get(name)) for name in FREE}
    return Head(severity or NOT_STATED_MEANS, one_line(reason), free, dates, written)
