"""Reading the labelled lines and items of a review, such as `**Verdict:** ENDORSE`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from esper_audit.tickets.markdown_import.document.block_records import MarkdownBlock
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

# `**DRL** (ENDORSE): text` and `**DRL Specialist** - ENDORSE - text`, without a colon in bold.
BOLD_NAME = re.compile(r" {0,3}\*\*(?P<name>[^*\n]{2,60}?)\*\*\s*(?P<rest>[-–—:(\[|].*)", re.DOTALL)
# The same without bold: a verdict in the form's capitals distinguishes it from prose.
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
    """Reads labelled lines into the drafts of reviews."""

    def __init__(self, drafts: ReviewDrafts) -> None:
        self._drafts = drafts

    def read_paragraph(self, block: MarkdownBlock) -> bool:
        """Read a paragraph that has a reviewer with a verdict, or labels, and return whether it has."""
        if self._read_named_line(block.text):
            return True
        found = paragraph_values(block)
        if not any(statement.label for statement in found):
            return False
        line = block.first
        for statement in found:
            self._read_statement(statement, line)
            line += statement.source.count("\n") + 1
        return True

    def read_list(self, block: MarkdownBlock) -> bool:
        """Read a list of reviewers with verdicts, or of labels of one review, and return whether it is one."""
        found = [paragraph_values(paragraph(item.text)) for item in block.items]
        if any(item.done is not None for item in block.items):
            return False
        if not (_are_labels_of_review(found) or all(map(_is_reviewer_with_verdict, found))):
            return False
        for statements in found:
            if statements[0].label:
                for statement in statements:
                    self._read_statement(statement, -1)
            else:
                self._read_named_line("\n".join(statement.source for statement in statements))
        return True

    def _read_statement(self, statement: LabelledValue, line: int) -> None:
        """Read one labelled line.

        A line without field becomes part of the current review.
        """
        label, value = statement.label, statement.value
        column = COLUMN_OF.get(words(label), "")
        current = self._drafts.current
        draft = None if column else self._draft_of(label, value)
        if column == VERDICT and current.verdict is None and (stated := verdict_in(value)):
            current.verdict = stated if stated.rest else whole_verdict(value)
            current.add(stated.rest)
        elif column == REVIEWER and value and "\n" not in value:
            self._set_reviewer(value)
        elif column == DATE and current.verdict is None:
            current.set_date(value)
        elif column == EVALUATION and words(label) != "note":
            start = line + statement.source.count("\n") - value.count("\n")
            current.nodes += [paragraph(value, start)] if value else []
        elif draft is not None:
            _fill_draft(draft, value)
        elif _has_verdict(label, value):
            self._begin_review(label, value)
        else:
            current.nodes.append(paragraph(statement.source, line))

    def _set_reviewer(self, name: str) -> None:
        if self._drafts.current.reviewer:
            self._drafts.all.append(ReviewDraft())
        self._drafts.current.reviewer = without_markup(name)

    def _draft_of(self, label: str, value: str) -> ReviewDraft | None:
        """Return the draft of the reviewer named by a label such as `DRL Evaluation`.

        A second verdict after a similar name is another review, so there is no draft for it.
        """
        drafts = self._drafts.all
        best, place = max((draft.shared_words(label), -n) for n, draft in enumerate(drafts))
        draft = drafts[-place]
        is_about = "evaluation" in words(label) or is_reviewer(label)
        is_second = draft.verdict is not None and _has_verdict(label, value)
        return draft if best and is_about and not is_second else None

    def _begin_review(self, name: str, value: str) -> bool:
        """Begin the review of a name with a verdict and return whether there is a verdict."""
        stated = verdict_in(value)
        if stated is None:
            return False
        draft = self._drafts.begin()
        reviewer, date = reviewer_in(without_markup(name))
        draft.reviewer = reviewer or without_markup(name)
        draft.date = draft.date or date
        draft.verdict = stated
        draft.add(stated.rest)
        return True

    def _read_named_line(self, text: str) -> bool:
        match = BOLD_NAME.match(text) or PLAIN_NAME.match(text)
        value = match["rest"].lstrip(DASHES) if match else ""
        is_own = match is not None and _has_verdict(match["name"], value)
        return bool(match) and is_own and self._begin_review(match["name"] if match else "", value)


def _fill_draft(draft: ReviewDraft, value: str) -> None:
    """Add a labelled value to the draft of its reviewer, as verdict or as evaluation."""
    stated = verdict_in(value, strict=True) if draft.verdict is None else None
    draft.verdict = stated or draft.verdict
    draft.add(stated.rest if stated else value)


def _are_labels_of_review(found: Sequence[Sequence[LabelledValue]]) -> bool:
    """Return whether every item has a label, one of them that of the verdict."""
    labels = [words(statements[0].label) for statements in found if statements]
    columns = {COLUMN_OF.get(label) for label in labels}
    return all(labels) and len(labels) == len(found) and VERDICT in columns


def _is_reviewer_with_verdict(statements: Sequence[LabelledValue]) -> bool:
    """Return whether an item is a name followed by a verdict."""
    first = statements[0] if statements else LabelledValue("", "", "")
    if first.label:
        return _has_verdict(first.label, first.value)
    match = BOLD_NAME.match(first.source) or PLAIN_NAME.match(first.source)
    return bool(match and _has_verdict(match["name"], match["rest"].lstrip(DASHES + "(")))


def _has_verdict(label: str, value: str) -> bool:
    """Return whether a label is a name and its value begins with a verdict.

    The verdict of a label without a word for a role must be one of the form's four words.
    """
    if words(label) in RESERVED_LABELS or words(label) in COLUMN_OF:
        return False
    return verdict_in(value, strict=not is_reviewer(label)) is not None
