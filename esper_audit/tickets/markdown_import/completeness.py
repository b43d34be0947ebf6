"""The proof that an import dropped nothing: every line of the source stands in the ticket or belongs to the form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from esper_audit.tickets.form import CATEGORY_NAMES
from esper_audit.tickets.markdown_import.document.inline_values import TICKET_ID, name_set, words
from esper_audit.tickets.markdown_import.sections import related
from esper_audit.tickets.markdown_import.sections.location import FIELD_OF
from esper_audit.tickets.markdown_import.sections.metadata import FORM_LABELS
from esper_audit.tickets.markdown_import.sections.resolution import (
    COMMIT_LABELS,
    SIGN_OFF_LABELS,
    STATUS_LABELS,
)
from esper_audit.tickets.markdown_import.sections.review_tables import (
    COLUMN_OF,
    FIELD_AND_VALUE,
    POSSIBLE_VERDICT_COLUMNS,
)
from esper_audit.tickets.markdown_import.terms.headings import FormPart
from esper_audit.tickets.ticket import Ticket

MARKS = re.compile(r"[*_`#|>\\~]")
BULLET = re.compile(r"^\s*(?:[-+]|\d+[.)])\s+(?:\[[ xX]\]\s*)?")
CELL = re.compile(
    r"(?<!\\)\||<br\s*/?>|(?<=\*\*)\s|:\*\*|\*\*:|(?<=[:`)\]])\s|\s(?=[(\[`])|\s[-–—]+\s|,\s"
)
# What the form says on its own, on every page.
FORM_WORDS = name_set(
    "finding ticket, field, value, ticket id, relationship, notes, verdict, evaluation, reviewer, agent, "
    "date, role, file s, line s, function class, additional locations, if multi file, "
    "additional locations if multi file, one line summary, category, check all that apply, whats wrong, "
    "why this matters, code evidence, how to verify the fix, original report reference, report file, "
    "section, status, evidence, sign off, commits, commit, claim, claims, none, n a, final disposition, "
    "cross review, cross reviews, peer review, review, reviews, related, history, by, from, to, why, "
    "as written, where, words, source, x, issue, location, impact, recommendation, code review, "
    "specialist, evidence table, claims table, result"
)
# What a heading or a label says around the name of a reviewer.
AROUND_REVIEWER = re.compile(
    r"^(?:cross |peer )?reviews? (?:by |from )?| (?:cross |peer )?(?:reviews?|evaluation)$"
)
VOCABULARY = frozenset(
    {
        "",
        *COLUMN_OF,
        *POSSIBLE_VERDICT_COLUMNS,
        *FIELD_AND_VALUE,
        *FIELD_OF,
        *related.COLUMN_OF,
        *related.RELATIONS,
        *STATUS_LABELS,
        *COMMIT_LABELS,
        *SIGN_OFF_LABELS,
        *FORM_WORDS,
        *FORM_LABELS,
        *(words(part.value) for part in FormPart),
        *(words(name) for name in CATEGORY_NAMES.values()),
    }
)


def missing_text(source: str, tickets: Sequence[Ticket]) -> list[str]:
    """Return what stands in a source and neither in the tickets made of it nor in the form.

    A line is compared as a whole, markup and blanks aside; else each of its cells, names and values is,
    then each of their words.
    """
    texts = [text for ticket in tickets for text in _strings(msgspec.to_builtins(ticket))]
    exact = _without_layout(" ".join(texts))
    said = f" {words(' '.join(texts))} "
    lost = []
    for line in source.removeprefix("\ufeff").splitlines():
        if _without_layout(line) in exact:
            continue
        lost += [piece.strip() for piece in CELL.split(line) if not _is_kept(piece, exact, said)]
    return lost


def _is_kept(piece: str, exact: str, said: str) -> bool:
    bare = BULLET.sub("", piece)
    spoken = words(bare)
    name = AROUND_REVIEWER.sub("", spoken)
    ids = [match[0] for match in TICKET_ID.finditer(bare)]
    known = ids and all(_without_layout(found) in exact for found in ids)
    around_id = words(TICKET_ID.sub(" ", bare)) if known else spoken
    in_form = not VOCABULARY.isdisjoint({spoken, name, around_id})
    return in_form or _without_layout(bare) in exact or f" {name} " in said


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _all(value.values())
    elif isinstance(value, list):
        yield from _all(value)


def _all(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        yield from _strings(value)


def _without_layout(text: str) -> str:
    return re.sub(r"\s+", "", MARKS.sub("", BULLET.sub("", text)))
