"""Tickets checked as a corpus, for what no single record shows: what contradicts itself, or is not there.

Each check is a function from a corpus to problems; the table at the end names them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from esper_audit.tickets.links import INVERSE_RELATIONS, bad_links
from esper_audit.tickets.markdown_import.document.inline_values import bare
from esper_audit.tickets.markdown_import.terms.severities import revised_in, severity_in
from esper_audit.tickets.markdown_import.terms.statuses import StatusPlace, decided, stated
from esper_audit.tickets.parts import Relation
from esper_audit.tickets.quotes import QuotedFiles, missing_line, quotes_of
from esper_audit.tickets.states import ACTIVE, RESOLVED, STATUS_OF, Status
from esper_audit.tickets.ticket import Ticket

TICKED = re.compile(r"^\s*(?:[-*+]|\d+[.)]) \[[xX✓✔]\]", re.MULTILINE)
ENDED = re.compile(r"\*\*(?:Resolved|Closed|Fixed|Date)(?: on)?:\*\*\s*(\d{4}-\d{2}-\d{2})")
Key = tuple[str | int, ...]


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a ticket, and the key at which it stands."""

    ticket: str
    key: Key
    text: str


class LintInput(msgspec.Struct, frozen=True):
    """All tickets, the files that they speak of, and how to ask for a commit."""

    tickets: Mapping[str, Ticket]
    sources: QuotedFiles
    has_commit: Callable[[str], bool]

    def __iter__(self) -> Iterator[Ticket]:
        """Go through the tickets by id."""
        return iter(self.tickets.values())


Check = Callable[[LintInput], Iterator[Problem]]


def contradictory_status(corpus: LintInput) -> Iterator[Problem]:
    """The head, the resolution, the folder and closing notes say different things of one ticket."""
    for ticket in corpus:
        words = [word for word in ticket.as_written if word.field == "status"]
        said = [
            (StatusPlace.FOLDER if w.where == "folder" else StatusPlace.HEAD, w.words)
            for w in words
        ]
        said += [(StatusPlace.ROW, p.text) for p in ticket.extra if p.row.lower() == "resolution"]
        end = ticket.resolution
        if end is not None and len(ticket.history) < 2:  # nobody moved it since it was imported
            said.append((StatusPlace.RESOLUTION, end.as_written or end.kind.value))
        own = (StatusPlace.HEAD, ticket.status.value)
        statements = [found for place, text in [own, *said] if (found := stated(place, text))]
        if decided(statements, None).contradiction:
            told = ", ".join(f"{place} says {bare(text)}" for place, text in said)
            yield Problem(ticket.id, ("status",), f"it is {ticket.status}; {told}")


def contradictory_severity(corpus: LintInput) -> Iterator[Problem]:
    """A severity is said again, differently, by the document's head or by the resolution."""
    for ticket in corpus:
        words = [word for word in ticket.as_written if word.field == "severity"]
        said = [(f"its {w.where or 'document'}", w.words, severity_in(w.words)) for w in words]
        evidence = ticket.resolution.evidence if ticket.resolution else ""
        revised = revised_in(evidence, "the resolution")
        said += [(one.where, one.text, one.severity) for one in revised]
        for where, text, severity in said:
            if severity is not None and severity is not ticket.severity:
                yield Problem(
                    ticket.id, ("severity",), f"it is {ticket.severity}, {where} says {text}"
                )


def dangling_link(corpus: LintInput) -> Iterator[Problem]:
    """A related ticket does not exist, is the ticket itself, or both blocks it and is blocked by it."""
    for link in bad_links(corpus.tickets):
        yield Problem(link.ticket, link.key, link.problem)


def duplicate_id(corpus: LintInput) -> Iterator[Problem]:
    """Two ids differ by nothing but case: on some machines their files are one."""
    seen: dict[str, str] = {}
    for ticket in corpus:
        other = seen.setdefault(ticket.id.lower(), ticket.id)
        if other != ticket.id:
            yield Problem(ticket.id, ("id",), f"differs from {other} by case only")


def asymmetric_link(corpus: LintInput) -> Iterator[Problem]:
    """One ticket names another, which names it back as something else, or not at all."""
    for ticket in corpus:
        for position, link in enumerate(ticket.related):
            other = corpus.tickets.get(link.id)
            if other is None or other.id == ticket.id:
                continue
            back = [one.relation for one in other.related if one.id == ticket.id]
            wanted = INVERSE_RELATIONS[link.relation]
            if wanted not in back and not (back and link.relation is Relation.RELATED):
                found = f"says {' and '.join(back)}" if back else "says nothing of it"
                told = f"{link.relation} {other.id}, which {found} (wanted: {wanted})"
                yield Problem(ticket.id, ("related", position), told)


def opposite_duplicates(corpus: LintInput) -> Iterator[Problem]:
    """Two tickets are duplicates of each other, and one ended as fixed, the other as no bug or accepted."""
    for ticket in corpus:
        for position, link in enumerate(ticket.related):
            other = corpus.tickets.get(link.id)
            if other is None or link.relation is not Relation.DUPLICATE or other.id < ticket.id:
                continue
            ends = {ticket.status, other.status} & (RESOLVED - {Status.DUPLICATE})
            if len(ends) > 1:
                told = f"it is {ticket.status}, its duplicate {other.id} is {other.status}"
                yield Problem(ticket.id, ("related", position), told)


