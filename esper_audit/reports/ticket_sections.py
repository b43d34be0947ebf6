"""The sections of a ticket's page that are prose, code, tables and lists."""

from __future__ import annotations

import functools
import re
import textwrap
from collections.abc import Iterator, Mapping

import msgspec

from esper_audit.claims.claim import Claim
from esper_audit.claims.reply import Answer
from esper_audit.findings.contract import Contract, load_contracts
from esper_audit.reports.repair import repair_texts
from esper_audit.text.markdown import code, fenced, inline_code, labelled, sentence, table
from esper_audit.tickets.assessment import expected_answers
from esper_audit.tickets.parts import Evidence, FixOption, Step, StoredAnswer
from esper_audit.tickets.states import Status
from esper_audit.tickets.ticket import Ticket

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Fields whose original words the page prints instead of the parsed values.
PLACES = frozenset({"files", "lines", "symbols"})
WHY_HEADING = "why_it_matters"
NOT_PART_OF_QUERY = frozenset({"id", "sentence", "kind", "states_defect", "expect"})


def original_words(ticket: Ticket) -> dict[str, str]:
    """Return the original words of a form that the page prints in place of the values, by field.

    The words for a place that runs update may be outdated; they are printed in the appendix instead.
    """
    shown = {WHY_HEADING} if ticket.fingerprint else {*PLACES, WHY_HEADING}
    return {part.field: part.words for part in ticket.as_written if part.field in shown}


def description_texts(ticket: Ticket) -> list[str]:
    """Return the description, its reasons, the impact and the evidence."""
    texts = ["### What's Wrong", _what_is_wrong(ticket)]
    if ticket.why_it_matters:
        heading = original_words(ticket).get(WHY_HEADING, "Why This Matters")
        texts += [f"### {heading}", ticket.why_it_matters.strip("\n")]
    impact = impact_texts(ticket)
    texts += ["### Impact", *impact] if impact else []
    shown = [text for evidence in ticket.evidence for text in _evidence(ticket, evidence)]
    return [*texts, "### Code Evidence", *shown] if shown else texts


def _what_is_wrong(ticket: Ticket) -> str:
    """Return the description, of a ticket that a run wrote else the contract that is broken and where."""
    if ticket.description or not (ticket.check and ticket.contract and ticket.locations):
        return (ticket.description or ticket.summary).strip("\n")
    place = ticket.locations[0]
    where = f"{place.path}:{place.symbol}" if place.symbol else place.path
    known = _shipped_contracts().get(ticket.contract)
    stated = f": {known.statement}" if known else "."
    return f"{inline_code(where)} breaks the contract {inline_code(ticket.contract)}{stated}"


@functools.cache
def _shipped_contracts() -> Mapping[str, Contract]:
    return load_contracts()


def fix_texts(ticket: Ticket) -> list[str]:
    """Return the options for a fix.

    An option without label gets the next free letter.
    """
    taken = {fix.label for fix in ticket.fix}
    letters = iter(f"Option {letter}" for letter in LETTERS if f"Option {letter}" not in taken)
    texts = [text for fix in ticket.fix for text in _option(fix, letters)]
    return texts if texts or not ticket.check else ["### By hand", *repair_texts(ticket)]


def verification_texts(ticket: Ticket) -> list[str]:
    """Return the verification steps as a checklist."""
    steps = [_box(step) for step in ticket.verification]
    if ticket.check and ticket.locations:
        path = ticket.locations[0].path
        check = f"`esper-audit check {path} --select {ticket.check}` does not report it any more"
        steps.append(_box(Step(text=check, done=ticket.status is Status.FIXED)))
    return ["### How to Verify the Fix", "\n".join(steps)] if steps else []


def related_texts(ticket: Ticket) -> list[str]:
    """Return the table of related tickets."""
    rows = [[code(other.id), code(other.relation), other.note] for other in ticket.related]
    return [table(["Ticket ID", "Relationship", "Notes"], rows)] if rows else []


def resolution_texts(ticket: Ticket) -> list[str]:
    """Return the kind, evidence, claims, sign-off and commits of the resolution.

    Evidence with headings or labels of its own comes last, so that an import of the page does not read
    what follows as a part of it.
    """
    resolution = ticket.resolution
    if resolution is None:
        return []
    judged = [[c.claim, c.as_written or c.verdict, c.evidence] for c in resolution.claims]
    facts = [
        table(["Claim", "Status", "Evidence"], judged) if judged else "",
        labelled("Sign-off", resolution.sign_off),
        labelled("Commits", ", ".join(map(code, resolution.commits))),
    ]
    evidence = labelled("Evidence", resolution.evidence)
    is_plain = not re.search(r"^\s*(?:#|\*\*)", resolution.evidence, re.MULTILINE)
    until = f", accepted until {resolution.until}" if resolution.until else ""
    status = labelled("Status", (resolution.as_written or code(resolution.kind)) + until)
    return [
        text for text in (status, *([evidence, *facts] if is_plain else [*facts, evidence])) if text
    ]


