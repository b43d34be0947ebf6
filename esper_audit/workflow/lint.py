"""The lints of all tickets together: contradictions, dangling links, unknown quotes and commits.

Each lint is a function from the tickets to problems; its docstring is its description on the command
line; the table `LINTS` gives it its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from esper_audit.claims.context import TreeTexts
from esper_audit.claims.kinds.quote import answer
from esper_audit.claims.records import QuoteClaim
from esper_audit.claims.reply import Answer, Reply
from esper_audit.tickets.links import INVERSE_RELATIONS, bad_links
from esper_audit.tickets.markdown_import.document.inline_values import without_markup
from esper_audit.tickets.markdown_import.terms.severities import revised_severities, severity_in
from esper_audit.tickets.markdown_import.terms.statuses import (
    StatusPlace,
    decide_status,
    read_status,
)
from esper_audit.tickets.parts import Relation
from esper_audit.tickets.quotes import Key
from esper_audit.tickets.states import ACTIVE, RESOLVED, STATUS_OF, Status
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.implied_claims import quotations

TICKED = re.compile(r"^\s*(?:[-*+]|\d+[.)]) \[[xX✓✔]\]", re.MULTILINE)
ENDED = re.compile(r"\*\*(?:Resolved|Closed|Fixed|Date)(?: on)?:\*\*\s*(\d{4}-\d{2}-\d{2})")


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a ticket, and the path of keys to the value that is wrong."""

    ticket: str
    key: Key
    text: str


class LintInput:
    """All tickets, the texts of the project that they quote, and a predicate for known commits.

    `absent` contains the quoted files that are missing, of which no other file has the code.
    """

    def __init__(
        self, tickets: Mapping[str, Ticket], texts: TreeTexts, has_commit: Callable[[str], bool]
    ) -> None:
        self.tickets = tickets
        self.has_commit = has_commit
        self.absent: set[str] = set()
        self._texts = texts
        self._quotations: dict[str, list[tuple[Key, Reply]]] = {}

    def __iter__(self) -> Iterator[Ticket]:
        """Iterate over the tickets by id."""
        return iter(self.tickets.values())

    def quotations(self, ticket: Ticket) -> list[tuple[Key, Reply]]:
        """Return the answers to the quotations of a ticket, those that `ticket verify` gives."""
        if ticket.id not in self._quotations:
            found = [(key, self._answer(claim)) for key, claim in quotations(ticket)]
            self._quotations[ticket.id] = [(key, reply) for key, reply in found if reply]
        return self._quotations[ticket.id]

    def _answer(self, claim: QuoteClaim) -> Reply | None:
        """Return the answer to a quotation, None if the file and its code are not in the project."""
        reply = answer(claim, self._texts)
        if self._texts.text(claim.path) is None and not reply.places:
            self.absent.add(claim.path)
            return None
        return reply


Lint = Callable[[LintInput], Iterator[Problem]]


def contradictory_status(corpus: LintInput) -> Iterator[Problem]:
    """The head, the resolution, the folder or the closing notes of a ticket give different statuses."""
    for ticket in corpus:
        texts = [
            (StatusPlace.FOLDER if words.where == "folder" else StatusPlace.HEAD, words.words)
            for words in ticket.as_written
            if words.field == "status"
        ]
        texts += [(StatusPlace.ROW, p.text) for p in ticket.extra if p.row.lower() == "resolution"]
        resolution = ticket.resolution
        if resolution is not None and len(ticket.history) < 2:  # unchanged since its import
            texts.append((StatusPlace.RESOLUTION, resolution.as_written or resolution.kind.value))
        own = (StatusPlace.HEAD, ticket.status.value)
        statements = [found for place, text in [own, *texts] if (found := read_status(place, text))]
        if decide_status(statements, None).contradiction:
            others = ", ".join(f"{place}: {without_markup(text)}" for place, text in texts)
            yield Problem(ticket.id, ("status",), f"status is {ticket.status} ({others})")


