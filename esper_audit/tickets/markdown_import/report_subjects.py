"""What a report is about: its findings, each with the recommendations that mean it, and what blocks what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.findings.finding import Severity
from esper_audit.tickets.markdown_import.document.document import DocumentSection
from esper_audit.tickets.markdown_import.document.graphs import Edge, edges_in
from esper_audit.tickets.markdown_import.document.inline_values import names, words
from esper_audit.tickets.markdown_import.report_findings import Recommendation, ReportItem
from esper_audit.tickets.markdown_import.sections.fixes import option_of
from esper_audit.tickets.markdown_import.terms.places import files_in
from esper_audit.tickets.parts import FixOption

SILENT = names(
    "a, an, and, deep, dive, analysis, subsystem, report, review, audit, the, of, for, "
    "system, findings"
)
ENOUGH = 0.5  # of the words of the shorter name have to be in the longer one


class ReportTicket(msgspec.Struct, frozen=True):
    """A finding, the recommendations that mean it, or a recommendation alone, under one id."""

    id: str
    finding: ReportItem | None
    recommended: tuple[Recommendation, ...]

    @property
    def names(self) -> list[str]:
        """Every name that the report has for it."""
        own = [self.finding.title] if self.finding else []
        return [*own, *(row.name for row in self.recommended)]

    @property
    def places(self) -> list[str]:
        """Every place that the report gives for it."""
        own = [self.finding.where] if self.finding else []
        return [*own, *(row.where for row in self.recommended)]

    @property
    def title(self) -> str:
        """The first of its names."""
        return self.names[0]

    @property
    def heading(self) -> str:
        """Where in the report it stands."""
        return self.finding.heading if self.finding else self.recommended[0].heading

    @property
    def severity(self) -> Severity:
        """What the recommendations say, else the finding's own heading."""
        said = [row.severity for row in self.recommended]
        said += [self.finding.severity] if self.finding else []
        return next((severity for severity in said if severity), Severity.P3)

    @property
    def fixes(self) -> list[FixOption]:
        """What the finding recommends, then what the recommendations do."""
        own = self.finding.fix if self.finding else ""
        fixes = [option_of("", own)] if own else []
        return fixes + [
            option_of(row.heading, row.action) for row in self.recommended if row.action
        ]


def subjects_of(
    findings: Sequence[ReportItem], rows: Sequence[Recommendation], prefix: str
) -> list[ReportTicket]:
    """Give every finding its recommendations, and those that mean none an id of their own."""
    subjects = [ReportTicket(_id(prefix, f.number, f.title), f, ()) for f in findings]
    alone = []
    for row in rows:
        at = _meant(row.name, row.where, subjects)
        if at is None:
            alone.append(ReportTicket(_id(prefix, "", row.name), None, (row,)))
        else:
            recommended = (*subjects[at].recommended, row)
            subjects[at] = msgspec.structs.replace(subjects[at], recommended=recommended)
    return _told_apart([*subjects, *alone])


def _told_apart(subjects: Sequence[ReportTicket]) -> list[ReportTicket]:
    """Number the ids that come again."""
    seen: dict[str, int] = {}
    apart = []
    for subject in subjects:
        times = seen[subject.id] = seen.get(subject.id, 0) + 1
        own = f"{subject.id}-{times}" if times > 1 else subject.id
        apart.append(msgspec.structs.replace(subject, id=own))
    return apart


def _id(prefix: str, number: str, name: str) -> str:
    own = number.replace(".", "-") or "-".join(words(name).split()[:4])
    return f"{prefix}-{own}"


def _meant(name: str, where: str, subjects: Sequence[ReportTicket]) -> int | None:
    """Return which subject a name and a place mean: the one that shares most words, or the place."""
    likely = [(_likeness(name, where, subject), -n) for n, subject in enumerate(subjects)]
    best, at = max(likely, default=(0.0, 0))
    return -at if best >= ENOUGH else None


def _likeness(name: str, where: str, subject: ReportTicket) -> float:
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


def links_of(
    sections: Sequence[DocumentSection], subjects: Sequence[ReportTicket]
) -> list[tuple[str, str]]:
    """Return pairs of ids, the first of which blocks the second, from the graphs of the report."""
    pairs = []
    for edge in _edges(sections):
        ends = [_meant(*_box_name(text), subjects) for text in (edge.first, edge.then)]
        if None not in ends and ends[0] != ends[1]:
            pairs.append((subjects[ends[0] or 0].id, subjects[ends[1] or 0].id))
    return list(dict.fromkeys(pairs))


def _edges(sections: Sequence[DocumentSection]) -> Iterator[Edge]:
    for section in sections:
        if {"graph", "dependency", "dependencies"} & set(words(section.title).split()):
            yield from (
                edge for block in section.blocks for edge in edges_in(block.code or block.text)
            )
        yield from _edges(section.children)


def _box_name(text: str) -> tuple[str, str]:
    name, _, place = text.partition("\n")
    return name, place
