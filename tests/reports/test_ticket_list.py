"""A list of tickets shows the place of each, and equal ones together, at any width."""

from __future__ import annotations

import msgspec
import pytest

from esper_audit.findings.finding import Category, Severity
from esper_audit.reports.ticket_list import styled_list
from esper_audit.tickets.parts import TicketLocation
from esper_audit.tickets.states import Status
from esper_audit.tickets.ticket import Ticket

LONG = "package/with/a/long/path/to/the/file/that/holds/it.py"


def a_ticket(number: int, title: str, path: str = "a.py", check: str = "silent-except") -> Ticket:
    return Ticket(
        id=f"EA-{number}",
        title=title,
        severity=Severity.P3,
        status=Status.OPEN,
        created="2026-06-15",
        categories=[Category.CORRECTNESS],
        locations=[TicketLocation(path=path, symbol="f", lines=f"{number}-{number + 2}")],
        summary="A finding.",
        check=check,
    )


def lines(*tickets: Ticket, width: int = 80) -> list[str]:
    return "".join(part.text for part in styled_list(tickets, 0, width)).splitlines()


def test_a_line_has_id_severity_status_place_and_title() -> None:
    assert lines(a_ticket(7, "it is broken")) == [
        "EA-7 P3 open a.py:7 it is broken",
        "1 ticket: 1 open (active: 1 P3)",
    ]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_line_is_never_wider_than_the_screen(width: int) -> None:
    shown = lines(a_ticket(7, "it is broken " * 20, LONG), a_ticket(8, "short"), width=width)
    assert max(map(len, shown)) <= width
    assert "it.py:7" in shown[0]
    assert "it is broken" in shown[0]


@pytest.mark.parametrize("width", [60, 80])
def test_long_ids_leave_place_and_title_a_line_of_their_own(width: int) -> None:
    named = msgspec.structs.replace(a_ticket(7, "it is broken " * 20, LONG), id="E" * 44)
    shown = lines(named, a_ticket(8, "short"), width=width)
    assert max(map(len, shown)) <= width
    assert shown[0] == f"{named.id} P3 open"
    assert "it.py:7 it is broken" in shown[1]


def test_equal_tickets_of_a_check_share_a_line() -> None:
    shown = lines(*(a_ticket(number, "same", f"m{number}.py") for number in range(1, 4)))
    assert shown[0].endswith("m1.py:1 same")
    assert shown[1] == "  and 2 equal: EA-2 m2.py:2, EA-3 m3.py:3"
    assert shown[2].startswith("3 tickets: ")


def test_tickets_that_people_opened_are_never_taken_for_equal() -> None:
    assert len(lines(a_ticket(1, "same", check=""), a_ticket(2, "same", check=""))) == 3


def test_tickets_of_two_severities_are_not_equal() -> None:
    other = a_ticket(2, "same", check="another-check")
    assert len(lines(a_ticket(1, "same"), other)) == 3
