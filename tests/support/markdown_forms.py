"""Ticket forms in Markdown, whole or with a section exchanged, and the tickets that they are read as."""

from __future__ import annotations

import functools

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from esper_audit.reports.pages import SHIPPED
from esper_audit.reports.ticket_page import ticket_page
from esper_audit.tickets.decode import read_ticket_text
from esper_audit.tickets.importing.file_kinds import read_tickets
from esper_audit.tickets.markdown_import.terms.paths import PathMap
from esper_audit.tickets.markdown_import.ticket_id import DocumentOrigin
from esper_audit.tickets.ticket import Ticket
from esper_audit.tickets.yaml_edit.emit import mapping_lines

METADATA = """| Field | Value |
|-------|-------|
| **Ticket ID** | `Q7-NET-04` |
| **Severity** | `P2` |
| **Status** | `open` |
| **Batch** | 7 |
| **Agent** | `numerics` |
| **Domain** | `valve` |
| **Assignee** | |
| **Created** | 2025-03-02 |
| **Updated** | 2025-03-05 |"""
LOCATION = """| Field | Value |
|-------|-------|
| **File(s)** | `/home/ada/garden/src/garden/valve.py` |
| **Line(s)** | `12-19` |
| **Function/Class** | `Valve.open()` |"""
SUMMARY = """**One-line summary:** The valve reads the tank twice per tick.

**Category:**
- [ ] Correctness bug
- [x] Performance bottleneck
- [ ] Legacy code policy violation"""
DESCRIPTION = """### What's Wrong

Each tick asks the tank for its level two times; the second answer is thrown away.

### Why This Matters

- A tick takes twice as long
- The log shows `level` twice

### Code Evidence

```python
# /home/ada/garden/src/garden/valve.py:12-19

level = tank.level()
if tank.level() > 3:
    self.close()
```"""
FIX = """Ask once and keep the answer.

```python
level = tank.level()
if level > 3:
    self.close()
```"""
VERIFICATION = """### How to Verify the Fix

- [ ] Count the calls of `Tank.level`
- [x] Run the bench"""
RELATED = """| Ticket ID | Relationship | Notes |
|-----------|--------------|-------|
| `Q7-NET-05` | `duplicate` | The pump does the same |"""
APPENDIX = """### Original Report Reference

**Report file:** `docs/reports/q7.md`
**Section:** "Ticks" - valve.py"""
HEADINGS = {
    "metadata": "Ticket Metadata",
    "location": "Location",
    "summary": "Summary",
    "description": "Detailed Description",
    "fix": "Recommended Fix",
    "verification": "Verification",
    "related": "Related Findings",
    "appendix": "Appendix",
}
WHOLE = {
    "metadata": METADATA,
    "location": LOCATION,
    "summary": SUMMARY,
    "description": DESCRIPTION,
    "fix": FIX,
    "verification": VERIFICATION,
    "related": RELATED,
    "appendix": APPENDIX,
}


def form(*further: str, **exchanged: str) -> str:
    """Return a form with other bodies for the sections in `exchanged` (empty removes one) and `further` sections."""
    bodies = {**WHOLE, **exchanged}
    parts = [f"## {HEADINGS[name]}\n\n{body}" for name, body in bodies.items() if body]
    return "\n\n---\n\n".join(["# Finding Ticket: Tank Asked Twice", *parts, *further]) + "\n"


def row(name: str, value: str) -> str:
    """Return the metadata with an additional row."""
    return f"{METADATA}\n| **{name}** | {value} |"


def with_status(status: str) -> str:
    """Return the metadata with another status."""
    return METADATA.replace("`open`", status)


def read_all(text: str, name: str = "Q7-NET-04.md", folder: str = "") -> list[Ticket]:
    """Read a text as an import does."""
    return [form.ticket for form in read_tickets(text, DocumentOrigin(name, folder), PathMap())]


def read(text: str, name: str = "Q7-NET-04.md", folder: str = "") -> Ticket:
    """Read the one ticket of a text."""
    (ticket,) = read_all(text, name, folder)
    return ticket


def contradictions(text: str, folder: str = "") -> list[str]:
    """Return the contradictions in the one ticket of a text."""
    (form,) = read_tickets(text, DocumentOrigin("Q7-NET-04.md", folder), PathMap())
    return form.contradictions


def yaml_of(ticket: Ticket) -> str:
    """Return the file of a ticket; it reads back as the same record."""
    text = "\n".join(mapping_lines(msgspec.to_builtins(ticket))) + "\n"
    assert read_ticket_text(text).ticket == ticket
    return text


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader([SHIPPED]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def page_of(ticket: Ticket) -> str:
    """Return the page of a ticket."""
    template = _environment().get_template("ticket.md")
    return template.render(ticket=ticket, page=ticket_page(ticket)).rstrip("\n") + "\n"


def assert_stays(ticket: Ticket) -> None:
    """Assert that importing the page of a ticket gives the same file."""
    again = read(page_of(ticket), f"{ticket.id}.md")
    assert yaml_of(again) == yaml_of(ticket)
