"""Tickets on disk: read strictly, and updated so that every byte a person wrote stays."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from findings import a_finding
from hypothesis import given
from hypothesis import strategies as st

from esper_audit.errors import TicketError
from esper_audit.ticket import Severity, Ticket
from esper_audit.ticket_of_finding import from_finding
from esper_audit.ticket_store import TicketStore, read_ticket, spliced

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


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("severity: P3", "severity: P9", r":4: Invalid enum value 'P9' - at `\$.severity`"),
        (
            "severity: P3",
            "severty: P3",
            "unknown field `severty`|missing required field `severity`",
        ),
        ("check: unauth", "chekc: unauth", r":\d+: Object contains unknown field `chekc`"),
        ("created: '2026-05-04'", "created: yesterday", r":6: .*at `\$.created`"),
        ("title:", "title: [", "title|expected|flow"),
        ("id: EA-01234567", "id: EA-other", "must be called EA-other.yaml"),
    ],
)
def test_a_wrong_ticket_is_named_with_file_line_and_key(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    _, _, file = stored(tmp_path)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(TicketError, match=says) as caught:
        read_ticket(str(file))
    assert str(file) in str(caught.value)


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


TEXTS = st.text(alphabet="ab:#'\" -\t", max_size=12)


@given(comment=TEXTS, spaces=st.integers(0, 3), severity=st.sampled_from(list(Severity)))
def test_splicing_changes_only_the_lines_of_its_keys(
    comment: str, spaces: int, severity: Severity
) -> None:
    text = (
        f"# {comment}\nid: X-1\nseverity: P3{' ' * spaces}\n# {comment}\n\n"
        f"summary: |\n  {comment}{' ' * spaces}x\n# last {comment}\n"
    )
    result = spliced(text, {"severity": str(severity)})
    expected = text.replace(f"severity: P3{' ' * spaces}\n", f"severity: {severity}\n")
    assert result == expected


def test_splicing_keeps_windows_line_ends() -> None:
    result = spliced("id: X\r\nseverity: P3\r\ntitle: t\r\n", {"severity": "P1"})
    assert result == "id: X\r\nseverity: P1\r\ntitle: t\r\n"


def test_splicing_adds_a_key_at_the_end_and_takes_one_out() -> None:
    assert spliced("id: X\nbatch: '2'\n", {"batch": None, "agent": "drl"}) == "id: X\nagent: drl\n"
    assert spliced("id: X", {"agent": "drl"}) == "id: X\nagent: drl\n"
