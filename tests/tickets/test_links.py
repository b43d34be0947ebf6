"""Links between tickets are said back by the other end, and none leads to nothing."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sample_findings import a_finding

from esper_audit.tickets.links import SAID_BACK, bad_links, in_step
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


def said(tickets: dict[str, Ticket]) -> list[tuple[str, str, Relation]]:
    return [(t.id, link.id, link.relation) for t in tickets.values() for link in t.related]


def test_tickets_in_step_stay_as_they_are() -> None:
    tickets = corpus(("A", "B", Relation.BLOCKS), ("B", "A", Relation.BLOCKED_BY))
    assert in_step(tickets) == tickets
    assert list(bad_links(tickets)) == []


@pytest.mark.parametrize("relation", Relation)
def test_a_link_is_said_back(relation: Relation) -> None:
    tickets = in_step(corpus(("A", "B", relation)))
    assert said(tickets) == [("A", "B", relation), ("B", "A", SAID_BACK[relation])]


def test_any_link_back_answers_that_two_are_related() -> None:
    tickets = corpus(("A", "B", Relation.RELATED), ("B", "A", Relation.BLOCKS))
    assert said(in_step(tickets)) == [
        ("A", "B", Relation.RELATED),
        ("A", "B", Relation.BLOCKED_BY),
        ("B", "A", Relation.BLOCKS),
    ]


@given(LINKS)
def test_in_step_takes_nothing_away_and_is_done_after_once(
    links: list[tuple[str, str, Relation]],
) -> None:
    tickets = corpus(*links)
    once = in_step(tickets)
    assert in_step(once) == once
    for name, ticket in tickets.items():
        assert once[name].related[: len(ticket.related)] == ticket.related
    for who, to, relation in said(once):
        backs = {link.relation for link in once[to].related if link.id == who}
        assert who == to or SAID_BACK[relation] in backs or (relation is Relation.RELATED and backs)


def test_what_is_wrong_with_a_link_is_named_with_its_place() -> None:
    tickets = corpus(
        ("A", "B", Relation.RELATED), ("A", "A", Relation.RELATED), ("B", "BB", Relation.BLOCKS)
    )
    problems = [(bad.ticket, bad.key, bad.problem) for bad in bad_links(tickets)]
    assert problems == [
        ("A", ("related", 1, "id"), "a ticket cannot be linked to itself"),
        ("B", ("related", 0, "id"), "no ticket is called 'BB'; did you mean 'B'?"),
    ]


def test_two_that_block_each_other_are_named() -> None:
    ways = itertools.permutations([Relation.BLOCKS, Relation.BLOCKED_BY])
    for one, other in ways:
        (bad,) = bad_links(corpus(("A", "B", one), ("A", "B", other)))
        assert bad.problem == "B both blocks this ticket and is blocked by it"
