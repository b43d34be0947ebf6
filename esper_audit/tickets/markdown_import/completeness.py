"""The completeness check of an import: every line of the source is in a ticket or belongs to the form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

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
# The words of the empty form.
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
# The words around the name of a reviewer in a heading or label.
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
    """Return the text of a source that is neither in its tickets nor in the form.

    A line is compared without markup and spaces. If it is in no ticket, each of its cells, names and
    values is compared, first as a whole and then by its words.
    """
    texts = [text for ticket in tickets for text in _strings(msgspec.to_builtins(ticket))]
    exact = _without_layout(" ".join(texts))
    all_words = f" {words(' '.join(texts))} "
    missing = []
    for line in source.removeprefix("\ufeff").splitlines():
        if _without_layout(line) in exact:
            continue
        pieces = [piece for piece in CELL.split(line) if not _is_kept(piece, exact, all_words)]
        missing += [piece.strip() for piece in pieces]
    return missing


def _is_kept(piece: str, exact: str, all_words: str) -> bool:
    """Return whether a piece is in the form, or in the tickets as `exact` text or by its words."""
    text = BULLET.sub("", piece)
    piece_words = words(text)
    reviewer = AROUND_REVIEWER.sub("", piece_words)
    ids = [match[0] for match in TICKET_ID.finditer(text)]
    known = ids and all(_without_layout(found) in exact for found in ids)
    around_id = words(TICKET_ID.sub(" ", text)) if known else piece_words
    in_form = not VOCABULARY.isdisjoint({piece_words, reviewer, around_id})
    return in_form or _without_layout(text) in exact or f" {reviewer} " in all_words


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _strings(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _without_layout(text: str) -> str:
    return re.sub(r"\s+", "", MARKS.sub("", BULLET.sub("", text)))
