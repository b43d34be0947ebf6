"""Labelled lines of a review: `**Verdict:** ENDORSE`, `**Pump Specialist:** OBJECT - why`, items like these."""

from __future__ import annotations

import re
from collections.abc import Sequence

from esper_audit.tickets.markdown_import.document.blocks import MarkdownBlock
from esper_audit.tickets.markdown_import.document.inline_values import (
    name_set,
    without_markup,
    words,
)
from esper_audit.tickets.markdown_import.document.labelled_values import (
    LabelledValue,
    paragraph_values,
)
from esper_audit.tickets.markdown_import.sections.review_builder import (
    ReviewDraft,
    ReviewDrafts,
    paragraph,
)
from esper_audit.tickets.markdown_import.sections.review_tables import (
    COLUMN_OF,
    DATE,
    EVALUATION,
    REVIEWER,
    VERDICT,
)
from esper_audit.tickets.markdown_import.terms.verdicts import (
    DASHES,
    is_reviewer,
    reviewer_in,
    verdict_in,
    whole_verdict,
)

# `**DRL** (ENDORSE): text` and `**DRL Specialist** - ENDORSE - text`: bold, but no colon in the bold.
BOLD_NAME = re.compile(r" {0,3}\*\*(?P<name>[^*\n]{2,60}?)\*\*\s*(?P<rest>[-–—:(\[|].*)", re.DOTALL)
# The same in plain words: only a verdict in the form's own capitals tells it from prose.
PLAIN_NAME = re.compile(
    r" {0,3}(?P<name>[A-Z][\w /.-]{1,50}?)\s*(?P<rest>[-–—:(]\s*(?:ENDORSE|NEUTRAL|OBJECT|REFINE)\b.*)",
    re.DOTALL,
)
RESERVED_LABELS = name_set(
    "recommendation, recommendations, note, notes, severity, priority, risk, conclusion, "
    "action, verification, status, caveat, summary, rationale, impact, confidence, "
    "evidence, suggestion, suggested, fix, alternative, concern, concerns"
)


class LabelledReviewReader:
    """Reads labelled lines into drafts."""

    def __init__(self, drafts: ReviewDrafts) -> None:
        self._drafts = drafts

    def take_paragraph(self, block: MarkdownBlock) -> bool:
        """Take a paragraph that names somebody with a verdict, or has labels; say whether it did."""
        if self._named_line(block.text):
            return True
        found = paragraph_values(block)
        if not any(statement.label for statement in found):
            return False
        line = block.first
        for statement in found:
            self._statement(statement, line)
            line += statement.source.count("\n") + 1
        return True

    def take_list(self, block: MarkdownBlock) -> bool:
        """Take a list whose items are reviewers with their verdicts, or labels of one review."""
        found = [paragraph_values(paragraph(item.text)) for item in block.items]
        if any(item.done is not None for item in block.items):
            return False
        if not (_are_labels_of_review(found) or all(map(_is_reviewer_with_verdict, found))):
            return False
        for statements in found:
            if statements[0].label:
                for statement in statements:
                    self._statement(statement, -1)
            else:
                self._named_line("\n".join(said.source for said in statements))
        return True

    def _statement(self, statement: LabelledValue, line: int) -> None:
        """Take one labelled line; what it says of no field stays in the current review."""
        label, value = statement.label, statement.value
        column = COLUMN_OF.get(words(label), "")
        current = self._drafts.current
        draft = None if column else self._fitting(label, value)
        if column == VERDICT and current.verdict is None and (said := verdict_in(value)):
            current.verdict = said if said.rest else whole_verdict(value)
            current.add(said.rest)
        elif column == REVIEWER and value and "\n" not in value:
            self._by(value)
        elif column == DATE and current.verdict is None:
            current.dated(value)
        elif column == EVALUATION and words(label) != "note":
            start = line + statement.source.count("\n") - value.count("\n")
            current.nodes += [paragraph(value, start)] if value else []
        elif draft is not None:
            _fill_draft(draft, value)
        elif _has_verdict(label, value):
            self._reviewer(label, value)
        else:
            current.nodes.append(paragraph(statement.source, line))

    def _by(self, name: str) -> None:
        if self._drafts.current.reviewer:
            self._drafts.all.append(ReviewDraft())
        self._drafts.current.reviewer = without_markup(name)

    def _fitting(self, label: str, value: str) -> ReviewDraft | None:
        """Return the draft of the reviewer whom a label such as `DRL Evaluation` names.

        Somebody else's verdict behind a like name is a review of its own.
        """
        drafts = self._drafts.all
        best, place = max((draft.names(label), -n) for n, draft in enumerate(drafts))
        draft = drafts[-place]
        is_about = "evaluation" in words(label) or is_reviewer(label)
        again = draft.verdict is not None and _has_verdict(label, value)
        return draft if best and is_about and not again else None

    def _reviewer(self, name: str, value: str) -> bool:
        """Begin the review of somebody whose verdict stands behind the name."""
        said = verdict_in(value)
        if said is None:
            return False
        draft = self._drafts.begin()
        named, date = reviewer_in(without_markup(name))
        draft.reviewer = named or without_markup(name)
        draft.date = draft.date or date
        draft.verdict = said
        draft.add(said.rest)
        return True

    def _named_line(self, text: str) -> bool:
        match = BOLD_NAME.match(text) or PLAIN_NAME.match(text)
        value = match["rest"].lstrip(DASHES) if match else ""
        is_own = match is not None and _has_verdict(match["name"], value)
        return bool(match) and is_own and self._reviewer(match["name"] if match else "", value)


def _fill_draft(draft: ReviewDraft, value: str) -> None:
    """Add what is said below a table to the reviewer it names, verdict or evaluation."""
    said = verdict_in(value, strict=True) if draft.verdict is None else None
    draft.verdict = said or draft.verdict
    draft.add(said.rest if said else value)


def _are_labels_of_review(found: Sequence[Sequence[LabelledValue]]) -> bool:
    """Return whether every item is a label, and one of them the verdict's."""
    labels = [words(statements[0].label) for statements in found if statements]
    named = {COLUMN_OF.get(label) for label in labels}
    return all(labels) and len(labels) == len(found) and VERDICT in named


def _is_reviewer_with_verdict(statements: Sequence[LabelledValue]) -> bool:
    """Return whether an item is a name with a verdict behind it."""
    first = statements[0] if statements else LabelledValue("", "", "")
    if first.label:
        return _has_verdict(first.label, first.value)
    match = BOLD_NAME.match(first.source) or PLAIN_NAME.match(first.source)
    return bool(match and _has_verdict(match["name"], match["rest"].lstrip(DASHES + "(")))


def _has_verdict(label: str, value: str) -> bool:
    """Return whether a label is somebody and a value begins with a verdict; a stranger's is in the form's words."""
    if words(label) in RESERVED_LABELS or words(label) in COLUMN_OF:
        return False
    return verdict_in(value, strict=not is_reviewer(label)) is not None