def quote_not_found(corpus: LintInput) -> Iterator[Problem]:
    """Code that a ticket quotes from a file of this tree does not stand in it, wherever in the file."""
    for ticket in corpus:
        for quote in quotes_of(ticket):
            lines = corpus.sources.lines(quote.path)
            lacking = missing_line(quote.code, lines) if lines is not None else ""
            if lacking:
                told = f"{quote.path} does not hold `{lacking}`"
                yield Problem(ticket.id, ("evidence", quote.position), told)


def unknown_commit(corpus: LintInput) -> Iterator[Problem]:
    """A commit that a resolution names does not exist in this repository."""
    for ticket in corpus:
        commits = ticket.resolution.commits if ticket.resolution else []
        for position, commit in enumerate(commits):
            if not corpus.has_commit(commit):
                told = f"there is no commit {commit} here"
                yield Problem(ticket.id, ("resolution", "commits", position), told)


def dates_out_of_order(corpus: LintInput) -> Iterator[Problem]:
    """Something about a ticket happened before it was created, or its history runs backwards."""
    for ticket in corpus:
        ended = ENDED.search(ticket.resolution.evidence) if ticket.resolution else None
        later: list[tuple[str, Key]] = [(ticket.updated, ("updated",))]
        later += [(r.date, ("reviews", n, "date")) for n, r in enumerate(ticket.reviews)]
        later += [(ended[1], ("resolution", "evidence"))] if ended else []
        later += [(c.date, ("history", n, "date")) for n, c in enumerate(ticket.history)]
        for date, key in later:
            if ticket.created and date and date < ticket.created:
                yield Problem(ticket.id, key, f"{date} is before {ticket.created}, its creation")
        for number, (one, other) in enumerate(
            zip(ticket.history, ticket.history[1:], strict=False), 1
        ):
            if other.date < one.date:
                told = f"{other.date} stands behind {one.date}"
                yield Problem(ticket.id, ("history", number, "date"), told)


def review_without_reviewer(corpus: LintInput) -> Iterator[Problem]:
    """Somebody judged, and nobody knows who."""
    for ticket in corpus:
        for position, review in enumerate(ticket.reviews):
            if not review.reviewer.strip():
                yield Problem(
                    ticket.id, ("reviews", position), f"{review.verdict} by nobody who is named"
                )


def resolved_without_evidence(corpus: LintInput) -> Iterator[Problem]:
    """A ticket has ended, and nothing shows it: no evidence, no commit, no check that would speak."""
    for ticket in corpus:
        if ticket.status not in RESOLVED or (ticket.status is Status.FIXED and ticket.check):
            continue
        end = ticket.resolution
        if end is None or not (end.evidence.strip() or end.commits or end.claims):
            yield Problem(ticket.id, ("status",), f"{ticket.status}, and nothing shows it")


def resolution_of_another_kind(corpus: LintInput) -> Iterator[Problem]:
    """A resolution says that the ticket ended in another way than its status does."""
    for ticket in corpus:
        end = ticket.resolution
        if end is None or ticket.status in ACTIVE or STATUS_OF[end.kind] is ticket.status:
            continue
        told = f"the status is {ticket.status}, the resolution {end.kind}"
        yield Problem(ticket.id, ("resolution", "kind"), told)


def ticked_box_on_an_open_ticket(corpus: LintInput) -> Iterator[Problem]:
    """A box of the verification is ticked though nothing was resolved yet."""
    for ticket in corpus:
        if ticket.status in RESOLVED:
            continue
        for position, step in enumerate(ticket.verification):
            if step.done:
                first = step.text.split("\n")[0]
                yield Problem(ticket.id, ("verification", position), f"ticked: {first}")
        for position, part in enumerate(ticket.extra):
            if part.section == "Verification" and TICKED.search(part.text):
                told = f"ticked, below '{part.heading}'"
                yield Problem(ticket.id, ("extra", position), told)


LINTS: dict[str, Check] = {
    "asymmetric-link": asymmetric_link,
    "contradictory-severity": contradictory_severity,
    "contradictory-status": contradictory_status,
    "dangling-link": dangling_link,
    "dates-out-of-order": dates_out_of_order,
    "duplicate-id": duplicate_id,
    "opposite-duplicates": opposite_duplicates,
    "quote-not-found": quote_not_found,
    "resolution-of-another-kind": resolution_of_another_kind,
    "resolved-without-evidence": resolved_without_evidence,
    "review-without-reviewer": review_without_reviewer,
    "ticked-box-unresolved": ticked_box_on_an_open_ticket,
    "unknown-commit": unknown_commit,
}


def lint(corpus: LintInput, names: Sequence[str]) -> list[tuple[str, Problem]]:
    """Return the problems that some lints find, by ticket, then by lint."""
    found = [(name, problem) for name in names for problem in LINTS[name](corpus)]
    return sorted(found, key=lambda pair: (pair[1].ticket, pair[0], [str(k) for k in pair[1].key]))


def first_sentence(name: str) -> str:
    """Return what a lint looks for, in a sentence."""
    return (LINTS[name].__doc__ or "").partition("\n")[0]
