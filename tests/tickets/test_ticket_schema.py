"""The published schema and the reader accept the same tickets and refuse the same ones."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.handwritten_tickets import filled_ticket

from esper_audit.findings.errors import TicketError
from esper_audit.tickets.decode import read_ticket_text
from esper_audit.tickets.ticket import Ticket, ticket_schema
from esper_audit.tickets.yaml_edit.emit import mapping_lines
from esper_audit.tickets.yaml_edit.load import compose, value_of

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads(json.dumps(ticket_schema()))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
FILES = sorted((ROOT / "tickets").glob("*.yaml"))


def text_of(content: dict[str, Any]) -> str:
    return "\n".join(mapping_lines(content)) + "\n"


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_ticket_here_keeps_the_schema(file: Path) -> None:
    VALIDATOR.validate(value_of(compose(file.read_text(encoding="utf-8"))))


# Each is filled and read in the tests of what it belongs to.
FILLED_ELSEWHERE = {"impact", "claims", "answers", "likeness"}


def test_a_ticket_with_every_field_keeps_the_schema() -> None:
    content = msgspec.to_builtins(filled_ticket())
    fields = {field.name for field in msgspec.structs.fields(Ticket)}
    assert content.keys() - FILLED_ELSEWHERE == fields - FILLED_ELSEWHERE
    VALIDATOR.validate(content)
    assert read_ticket_text(text_of(content)).ticket == filled_ticket()


BROKEN = st.sampled_from(
    ["x", "", 3, None, True, [], {}, ["x"], {"x": 1}, [{"id": 1}], [{"x": "y"}]]
)


# A schema cannot express that a severity other than the proposed one needs a reason.
KEYS = [f.name for f in msgspec.structs.fields(Ticket) if "severity" not in f.name]


@given(key=st.sampled_from(KEYS), value=BROKEN)
def test_what_the_schema_refuses_the_reader_refuses_too(key: str, value: Any) -> None:
    content = {**msgspec.to_builtins(filled_ticket()), key: value}
    if VALIDATOR.is_valid(content):
        read = read_ticket_text(text_of(content)).ticket
        assert read == msgspec.convert(content, Ticket)
    else:
        with pytest.raises(TicketError):
            read_ticket_text(text_of(content))


def test_an_unknown_key_is_refused_at_every_depth() -> None:
    content = msgspec.to_builtins(filled_ticket())
    parts = [part for value in content.values() if isinstance(value, list) for part in value]
    for part in [content, content["resolution"], *(p for p in parts if isinstance(p, dict))]:
        part["surprise"] = 1
        assert not VALIDATOR.is_valid(content)
        del part["surprise"]
    assert VALIDATOR.is_valid(content)


def test_every_field_is_documented() -> None:
    page = (ROOT / "docs" / "tickets.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    fields = {field.name for field in msgspec.structs.fields(Ticket)}
    assert sorted(fields - documented) == []
