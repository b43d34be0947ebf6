"""A run after edits by hand in any style changes the tool's own values only."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.handwritten_tickets import PROSE, WORDS, Handwritten, handwritten
from support.sample_findings import a_finding

from esper_audit.findings.audit import Audit
from esper_audit.findings.contract import load_contracts
from esper_audit.findings.finding import Finding, Severity
from esper_audit.tickets.parts import Opinion, Related, Relation, Review
from esper_audit.tickets.store import TicketStore
from esper_audit.tickets.ticket import Ticket
from esper_audit.tickets.yaml_edit.load import compose, value_of
from esper_audit.workflow.sync import update_tickets
from esper_audit.workflow.ticket_from_finding import ticket_from_finding

CONTRACTS = load_contracts()
DAY, LATER = "2026-05-04", "2026-06-01"
OTHER = "X-2"
TOOLS = {"status", "severity", "proposed_severity", "locations", "evidence", "related", "history"}


# Slow: tickets are drawn in every style that a person may write, and each is updated.
pytestmark = pytest.mark.slow


def changed_finding(how: str) -> list[Finding]:
    """Return what a later run finds."""
    finding = a_finding()
    moved = msgspec.structs.replace(
        finding, location=msgspec.structs.replace(finding.location, line=9, end_line=11)
    )
    return {
        "nothing new": [finding],
        "it moved": [moved],
        "other code": [
            msgspec.structs.replace(finding, excerpt="if x:   \n\n  # it\n", excerpt_line=7)
        ],
        "it is gone": [],
        "it is worse": [msgspec.structs.replace(moved, severity=Severity.P1)],
    }[how]


HAPPENINGS = ["nothing new", "it moved", "other code", "it is gone", "it is worse"]


@st.composite
def tickets(draw: st.DrawFn) -> Ticket:
    """Draw a ticket of the finding with what people add to it."""
    ticket = ticket_from_finding(a_finding(), why="it hurts", date=DAY)
    reviews = st.builds(
        Review,
        reviewer=WORDS,
        verdict=st.sampled_from(Opinion),
        evaluation=PROSE,
        date=st.just(DAY),
    )
    links = [Related(id=OTHER, relation=Relation.BLOCKS, note=draw(WORDS))]
    return msgspec.structs.replace(
        ticket,
        title=draw(WORDS),
        assignee=draw(st.one_of(st.just(""), WORDS)),
        description=draw(PROSE),
        reviews=draw(st.lists(reviews, max_size=2)),
        related=links if draw(st.booleans()) else [],
        history=[*ticket.history] * draw(st.integers(1, 3)),
    )


def a_run(directory: str, findings: list[Finding]) -> list[str]:
    audit = Audit(
        root=directory,
        findings=findings,
        suppressed=[],
        not_analysed=[],
        files=1,
        checks=["unauthorised-hasattr"],
        off=[],
        checked={"model.py": frozenset({"unauthorised-hasattr"})},
    )
    store = TicketStore(directory)
    with store.exclusive():
        return update_tickets(store, audit, CONTRACTS, LATER).written


def other_ticket(links_back: bool) -> Ticket:
    ticket = ticket_from_finding(a_finding("other.py", fingerprint="f" * 16), why="", date=DAY)
    link = Related(id="EA-01234567", relation=Relation.BLOCKED_BY)
    return msgspec.structs.replace(
        ticket, id=OTHER, check="", fingerprint="", related=[link] if links_back else []
    )


@given(
    data=st.data(),
    ticket=tickets(),
    happening=st.sampled_from(HAPPENINGS),
    links_back=st.booleans(),
    defaults=st.sets(st.sampled_from(["batch", "domain", "agent", "severity_reason"])),
)
@settings(max_examples=80)
def test_a_run_touches_nothing_that_a_person_wrote(
    data: st.DataObject, ticket: Ticket, happening: str, links_back: bool, defaults: set[str]
) -> None:
    content: dict[str, Any] = {**msgspec.to_builtins(ticket), **dict.fromkeys(sorted(defaults), "")}
    written = data.draw(handwritten(content))
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, f"{ticket.id}.yaml")
        file.write_bytes(written.text.encode())
        (Path(directory) / "model.py").touch()
        store = TicketStore(directory)
        store.save(other_ticket(links_back), None)
        assert store.load()[ticket.id] == ticket
        a_run(directory, changed_finding(happening))
        after = store.load()[ticket.id]
        text = file.read_bytes().decode()
        assert a_run(directory, changed_finding(happening)) == []
    only_tool_values_differ(ticket, after)
    only_their_bytes_differ(written, text, msgspec.to_builtins(after), content)


def only_tool_values_differ(before: Ticket, after: Ticket) -> None:
    old, new = msgspec.to_builtins(before), msgspec.to_builtins(after)
    assert {key for key in {**old, **new} if old.get(key) != new.get(key)} <= TOOLS
    assert after.history[: len(before.history)] == before.history
    assert after.related[: len(before.related)] == before.related


def only_their_bytes_differ(
    written: Handwritten, text: str, after: dict[str, Any], content: dict[str, Any]
) -> None:
    """Match the text with the one before, in which only values that changed may be other ones."""
    assert set(re.findall(r"# note \d+[^\r\n]*", written.text)) == set(
        re.findall(r"# note \d+[^\r\n]*", text)
    )
    fresh = [key for key in after if key not in content]
    new_key = f"(?:(?:{'|'.join(fresh)}):(?:.*\n)+?)?" if fresh else ""
    pattern = ""
    for gap, piece in zip(written.gaps, written.pieces, strict=False):
        is_same = after.get(piece.key, content[piece.key]) == content[piece.key]
        body = re.escape(piece.text) if is_same else grown(piece.key, piece.text)
        pattern += f"{re.escape(gap)}{body}\n{new_key}"
    pattern += re.escape(written.gaps[-1])
    plain = text.replace(written.newline, "\n").removeprefix(written.mark)
    assert re.fullmatch(pattern, plain), f"{plain}\n--- was ---\n{written.text}"
    assert text.count("\r\n") == (text.count("\n") if written.newline == "\r\n" else 0)


def grown(key: str, text: str) -> str:
    """Return a pattern of an entry after a change: a list of lines only grows at its end."""
    is_lines = key in ("history", "related") and "\n" in text
    return f"{re.escape(text)}(?:\n.*)*" if is_lines else r"(?:.*\n)*?.*"


def test_the_property_sees_a_lost_space() -> None:
    written = Handwritten(pieces=[], gaps=["# note 0: kept  \n"], newline="\n", mark="")
    only_their_bytes_differ(written, written.text, {}, {})
    with pytest.raises(AssertionError):
        only_their_bytes_differ(written, "# note 0: kept\n", {}, {})


def test_handwriting_means_what_it_was_drawn_for() -> None:
    seen: list[str] = []

    @given(data=st.data(), ticket=tickets())
    @settings(max_examples=40)
    def draws(data: st.DataObject, ticket: Ticket) -> None:
        content = msgspec.to_builtins(ticket)
        text = data.draw(handwritten(content)).text
        assert value_of(compose(text)) == content
        seen.append(text)

    draws()
    together = "".join(seen)
    assert all(
        sign in together for sign in ("# note", "\r\n", ": |", ": [{", '\n"', "\ufeff", "---\n")
    )
