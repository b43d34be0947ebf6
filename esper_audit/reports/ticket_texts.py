"""The sections of a ticket's page that are prose, code and lists: each a function from ticket to texts."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

import msgspec

from esper_audit.claims.claim import Claim
from esper_audit.text.markdown import code, fenced, labelled, sentence, table
from esper_audit.tickets.parts import Evidence, FixOption, Step, StoredAnswer
from esper_audit.tickets.states import Status
from esper_audit.tickets.ticket import Ticket

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Words of a form that the page prints where they stood, instead of what the fields made of them.
PLACES = frozenset({"files", "lines", "symbols"})
WHY_HEADING = "why_it_matters"
NO_QUERY = frozenset({"id", "sentence", "kind", "states_defect", "expect"})


def words_in_place(ticket: Ticket) -> dict[str, str]:
    """Return the form's own words that the page prints where they stood, by field.

    Those for a place that runs refresh are no longer true of it; they stand in the appendix.
    """
    shown = {WHY_HEADING} if ticket.fingerprint else {*PLACES, WHY_HEADING}
    return {part.field: part.words for part in ticket.as_written if part.field in shown}


def description_texts(ticket: Ticket) -> list[str]:
    """Return what is wrong, why it matters, and the evidence."""
    texts = ["### What's Wrong", (ticket.description or ticket.summary).strip("\n")]
    if ticket.why_it_matters:
        heading = words_in_place(ticket).get(WHY_HEADING, "Why This Matters")
        texts += [f"### {heading}", ticket.why_it_matters.strip("\n")]
    impact = impact_texts(ticket)
    texts += ["### Impact", *impact] if impact else []
    shown = [text for evidence in ticket.evidence for text in _evidence(ticket, evidence)]
    return [*texts, "### Code Evidence", *shown] if shown else texts


def fix_texts(ticket: Ticket) -> list[str]:
    """Return the ways to repair; an option without label gets the next free letter."""
    taken = {fix.label for fix in ticket.fix}
    letters = iter(f"Option {letter}" for letter in LETTERS if f"Option {letter}" not in taken)
    texts = [text for fix in ticket.fix for text in _option(fix, letters)]
    if not texts and ticket.check:
        shown = f"`esper-audit rule {ticket.check}` shows code on which the check is quiet."
        return ["### By hand", shown]
    return texts


def verification_texts(ticket: Ticket) -> list[str]:
    """Return the boxes to tick."""
    steps = [_box(step) for step in ticket.verification]
    if ticket.check and ticket.locations:
        path = ticket.locations[0].path
        again = f"`esper-audit check {path} --select {ticket.check}` does not report it any more"
        steps.append(_box(Step(text=again, done=ticket.status is Status.FIXED)))
    return ["### How to Verify the Fix", "\n".join(steps)] if steps else []


def related_texts(ticket: Ticket) -> list[str]:
    """Return the table of other tickets."""
    rows = [[code(other.id), code(other.relation), other.note] for other in ticket.related]
    return [table(["Ticket ID", "Relationship", "Notes"], rows)] if rows else []


def resolution_texts(ticket: Ticket) -> list[str]:
    """Return how it ended, what shows it, what became of its claims, who signed.

    Evidence with headings or labels of its own stands last: nothing behind it is taken for a part of it.
    """
    end = ticket.resolution
    if end is None:
        return []
    judged = [[c.claim, c.as_written or c.verdict, c.evidence] for c in end.claims]
    facts = [
        table(["Claim", "Status", "Evidence"], judged) if judged else "",
        labelled("Sign-off", end.sign_off),
        labelled("Commits", ", ".join(map(code, end.commits))),
    ]
    shown = labelled("Evidence", end.evidence)
    is_plain = not re.search(r"^\s*(?:#|\*\*)", end.evidence, re.MULTILINE)
    status = labelled("Status", end.as_written or code(end.kind))
    return [text for text in (status, *([shown, *facts] if is_plain else [*facts, shown])) if text]


def claims_texts(ticket: Ticket) -> list[str]:
    """Return the claims with what each answered when it was last told, and the tables behind answers."""
    claims = {claim.id: claim for claim in ticket.claims}
    asked = [(claims[a.claim], a) for a in ticket.answers if a.claim in claims]
    rows = [
        [code(claim.id), claim.sentence, _asks(claim), f"**{a.answer}**", _told(a)]
        for claim, a in asked
    ]
    texts = [table(["Claim", "Sentence", "Asks", "Answer", "Evidence"], rows)] if rows else []
    for claim, answered in asked:
        if answered.table:
            cells = [[str(value) for value in row] for row in answered.table.rows]
            texts += [f"{code(claim.id)} in numbers:", table(answered.table.columns, cells)]
    return texts


def _asks(claim: Claim) -> str:
    """Return a claim's kind with its query, and what is expected of the answer."""
    query = msgspec.to_builtins(claim)
    shown = [code(claim.kind)]
    shown += [f"{key} {code(_plain(query[key]))}" for key in query if key not in NO_QUERY]
    expected = [f"expected to be {claim.expect}"] if claim.expect else []
    return ", ".join([*shown, *(["states the defect"] if claim.states_defect else expected)])


def _plain(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _told(answered: StoredAnswer) -> str:
    return " ".join([answered.evidence, *map(code, answered.places)])


def history_texts(ticket: Ticket) -> list[str]:
    """Return the table of changes."""
    rows = [[c.date, c.by, c.before or "", c.after, c.why] for c in ticket.history]
    return [table(["Date", "By", "From", "To", "Why"], rows)] if rows else []


def appendix_texts(ticket: Ticket) -> list[str]:
    """Return where the ticket came from, and the form's words that nothing above shows."""
    check = f"{code(ticket.check)} of contract {code(ticket.contract)}" if ticket.check else ""
    facts = {
        "Report file": code(ticket.report),
        "Section": ticket.section,
        "Check": check,
        "Source": ticket.source,
    }
    reference = "\n".join(labelled(name, fact) for name, fact in facts.items() if fact)
    texts = ["### Original Report Reference", reference] if reference else []
    shown = words_in_place(ticket)
    rows = [[w.field, w.where, w.words] for w in ticket.as_written if w.field not in shown]
    return [*texts, "### As Written", table(["Field", "Where", "Words"], rows)] if rows else texts


def impact_texts(ticket: Ticket) -> list[str]:
    """Return whether somebody meets the defect today, in words, and where."""
    impact = ticket.impact
    if impact is None:
        return []
    said = {
        "Used in": [f"{code(name)} ({number})" for name, number in (impact.packages or {}).items()],
        "Hit at": [code(place) for place in impact.hits],
        "Tests that name it": [code(test) for test in impact.tests],
        "Offered by": [code(module) for module in impact.exported],
    }
    lines = [f"- {what}: {', '.join(items)}" for what, items in said.items() if items]
    texts = [sentence(impact.words), "\n".join(lines)]
    return [text for text in texts if text]


def _evidence(ticket: Ticket, evidence: Evidence) -> Iterator[str]:
    if evidence.text:
        yield evidence.text.strip("\n")
    shown, place = evidence.code.strip("\n"), evidence.place
    if evidence.first_line is not None and ticket.locations:
        shown = textwrap.dedent(evidence.code)
        place = place or f"{ticket.locations[0].path}:{evidence.first_line}"
    comment = f"# {place}\n\n" if place else ""
    if shown or comment:
        yield fenced((comment + shown).rstrip("\n"), evidence.language)
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