def contradictory_severity(corpus: LintInput) -> Iterator[Problem]:
    """The head of the document or the resolution gives another severity."""
    for ticket in corpus:
        words = [word for word in ticket.as_written if word.field == "severity"]
        texts = [(w.where or "document", w.words, severity_in(w.words)) for w in words]
        evidence = ticket.resolution.evidence if ticket.resolution else ""
        revised = revised_severities(evidence, "resolution")
        texts += [(one.where, one.text, one.severity) for one in revised]
        for where, text, severity in texts:
            if severity is not None and severity is not ticket.severity:
                message = f"severity is {ticket.severity} ({where}: {text})"
                yield Problem(ticket.id, ("severity",), message)


def dangling_link(corpus: LintInput) -> Iterator[Problem]:
    """A related ticket does not exist, is the ticket itself, or both blocks and is blocked by it."""
    for link in bad_links(corpus.tickets):
        yield Problem(link.ticket, link.key, link.problem)


def duplicate_id(corpus: LintInput) -> Iterator[Problem]:
    """Two ids differ only in case, so that some file systems cannot hold both files."""
    by_lower_case: dict[str, str] = {}
    for ticket in corpus:
        other = by_lower_case.setdefault(ticket.id.lower(), ticket.id)
        if other != ticket.id:
            yield Problem(ticket.id, ("id",), f"differs from {other} only in case")


def asymmetric_link(corpus: LintInput) -> Iterator[Problem]:
    """A ticket links to another ticket that has no matching link back."""
    for ticket in corpus:
        for position, link in enumerate(ticket.related):
            other = corpus.tickets.get(link.id)
            if other is None or other.id == ticket.id:
                continue
            back = [one.relation for one in other.related if one.id == ticket.id]
            expected = INVERSE_RELATIONS[link.relation]
            if expected not in back and not (back and link.relation is Relation.RELATED):
                text = (
                    f"{link.relation} {other.id}, but the link back is wrong "
                    f"(got {' and '.join(back) or 'none'}, expected {expected})"
                )
                yield Problem(ticket.id, ("related", position), text)


def opposite_duplicates(corpus: LintInput) -> Iterator[Problem]:
    """Two tickets are duplicates of each other, but have different resolutions."""
    for ticket in corpus:
        for position, link in enumerate(ticket.related):
            other = corpus.tickets.get(link.id)
            if other is None or link.relation is not Relation.DUPLICATE or other.id < ticket.id:
                continue
            ends = {ticket.status, other.status} & (RESOLVED - {Status.DUPLICATE})
            if len(ends) > 1:
                text = f"status is {ticket.status}, but its duplicate {other.id} is {other.status}"
                yield Problem(ticket.id, ("related", position), text)


def quote_not_found(corpus: LintInput) -> Iterator[Problem]:
    """A ticket quotes code that the quoted file of this project does not contain."""
    yield from _quotations_with(corpus, Answer.REFUTED)


def quote_moved(corpus: LintInput) -> Iterator[Problem]:
    """A ticket quotes code that is on other lines or in another file, or between whose lines others are."""
    yield from _quotations_with(corpus, Answer.STALE)


def _quotations_with(corpus: LintInput, wanted: Answer) -> Iterator[Problem]:
    for ticket in corpus:
        for key, reply in corpus.quotations(ticket):
            if reply.answer is wanted:
                yield Problem(ticket.id, key, reply.evidence)


def unknown_commit(corpus: LintInput) -> Iterator[Problem]:
    """A resolution names a commit that does not exist in this repository."""
    for ticket in corpus:
        commits = ticket.resolution.commits if ticket.resolution else []
        for position, commit in enumerate(commits):
            if not corpus.has_commit(commit):
                text = f"unknown commit {commit} in this repository"
                yield Problem(ticket.id, ("resolution", "commits", position), text)


