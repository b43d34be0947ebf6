"""All fields of one ticket for the terminal.

Empty ones are left out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from esper_audit.reports.ticket_sections import fix_texts, impact_texts
from esper_audit.text.terminal import (
    SEVERITY_STYLES,
    StyledText,
    prose_width,
    show_control_characters,
    wrapped,
)
from esper_audit.text.wrapping import prose
from esper_audit.tickets.form import order_extras
from esper_audit.tickets.parts import Evidence, EvidenceTable, Resolution, Step
from esper_audit.tickets.ticket import Ticket

INDENT = "  "
NAME_WIDTH = 13


def styled_ticket(ticket: Ticket, file: str) -> Iterator[StyledText]:
    """Yield a ticket as styled text.

    `file` is the path of its YAML file.
    """
    return map(show_control_characters, _parts(ticket, file))


def _parts(ticket: Ticket, file: str) -> Iterator[StyledText]:
    yield StyledText(f"{ticket.id} ", "bold")
    yield StyledText(f"{ticket.severity} ", SEVERITY_STYLES[ticket.severity])
    yield StyledText(f"{ticket.status}\n", "bold")
    yield StyledText(wrapped(ticket.title, ""), "bold")
    yield StyledText("\n")
    for name, fact in _facts(ticket, file):
        head = f"{name}:" if name else ""
        yield StyledText(_hanging(f"{head:<{NAME_WIDTH}}", fact))
    if ticket.description or ticket.title not in ticket.summary:
        yield from _section("Summary", [ticket.summary])
    yield from _section("What is wrong", [ticket.description])
    yield from _section("Why it matters", [ticket.why_it_matters])
    yield from _section("Impact", impact_texts(ticket))
    yield from _evidence(ticket)
    yield from _claims(ticket)
    yield from _section("Fix", fix_texts(ticket))
    yield from _section("Verification steps", [_steps(ticket)])
    yield from _section("Related", [_related(ticket)])
    yield from _reviews(ticket)
    yield from _section("Resolution", _resolution(ticket.resolution))
    yield from _section("History", [_history(ticket)])
    for part in order_extras(ticket.extra):
        heading = ": ".join(filter(None, [part.section, part.heading, part.row]))
        yield from _section(heading or "Text before the form", [part.text])
    yield from _section("Original words", [_original_words(ticket)])


def _facts(ticket: Ticket, file: str) -> Iterator[tuple[str, str]]:
    for place in ticket.locations:
        where = f"{place.path}:{place.lines}" if place.lines else place.path
        inside = f"in {place.symbol}" if place.symbol else ""
        yield (
            "where",
            " ".join(filter(None, [where, inside, f"({place.note})" if place.note else ""])),
        )
    facts = {
        "contract": ticket.contract,
        "check": ticket.check,
        "categories": ", ".join(ticket.categories),
        "domain": ticket.domain,
        "raised by": " ".join(
            filter(None, [ticket.agent, f"batch {ticket.batch}" if ticket.batch else ""])
        ),
        "assigned to": ticket.assignee,
        "severity": ticket.severity_reason,
        "created": ticket.created,
        "source": ticket.source,
        "report": ", ".join(filter(None, [ticket.report, ticket.section])),
        "file": file,
    }
    yield from ((name, fact) for name, fact in facts.items() if fact)


def _hanging(head: str, text: str) -> str:
    """Return text wrapped behind a head, with its further lines indented to the width of the head."""
    lines = textwrap.wrap(
        text,
        prose_width() - len(INDENT) - len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return f"{INDENT}{head}" + f"\n{INDENT}{' ' * len(head)}".join(lines) + "\n"


def _section(heading: str, texts: Iterable[str]) -> Iterator[StyledText]:
    filled = [text for text in texts if text.strip()]
    if not filled:
        return
    yield StyledText(f"\n{heading}\n", "bold cyan")
    yield StyledText("\n".join(prose(text, INDENT) for text in filled))


def _evidence(ticket: Ticket) -> Iterator[StyledText]:
    if ticket.evidence:
        yield StyledText("\nEvidence\n", "bold cyan")
    for number, evidence in enumerate(ticket.evidence):
        yield StyledText("\n" if number else "")
        if evidence.text:
            yield StyledText(prose(evidence.text, INDENT))
        if evidence.place:
            yield StyledText(f"{INDENT}{evidence.place}\n", "dim")
        yield from _code(evidence)
        if evidence.table:
            yield StyledText(_aligned(evidence.table))
        if evidence.commit:
            yield StyledText(f"{INDENT}at commit {evidence.commit}\n", "dim")


def _claims(ticket: Ticket) -> Iterator[StyledText]:
    """Yield each claim with its last answer."""
    answers = {answered.claim: answered for answered in ticket.answers}
    if ticket.claims:
        yield StyledText("\nClaims\n", "bold cyan")
    for claim in ticket.claims:
        answered = answers.get(claim.id)
        answer = answered.answer.replace("-", " ") if answered is not None else "not verified yet"
        yield StyledText(_hanging(f"{claim.id} {answer}: ", claim.sentence))
        if answered is not None:
            yield StyledText(wrapped(answered.evidence, INDENT * 2 + "> ", "  "), "dim")


def _aligned(table: EvidenceTable) -> str:
    """Return a table with its columns aligned to the right, as for numbers."""
    rows = [table.columns, *([str(cell) for cell in row] for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.rjust, row, widths)) for row in rows)
    return "".join(f"{INDENT}{line}\n" for line in lines)


def _code(evidence: Evidence) -> Iterator[StyledText]:
    if not evidence.code:
        return
    for number, line in enumerate(evidence.code.split("\n"), evidence.first_line or 1):
        head = f"{INDENT}{number:>5} |" if evidence.first_line else f"{INDENT}|"
        yield StyledText(head, "dim")
        yield StyledText(f" {line}\n" if line.strip() else "\n")


def _steps(ticket: Ticket) -> str:
    return "\n".join(
        f"- [{'x' if step.done else ' '}] {step.text}{_ticked_by(step)}"
        for step in ticket.verification
    )


def _ticked_by(step: Step) -> str:
    by = [step.test, f"claim {step.claim}" if step.claim else ""]
    return f" ({', '.join(filter(None, by))})" if any(by) else ""


def _related(ticket: Ticket) -> str:
    return "\n".join(
        f"- {link.id} ({link.relation}){f': {link.note}' if link.note else ''}"
        for link in ticket.related
    )


def _reviews(ticket: Ticket) -> Iterator[StyledText]:
    if ticket.reviews:
        yield StyledText("\nReviews\n", "bold cyan")
    for review in ticket.reviews:
        reviewer = review.reviewer or review.role or "unnamed reviewer"
        verdict = review.as_written or review.verdict
        date = f", {review.date}" if review.date else ""
        yield StyledText(f"{INDENT}{reviewer}: {verdict}{date}\n", "bold")
        if review.evaluation:
            yield StyledText(prose(review.evaluation, INDENT * 2))


def _resolution(resolution: Resolution | None) -> list[str]:
    if resolution is None:
        return []
    judged = [
        f"- {claim.as_written or claim.verdict}: {claim.claim}"
        + (f" ({claim.evidence})" if claim.evidence else "")
        for claim in resolution.claims
    ]
    signed = f"Signed off by {resolution.sign_off}" if resolution.sign_off else ""
    commits = f"Commits: {', '.join(resolution.commits)}" if resolution.commits else ""
    until = f", accepted until {resolution.until}" if resolution.until else ""
    return [
        (resolution.as_written or resolution.kind) + until,
        resolution.evidence,
        "\n".join(judged),
        commits,
        signed,
    ]


def _history(ticket: Ticket) -> str:
    return "\n".join(
        f"- {c.date} {c.by}: {f'{c.before} -> ' if c.before else ''}{c.after} ({c.why})"
        for c in ticket.history
    )


def _original_words(ticket: Ticket) -> str:
    return "\n".join(
        f"- {original.field}{f' ({original.where})' if original.where else ''}: {original.words}"
        for original in ticket.as_written
    )
