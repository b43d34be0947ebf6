"""Documents filled in oddly, or in another form, are read; nothing in them is lost, and their pages stay."""

from __future__ import annotations

import pytest
from support.irregular_documents import LOCATIONS, NO_TICKETS, WHOLE
from support.markdown_forms import assert_stays, form, read

from esper_audit.findings.errors import TicketError
from esper_audit.tickets.markdown_import.completeness import unaccounted


@pytest.mark.parametrize("name", WHOLE)
def test_a_document_of_the_family_is_read(name: str) -> None:
    assert read(WHOLE[name]).id in ("Q7-NET-04", "BUG-12")


@pytest.mark.parametrize("name", WHOLE)
def test_nothing_of_a_document_is_lost(name: str) -> None:
    assert unaccounted(WHOLE[name], [read(WHOLE[name])]) == []


@pytest.mark.parametrize("name", WHOLE)
def test_a_document_stays_when_its_page_is_read(name: str) -> None:
    assert_stays(read(WHOLE[name]))


@pytest.mark.parametrize("name", LOCATIONS)
def test_places_are_found_in_every_layout(name: str) -> None:
    text, expected = LOCATIONS[name]
    ticket = read(form(location=text))
    assert [(place.path, place.symbol, place.lines) for place in ticket.locations] == expected


@pytest.mark.parametrize("name", LOCATIONS)
def test_words_of_places_are_kept_and_stay(name: str) -> None:
    text = form(location=LOCATIONS[name][0])
    ticket = read(text)
    assert unaccounted(text, [ticket]) == []
    assert_stays(ticket)


@pytest.mark.parametrize("name", NO_TICKETS)
def test_a_document_that_is_no_ticket_is_refused_with_what_is_missing(name: str) -> None:
    with pytest.raises(TicketError, match="no ticket: "):
        read(NO_TICKETS[name], name="about.md")
