"""Each link between tickets gets its inverse, and none leads to a missing ticket."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sample_findings import a_finding

from esper_audit.tickets.links import INVERSE_RELATIONS, bad_links, complete_links
from esper_audit.tickets.parts import Related, Relation
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.ticket_from_finding import ticket_from_finding

IDS = ["A", "B", "C"]
LINKS = st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(IDS), st.sampled_from(Relation)))


def corpus(*links: tuple[str, str, Relation]) -> dict[str, Ticket]:
    blank = ticket_from_finding(a_finding(), why="it hurts", date="2026-05-04")
    return {
        name: msgspec.structs.replace(
            blank,
            id=name,
            related=[Related(id=to, relation=how) for who, to, how in links if who == name],
        )
        for name in IDS
    }


def triples(tickets: dict[str, Ticket]) -> list[tuple[str, str, Relation]]:
    return [(t.id, link.id, link.relation) for t in tickets.values() for link in t.related]


def test_complete_links_stay_as_they_are() -> None:
    tickets = corpus(("A", "B", Relation.BLOCKS), ("B", "A", Relation.BLOCKED_BY))
    assert complete_links(tickets) == tickets
    assert list(bad_links(tickets)) == []


@pytest.mark.parametrize("relation", Relation)
def test_a_link_gets_its_inverse(relation: Relation) -> None:
    tickets = complete_links(corpus(("A", "B", relation)))
    assert triples(tickets) == [("A", "B", relation), ("B", "A", INVERSE_RELATIONS[relation])]


def test_any_link_back_is_enough_for_related_tickets() -> None:
    tickets = corpus(("A", "B", Relation.RELATED), ("B", "A", Relation.BLOCKS))
    assert triples(complete_links(tickets)) == [
        ("A", "B", Relation.RELATED),
        ("A", "B", Relation.BLOCKED_BY),
        ("B", "A", Relation.BLOCKS),
    ]


@given(LINKS)
def test_completing_links_removes_none_and_is_idempotent(
    links: list[tuple[str, str, Relation]],
) -> None:
    tickets = corpus(*links)
    once = complete_links(tickets)
    assert complete_links(once) == once
    for name, ticket in tickets.items():
        assert once[name].related[: len(ticket.related)] == ticket.related
    for who, to, relation in triples(once):
        backs = {link.relation for link in once[to].related if link.id == who}
        assert (
            who == to
            or INVERSE_RELATIONS[relation] in backs
            or (relation is Relation.RELATED and backs)
        )


def test_an_invalid_link_is_named_with_its_place() -> None:
    tickets = corpus(
        ("A", "B", Relation.RELATED), ("A", "A", Relation.RELATED), ("B", "BB", Relation.BLOCKS)
    )
    problems = [(bad.ticket, bad.key, bad.problem) for bad in bad_links(tickets)]
    assert problems == [
        ("A", ("related", 1, "id"), "a ticket cannot be linked to itself"),
        ("B", ("related", 0, "id"), "there is no ticket 'BB'; did you mean 'B'?"),
    ]


def test_two_that_block_each_other_are_named() -> None:
    ways = itertools.permutations([Relation.BLOCKS, Relation.BLOCKED_BY])
    for one, other in ways:
        (bad,) = bad_links(corpus(("A", "B", one), ("A", "B", other)))
        assert bad.problem == "B both blocks this ticket and is blocked by it"
