"""The subjects of a report: its findings with their recommendations, and the dependencies between them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.findings.finding import Severity
from esper_audit.tickets.markdown_import.document.document import DocumentSection
from esper_audit.tickets.markdown_import.document.graphs import Edge, edges_in
from esper_audit.tickets.markdown_import.document.inline_values import name_set, words
from esper_audit.tickets.markdown_import.report_findings import Recommendation, ReportFinding
from esper_audit.tickets.markdown_import.sections.fixes import fix_option
from esper_audit.tickets.markdown_import.terms.places import files_in
from esper_audit.tickets.parts import FixOption

IGNORED_WORDS = name_set(
    "a, an, and, deep, dive, analysis, subsystem, report, review, audit, the, of, for, "
    "system, findings"
)
UNNAMED = "unnamed"
MIN_SIMILARITY = 0.5  # share of the words of the shorter name that the longer one has


class ReportSubject(msgspec.Struct, frozen=True):
    """A finding with its recommendations, or a recommendation without finding, under one id."""

    id: str
    finding: ReportFinding | None
    recommended: tuple[Recommendation, ...]

    @property
    def names(self) -> list[str]:
        """Every name that the report gives it, at least one."""
        own = [self.finding.title] if self.finding else []
        return [*own, *(row.name for row in self.recommended)]

    @property
    def places(self) -> list[str]:
        """Every place that the report gives it, at least one."""
        own = [self.finding.where] if self.finding else []
        return [*own, *(row.where for row in self.recommended)]

    @property
    def title(self) -> str:
        """The first of its names."""
        return self.names[0]

    @property
    def heading(self) -> str:
        """The heading of the report below which it is located."""
        return self.finding.heading if self.finding else self.recommended[0].heading

    @property
    def severity(self) -> Severity:
        """The severity of the first recommendation, without one that of the finding."""
        stated = [row.severity for row in self.recommended]
        stated += [self.finding.severity] if self.finding else []
        return next((severity for severity in stated if severity), Severity.P3)

    @property
    def fixes(self) -> list[FixOption]:
        """The fix of the finding, then the actions of the recommendations."""
        own = self.finding.fix if self.finding else ""
        fixes = [fix_option("", own)] if own else []
        return fixes + [
            fix_option(row.heading, row.action) for row in self.recommended if row.action
        ]


def subjects_of(
    findings: Sequence[ReportFinding], rows: Sequence[Recommendation], prefix: str
) -> list[ReportSubject]:
    """Return the findings with their recommendations, then the recommendations without finding."""
    subjects = [ReportSubject(_id(prefix, f.number, f.title), f, ()) for f in findings]
    alone = []
    for row in rows:
        at = _matching_subject(row.name, row.where, subjects)
        if at is None:
            alone.append(ReportSubject(_id(prefix, "", row.name), None, (row,)))
        else:
            recommended = (*subjects[at].recommended, row)
            subjects[at] = msgspec.structs.replace(subjects[at], recommended=recommended)
    return _with_unique_ids([*subjects, *alone])


def _with_unique_ids(subjects: Sequence[ReportSubject]) -> list[ReportSubject]:
    """Append a number to ids that are not unique."""
    counts: dict[str, int] = {}
    unique = []
    for subject in subjects:
        times = counts[subject.id] = counts.get(subject.id, 0) + 1
        unique_id = f"{subject.id}-{times}" if times > 1 else subject.id
        unique.append(msgspec.structs.replace(subject, id=unique_id))
    return unique


def _id(prefix: str, number: str, name: str) -> str:
    own = re.sub(r"[^A-Za-z0-9]+", "-", number).strip("-") or "-".join(words(name).split()[:4])
    return f"{prefix}-{own or UNNAMED}"


def _matching_subject(name: str, where: str, subjects: Sequence[ReportSubject]) -> int | None:
    """Return the index of the most similar subject, None if no subject is similar enough."""
    ranked = [(_subject_similarity(name, where, subject), -n) for n, subject in enumerate(subjects)]
    best, at = max(ranked, default=(0.0, 0))
    return -at if best >= MIN_SIMILARITY else None


def _subject_similarity(name: str, where: str, subject: ReportSubject) -> float:
    """Return the share of equal words of the names, plus 1 for an equal place."""
    stems = _stems(name)
    shares = (
        len(stems & other) / min(len(stems), len(other))
        for other in map(_stems, subject.names)
        if stems and other
    )
    places = {found for place in subject.places for found in _exact_places(place)}
    return max(shares, default=0.0) + (1.0 if places & _exact_places(where) else 0.0)


def _stems(name: str) -> set[str]:
    return {
        word[:6]
        for word in words(re.sub(r"\(P\d\)", "", name)).split()
        if word not in IGNORED_WORDS
    }


def _exact_places(text: str) -> set[tuple[str, str]]:
    """Return file name and lines of the places in a text that have lines."""
    return {(path.split("/")[-1], lines) for path, lines, _ in files_in(text) if lines}


def dependencies_between(
    sections: Sequence[DocumentSection], subjects: Sequence[ReportSubject]
) -> list[tuple[str, str]]:
    """Return pairs of ids from the graphs of the report: the first blocks the second."""
    pairs = []
    for edge in _edges(sections):
        ends = [
            _matching_subject(*_box_name(text), subjects) for text in (edge.source, edge.target)
        ]
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
