"""Documents with odd values, or in another form, are read without losing a word."""

from __future__ import annotations

import pytest
from support.irregular_documents import LOCATIONS, NO_TICKETS, WHOLE
from support.markdown_forms import assert_stays, form, read

from esper_audit.findings.errors import TicketError
from esper_audit.tickets.markdown_import.completeness import missing_text


@pytest.mark.parametrize("name", WHOLE)
def test_a_document_of_the_family_is_read(name: str) -> None:
    assert read(WHOLE[name]).id in ("Q7-NET-04", "BUG-12")


@pytest.mark.parametrize("name", WHOLE)
def test_nothing_of_a_document_is_lost(name: str) -> None:
    assert missing_text(WHOLE[name], [read(WHOLE[name])]) == []


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
    assert missing_text(text, [ticket]) == []
    assert_stays(ticket)


@pytest.mark.parametrize("name", NO_TICKETS)
def test_another_document_is_refused_with_the_missing_parts(name: str) -> None:
    with pytest.raises(TicketError, match="not a ticket: "):
        read(NO_TICKETS[name], name="about.md")