def dates_out_of_order(corpus: LintInput) -> Iterator[Problem]:
    """A date of a ticket is before its creation, or its history is not in order."""
    for ticket in corpus:
        ended = ENDED.search(ticket.resolution.evidence) if ticket.resolution else None
        later: list[tuple[str, Key]] = [(ticket.updated, ("updated",))]
        later += [(r.date, ("reviews", n, "date")) for n, r in enumerate(ticket.reviews)]
        later += [(ended[1], ("resolution", "evidence"))] if ended else []
        later += [(c.date, ("history", n, "date")) for n, c in enumerate(ticket.history)]
        for date, key in later:
            if ticket.created and date and date < ticket.created:
                yield Problem(ticket.id, key, f"{date} is before the creation on {ticket.created}")
        for number, (one, other) in enumerate(
            zip(ticket.history, ticket.history[1:], strict=False), 1
        ):
            if other.date < one.date:
                text = f"{other.date} is listed after {one.date}"
                yield Problem(ticket.id, ("history", number, "date"), text)


def review_without_reviewer(corpus: LintInput) -> Iterator[Problem]:
    """A review names no reviewer."""
    for ticket in corpus:
        for position, review in enumerate(ticket.reviews):
            if not review.reviewer.strip():
                text = f"no reviewer is named for the verdict {review.verdict}"
                yield Problem(ticket.id, ("reviews", position), text)


def resolved_without_evidence(corpus: LintInput) -> Iterator[Problem]:
    """A resolved ticket has neither evidence, nor a commit, nor a check that would report its return."""
    for ticket in corpus:
        if ticket.status not in RESOLVED or (ticket.status is Status.FIXED and ticket.check):
            continue
        resolution = ticket.resolution
        has_evidence = resolution is not None and bool(
            resolution.evidence.strip() or resolution.commits or resolution.claims
        )
        if not has_evidence:
            yield Problem(ticket.id, ("status",), f"{ticket.status} without evidence")


def resolution_of_another_kind(corpus: LintInput) -> Iterator[Problem]:
    """The kind of a resolution does not match the status of the ticket."""
    for ticket in corpus:
        resolution = ticket.resolution
        if resolution is None or ticket.status in ACTIVE:
            continue
        if STATUS_OF[resolution.kind] is not ticket.status:
            text = f"the resolution is {resolution.kind}, but the status is {ticket.status}"
            yield Problem(ticket.id, ("resolution", "kind"), text)


def ticked_box_on_an_open_ticket(corpus: LintInput) -> Iterator[Problem]:
    """A verification step of an active ticket is ticked."""
    for ticket in corpus:
        if ticket.status in RESOLVED:
            continue
        for position, step in enumerate(ticket.verification):
            if step.done:
                first = step.text.split("\n")[0]
                yield Problem(ticket.id, ("verification", position), f"ticked: {first}")
        for position, part in enumerate(ticket.extra):
            if part.section == "Verification" and TICKED.search(part.text):
                text = f"a step below '{part.heading}' is ticked"
                yield Problem(ticket.id, ("extra", position), text)


LINTS: dict[str, Lint] = {
    "asymmetric-link": asymmetric_link,
    "contradictory-severity": contradictory_severity,
    "contradictory-status": contradictory_status,
    "dangling-link": dangling_link,
    "dates-out-of-order": dates_out_of_order,
    "duplicate-id": duplicate_id,
    "opposite-duplicates": opposite_duplicates,
    "quote-moved": quote_moved,
    "quote-not-found": quote_not_found,
    "resolution-of-another-kind": resolution_of_another_kind,
    "resolved-without-evidence": resolved_without_evidence,
    "review-without-reviewer": review_without_reviewer,
    "ticked-box-unresolved": ticked_box_on_an_open_ticket,
    "unknown-commit": unknown_commit,
}


def lint(corpus: LintInput, names: Sequence[str]) -> list[tuple[str, Problem]]:
    """Return the problems that the named lints find, sorted by ticket, then by lint."""
    found = [(name, problem) for name in names for problem in LINTS[name](corpus)]
    return sorted(found, key=lambda pair: (pair[1].ticket, pair[0], [str(k) for k in pair[1].key]))


def first_sentence(name: str) -> str:
    """Return the description of a lint: the first line of its docstring."""
    return (LINTS[name].__doc__ or "").partition("\n")[0]