def claims_texts(ticket: Ticket) -> list[str]:
    """Return the table of claims with their last answers, and the tables of evidence."""
    claims = {claim.id: claim for claim in ticket.claims}
    answered = [(claims[a.claim], a) for a in ticket.answers if a.claim in claims]
    rows = [
        [
            code(claim.id),
            claim.sentence,
            _query(claim),
            _answer(ticket, claim, a),
            _evidence_cell(a),
        ]
        for claim, a in answered
    ]
    texts = [table(["Claim", "Sentence", "Query", "Answer", "Evidence"], rows)] if rows else []
    for claim, answer in answered:
        if answer.table:
            cells = [[str(value) for value in row] for row in answer.table.rows]
            texts += [f"{code(claim.id)} in numbers:", table(answer.table.columns, cells)]
    return texts


def _answer(ticket: Ticket, claim: Claim, stored: StoredAnswer) -> str:
    """Return an answer in bold where it is not the one that the ticket expects."""
    expected = expected_answers(claim, ticket.status)
    if stored.answer in expected:
        return "holds" if stored.answer is Answer.HOLDS else f"{stored.answer}, as expected"
    wanted = " or ".join(answer for answer in Answer if answer in expected)
    return f"**{stored.answer}**, expected {wanted}"


def _query(claim: Claim) -> str:
    """Return the kind and the query of a claim, and the answer that is expected."""
    query = msgspec.to_builtins(claim)
    shown = [code(claim.kind)]
    shown += [f"{key} {code(_plain(query[key]))}" for key in query if key not in NOT_PART_OF_QUERY]
    expected = [f"expected to be {claim.expect}"] if claim.expect else []
    return ", ".join([*shown, *(["states the defect"] if claim.states_defect else expected)])


def _plain(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _evidence_cell(answer: StoredAnswer) -> str:
    return " ".join([answer.evidence, *map(code, answer.places)])


def history_texts(ticket: Ticket) -> list[str]:
    """Return the table of changes of status and severity."""
    rows = [[c.date, c.by, c.before or "", c.after, c.why] for c in ticket.history]
    return [table(["Date", "By", "From", "To", "Why"], rows)] if rows else []


def appendix_texts(ticket: Ticket) -> list[str]:
    """Return the source of the ticket, and the original words that no other section shows."""
    check = f"{code(ticket.check)} of contract {code(ticket.contract)}" if ticket.check else ""
    facts = {
        "Report file": inline_code(ticket.report),
        "Section": ticket.section,
        "Check": check,
        "Source": ticket.source,
    }
    reference = "\n".join(labelled(name, fact) for name, fact in facts.items() if fact)
    texts = ["### Original Report Reference", reference] if reference else []
    printed = original_words(ticket)
    rows = [[w.field, w.where, w.words] for w in ticket.as_written if w.field not in printed]
    return [*texts, "### As Written", table(["Field", "Where", "Words"], rows)] if rows else texts


def impact_texts(ticket: Ticket) -> list[str]:
    """Return which code meets the defect, as a sentence and as lists of places."""
    impact = ticket.impact
    if impact is None:
        return []
    places = {
        "Used in": [f"{code(name)} ({number})" for name, number in (impact.packages or {}).items()],
        "Hit at": [code(place) for place in impact.hits],
        "Tests that name it": [code(test) for test in impact.tests],
        "Exported by": [code(module) for module in impact.exported],
    }
    lines = [f"- {heading}: {', '.join(items)}" for heading, items in places.items() if items]
    texts = [sentence(impact.words), "\n".join(lines)]
    return [text for text in texts if text]


def _evidence(ticket: Ticket, evidence: Evidence) -> Iterator[str]:
    if evidence.text:
        yield evidence.text.strip("\n")
    excerpt, place = evidence.code.strip("\n"), evidence.place
    if evidence.first_line is not None and ticket.locations:
        excerpt = textwrap.dedent(evidence.code)
        place = place or f"{ticket.locations[0].path}:{evidence.first_line}"
    comment = f"# {place}\n\n" if place else ""
    if excerpt or comment:
        yield fenced((comment + excerpt).rstrip("\n"), evidence.language)
    if evidence.table:
        rows = [[str(value) for value in row] for row in evidence.table.rows]
        yield table(evidence.table.columns, rows)
    if evidence.commit:
        yield f"Taken at commit {code(evidence.commit)}."


def _option(fix: FixOption, letters: Iterator[str]) -> Iterator[str]:
    label = fix.label or (next(letters, "Option") if fix.option else "")
    heading = ": ".join(filter(None, [label, fix.option]))
    if heading:
        yield f"### {heading}"
    if fix.text:
        yield fix.text.strip("\n")
    if fix.diff:
        is_diff = all(line[:1] in ("+", "-", " ", "") for line in fix.diff.split("\n"))
        yield fenced(fix.diff, "diff" if is_diff else "python")


def _box(step: Step) -> str:
    mark = "x" if step.done else " "
    shown = [code(step.test), f"claim {code(step.claim)}" if step.claim else ""]
    by = f" ({', '.join(filter(None, shown))})" if any(shown) else ""
    return f"- [{mark}] " + textwrap.indent(step.text.strip("\n") + by, "  ").lstrip()
