"""A report as a batch of tickets: one a finding, one a recommendation that is no finding, one for the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.finding import Severity
from esper_audit.markdown_import.document import Document, Section, text_of
from esper_audit.markdown_import.findings import (
    Finding,
    Recommendation,
    findings_in,
    recommendations_in,
)
from esper_audit.markdown_import.fixes import option_of
from esper_audit.markdown_import.form import Form
from esper_audit.markdown_import.graphs import Edge, edges_in
from esper_audit.markdown_import.headings import Part
from esper_audit.markdown_import.identity import Origin
from esper_audit.markdown_import.metadata import Metadata, read_metadata
from esper_audit.markdown_import.paths import PathMap
from esper_audit.markdown_import.places import files_in, rendered, says_no_more
from esper_audit.markdown_import.values import ID, date_in, one_line, words
from esper_audit.ticket import Ticket
from esper_audit.ticket_parts import AsWritten, Extra, Related, Relation, TicketLocation
from esper_audit.ticket_sections import in_page_order
from esper_audit.ticket_states import Status

SILENT = frozenset("a an and deep dive analysis subsystem report review audit the of for system findings".split())
ENOUGH = 0.5  # of the words of the shorter name have to be in the longer one
REASON = "a report: its findings carry the severities"


class Subject(msgspec.Struct, frozen=True):
    """A finding, the recommendations that mean it, or a recommendation alone, under one id."""

    id: str
    finding: Finding | None
    recommended: tuple[Recommendation, ...]

    @property
    def names(self) -> list[str]:
        """Every name that the report has for it."""
        own = [self.finding.title] if self.finding else []
        return [*own, *(row.name for row in self.recommended)]

    @property
    def places(self) -> list[str]:
        """Every place that the report gives for it."""
        own = [self.finding.texts.get("where", "")] if self.finding else []
        return [*own, *(row.where for row in self.recommended)]

    @property
    def title(self) -> str:
        """The first of its names."""
        return self.names[0]


def is_report(document: Document) -> bool:
    """Say whether a document is a report: it has findings, and no id of its own."""
    metadata = read_metadata(document, [])
    named = any(words(section.title) == words(Part.METADATA.value) for section in document.sections)
    has_id = "id" in metadata.own or ID.search(document.title) is not None
    return not (named or has_id) and next(findings_in(document.sections), None) is not None


def read_report(document: Document, origin: Origin, paths: PathMap) -> list[Form]:
    """Return the tickets of a report: the report's own, then a ticket a finding or recommendation."""
    metadata = read_metadata(document, [])
    created = date_in(metadata.get("created"))
    prefix = _prefix(document.title or origin.stem, created)
    found = list(findings_in(document.sections))
    subjects = _subjects([f for _, f in found], list(recommendations_in(document.sections)), prefix)
    links = _links(document.sections, subjects)
    forms = [_form(subject, origin, paths, created, links) for subject in subjects]
    forms = [_with(form, Related(id=prefix, relation=Relation.RELATED)) for form in forms]
    rest = _without(document.sections, [section for section, _ in found])
    own = _own_ticket(document.title, prefix, metadata, rest, subjects)
    return [Form(msgspec.structs.replace(own, report=origin.name), []), *forms]


def _prefix(title: str, created: str) -> str:
    told = [word for word in words(title).upper().split() if word.lower() not in SILENT]
    return "-".join(filter(None, ["DD", *told[:2], created.replace("-", "")]))


def _subjects(
    findings: Sequence[Finding], rows: Sequence[Recommendation], prefix: str
) -> list[Subject]:
    """Give every finding its recommendations, and those that mean none an id of their own."""
    subjects = [Subject(_id(prefix, f.number, f.title), f, ()) for f in findings]
    alone = []
    for row in rows:
        at = _meant(row.name, row.where, subjects)
        if at is None:
            alone.append(Subject(_id(prefix, "", row.name), None, (row,)))
        else:
            recommended = (*subjects[at].recommended, row)
            subjects[at] = msgspec.structs.replace(subjects[at], recommended=recommended)
    return [*subjects, *alone]


def _id(prefix: str, number: str, name: str) -> str:
    own = number.replace(".", "-") or "-".join(words(name).split()[:4])
    return f"{prefix}-{own}"


def _meant(name: str, where: str, subjects: Sequence[Subject]) -> int | None:
    """Return which subject a name and a place mean: the one that shares most words, or the place."""
    likely = [(_likeness(name, where, subject), -n) for n, subject in enumerate(subjects)]
    best, at = max(likely, default=(0.0, 0))
    return -at if best >= ENOUGH else None


def _likeness(name: str, where: str, subject: Subject) -> float:
    said = _stems(name)
    by_name = max(
        len(said & other) / min(len(said), len(other))
        for other in (_stems(known) for known in subject.names)
        if said and other
    )
    places = {found for place in subject.places for found in _exact_places(place)}
    return by_name + (1.0 if places & _exact_places(where) else 0.0)


def _stems(name: str) -> set[str]:
    return {word[:6] for word in words(re.sub(r"\(P\d\)", "", name)).split() if word not in SILENT}


