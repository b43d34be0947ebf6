"""The JSON Schema of a ticket, for editors and other tools; made from the record itself."""

from __future__ import annotations

from typing import Any

import msgspec

from esper_audit.ticket import Ticket

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def ticket_schema() -> dict[str, Any]:
    """Return the schema that every ticket file keeps."""
    schema = msgspec.json.schema(Ticket)
    return {"$schema": DIALECT, "title": "esper-audit ticket", **schema}
