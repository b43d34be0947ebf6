"""Tickets on disk: read strictly, and updated so that every byte a person wrote stays."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from findings import a_finding

from esper_audit.errors import TicketError
from esper_audit.ticket import Ticket
from esper_audit.ticket_of_finding import from_finding
from esper_audit.ticket_store import TicketStore, read_ticket

DAY = "2026-05-04"


def stored(tmp_path: Path) -> tuple[TicketStore, Ticket, Path]:
    store = TicketStore(str(tmp_path))
    ticket = from_finding(a_finding(), why="it hurts", date=DAY)
    store.save(ticket, None)
    return store, ticket, Path(store.path(ticket.id))


def test_a_ticket_reads_back_as_it_was_written(tmp_path: Path) -> None:
    store, ticket, _ = stored(tmp_path)
    assert store.load() == {ticket.id: ticket}


def test_saving_what_has_not_changed_touches_nothing(tmp_path: Path) -> None:
    store, ticket, file = stored(tmp_path)
    before = file.stat().st_mtime_ns
    store.save(ticket, ticket)
    assert file.stat().st_mtime_ns == before


WRONG = {
    "a word that is none of them": (
        "severity: P3",
        "severity: P9",
        ":4: severity: Invalid enum value 'P9'; known: P0, P1, P2, P3, P4",
    ),
    "an unknown key": (
        "check: unauth",
        "chekc: unauth",
        ":10: chekc: unknown key; did you mean 'check'?",
    ),
    "a missing key": ("title: has", "batch: has", ":1: title: is missing"),
    "a date that is none": (
        "created: '2026-05-04'",
        "created: yesterday",
        ":6: created: Expected a date such as 2026-05-04, or nothing",
    ),
    "a number for a word": (
        "lines: '3'",
        "lines: 3",
        ":15: locations[0].lines: Expected `str`, got `int`; put it in quotes",
    ),
    "no YAML": (
        "title:",
        "title: [",
        ":2: no YAML: while parsing a flow sequence, did not find expected ',' or ']'",
    ),
    "a key twice": ("created:", "status: open\ncreated:", ":6: status: the key stands here twice"),
    "another file's id": (
        "id: EA-01234567",
        "id: EA-other",
        ":1: id: the file of ticket EA-other must be called EA-other.yaml",
    ),
    "a severity without reason": (
        "severity: P3",
        "severity: P1",
        ":4: severity: the check proposes P3; say in `severity_reason` why it is another",
    ),
    "a tag": (
        "status: open",
        "status: !!binary open",
        ":3: the tag tag:yaml.org,2002:binary is none that a ticket has",
    ),
    "a wrong word deep inside": (
        "source:",
        (
            "reviews:\n- reviewer: jo\n  verdict: endorse\n\n# the second\n- reviewer: mo\n"
            "  evaluation: |\n    verdict: none\n  verdict: maybe\nsource:"
        ),
        ":31: reviews[1].verdict: Invalid enum value 'maybe'; known: endorse, neutral, object, refine",
    ),
    "a key missing deep inside": (
        "- path: model.py\n  symbol",
        "- symbol",
        ":13: locations[0].path: is missing",
    ),
    "evidence that shows nothing": (
        "evidence:\n",
        "evidence:\n- commit: abcd123\n",
        ":19: evidence[0]: evidence needs a `text`, a `code` or a `table`",
    ),
}


@pytest.mark.parametrize(("old", "new", "says"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_ticket_is_named_with_file_line_and_key(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    _, _, file = stored(tmp_path)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(TicketError) as caught:
        read_ticket(str(file))
    assert str(caught.value).startswith(f"{file}{says}")


def test_what_a_person_wrote_stays_byte_for_byte(tmp_path: Path) -> None:
    store, _, file = stored(tmp_path)
    noted = file.read_text().replace(
        "\nseverity: P3", "\n# raised in the meeting  \nseverity:   'P3'   # for now"
    )
    noted += (
        "\n# the end\ndescription: |\n  trailing spaces   \n\n  and an indented line:\n    x = 1\n"
    )
    file.write_text(noted)
    person = read_ticket(str(file))
    moved = msgspec.structs.replace(person, locations=[*person.locations, *person.locations])
    store.save(moved, person)
    kept = [line for line in noted.splitlines() if "path:" not in line and "lines:" not in line]
    now = file.read_text().splitlines()
    assert [line for line in kept if line not in now] == []
    assert read_ticket(str(file)) == moved
    assert "severity:   'P3'   # for now" in now