def _exact_places(text: str) -> set[tuple[str, str]]:
    """Return file name and lines of the places in a text that give lines."""
    return {(path.split("/")[-1], lines) for path, lines, _ in files_in(text) if lines}


def _links(
    sections: Sequence[Section], subjects: Sequence[Subject]
) -> list[tuple[str, str]]:
    """Return pairs of ids, the first of which blocks the second, from the graphs of the report."""
    pairs = []
    for edge in _edges(sections):
        ends = [_meant(*_box_name(text), subjects) for text in (edge.first, edge.then)]
        if None not in ends and ends[0] != ends[1]:
            pairs.append((subjects[ends[0] or 0].id, subjects[ends[1] or 0].id))
    return list(dict.fromkeys(pairs))


def _edges(sections: Sequence[Section]) -> Iterator[Edge]:
    for section in sections:
        if {"graph", "dependency", "dependencies"} & set(words(section.title).split()):
            yield from (edge for block in section.blocks for edge in edges_in(block.code or block.text))
        yield from _edges(section.children)


def _box_name(text: str) -> tuple[str, str]:
    name, _, place = text.partition("\n")
    return name, place


def _form(
    subject: Subject, origin: Origin, paths: PathMap, created: str, links: Sequence[tuple[str, str]]
) -> Form:
    finding, rows = subject.finding, subject.recommended
    texts = finding.texts if finding else {}
    believed = rows[0].severity if rows else None
    severity = believed or (finding.severity if finding else None) or Severity.P3
    where = " ".join(filter(None, subject.places[:1]))
    places = [
        TicketLocation(path=paths.here(path), symbol=symbol, lines=lines)
        for path, lines, symbol in files_in(where)
    ]
    heading = finding.heading if finding else rows[0].heading
    fixes = [option_of("", texts["fix"])] if texts.get("fix") else []
    fixes += [option_of(row.heading, row.action) for row in rows if row.action]
    ticket = Ticket(
        id=subject.id,
        title=one_line(subject.title),
        status=Status.OPEN,
        severity=severity,
        created=created,
        categories=[],
        locations=places,
        summary=one_line(subject.title),
        description=texts.get("wrong", ""),
        why_it_matters=texts.get("why", ""),
        fix=fixes,
        related=[
            *(Related(id=then, relation=Relation.BLOCKS) for first, then in links if first == subject.id),
            *(Related(id=first, relation=Relation.BLOCKED_BY) for first, then in links if then == subject.id),
        ],
        report=origin.name,
        section=f'"{heading}"',
        as_written=_words(subject, severity, where, places),
        extra=in_page_order(_extra(finding)),
    )
    return Form(ticket, _disagreement(subject, severity))


def _words(
    subject: Subject, severity: Severity, where: str, places: Sequence[TicketLocation]
) -> list[AsWritten]:
    """Return the names, places and severities of the report that the fields do not show."""
    found = []
    if subject.finding is not None and subject.finding.said.upper() != severity.value:
        found.append(AsWritten(field="severity", where="heading", words=subject.finding.said))
    if where and not says_no_more(where, ", ".join(map(rendered, places))):
        found.append(AsWritten(field="location", where="Location", words=one_line(where)))
    for row in subject.recommended:
        if row.name != subject.title:
            found.append(AsWritten(field="title", where=row.heading, words=row.name))
        if row.where and row.where != where:
            found.append(AsWritten(field="location", where=row.heading, words=row.where))
    return found


def _extra(finding: Finding | None) -> list[Extra]:
    others = finding.others if finding else ()
    return [Extra(section=Part.DESCRIPTION.value, heading=label, text=text) for label, text in others]


def _disagreement(subject: Subject, severity: Severity) -> list[str]:
    finding = subject.finding
    if finding is None or finding.severity is severity:
        return []
    by = subject.recommended[0].heading
    return [f"severity: {severity} is kept ({by}), the heading says {finding.said}"]


def _with(form: Form, link: Related) -> Form:
    ticket = msgspec.structs.replace(form.ticket, related=[*form.ticket.related, link])
    return msgspec.structs.replace(form, ticket=ticket)


def _without(sections: Sequence[Section], taken: Sequence[Section]) -> list[Section]:
    """Return sections without some that stand in them."""
    return [
        msgspec.structs.replace(section, children=tuple(_without(section.children, taken)))
        for section in sections
        if not any(section is other for other in taken)
    ]


def _own_ticket(
    title: str, prefix: str, metadata: Metadata, rest: Sequence[Section], subjects: Sequence[Subject]
) -> Ticket:
    """Return the ticket of the report itself: what it says beyond its findings, and links to these."""
    texts = [Extra(section=section.title, text=text_of(section.nodes)) for section in rest]
    head = [
        AsWritten(field=field, where="head", words=one_line(value))
        for field, value in metadata.own.items()
        if value
    ]
    return Ticket(
        id=prefix,
        title=title or prefix,
        status=Status.OPEN,
        severity=Severity.P4,
        severity_reason=REASON,
        created=date_in(metadata.get("created")),
        categories=[],
        locations=[],
        summary=title or prefix,
        related=[Related(id=subject.id, relation=Relation.RELATED) for subject in subjects],
        as_written=head,
        extra=in_page_order([*metadata.extra, *(part for part in texts if part.text)]),
    )
