"""The sections of the ticket form, and other headings for them."""

from __future__ import annotations

import enum
import re

import msgspec

from esper_audit.tickets.markdown_import.document.inline_values import by_name, name_set, words

NUMBER = re.compile(r"^(?:\(?\d+(?:\.\d+)*[.):]?|[A-Z][.)])\s+")
HEADING_SEPARATOR = re.compile(r"\s*(?::|\(|\[|\s[-–—]+\s)\s*")


class FormPart(enum.Enum):
    """A section of the form.

    The value is its heading.
    """

    METADATA = "Ticket Metadata"
    LOCATION = "Location"
    SUMMARY = "Summary"
    DESCRIPTION = "Detailed Description"
    FIX = "Recommended Fix"
    VERIFICATION = "Verification"
    RELATED = "Related Findings"
    REVIEW = "Cross-Review"
    RESOLUTION = "Resolution"
    HISTORY = "History"
    APPENDIX = "Appendix"


OTHER_NAMES = {
    FormPart.METADATA: "metadata, ticket info, ticket information, ticket details, header, overview table",
    FormPart.LOCATION: "locations, affected files, affected code, files, files affected, where, code location, "
    "affected locations, source location, affected components, where in the code, which files",
    FormPart.SUMMARY: "overview, tldr, tl dr, synopsis, one line summary, executive summary, abstract",
    FormPart.DESCRIPTION: "description, details, detail, problem, problem statement, problem description, issue, "
    "issue description, bug description, the problem, whats wrong, finding, the bug, context, "
    "actual behavior, actual behaviour, observed behavior, observed behaviour, current behavior, symptoms, "
    "root cause, root cause analysis, what happened, describe the bug, bug, what is the issue, "
    "describe the issue, description of the issue",
    FormPart.FIX: "recommended fixes, proposed fix, suggested fix, fix, proposed solution, solution, recommendation, "
    "recommendations, suggested fixes, fix options, options, recommended solution, fix plan, proposed change, "
    "recommended action, recommended actions, remediation, recommended approach, recommended change",
    FormPart.VERIFICATION: "verification plan, how to verify, how to verify the fix, validation, validation plan, "
    "test plan, acceptance criteria, verification steps, testing",
    FormPart.RELATED: "related, related tickets, related issues, related findings and tickets, dependencies, "
    "see also, links, related work, cross references",
    FormPart.RESOLUTION: "closure notes, closure, disposition, final disposition, fix applied, status, outcome, "
    "resolution notes, final resolution, resolution summary, resolution details, decision, "
    "implementation, fix implemented, verdict, final verdict, closing notes, final status, "
    "investigation result, triage decision, fix description, final fix description, conclusion, fix status, "
    "fix summary, fix details, closing remarks, completion notes, implementation notes, "
    "implementation summary, post fix notes, wont fix rationale, why this is not a bug, why wont fix",
    FormPart.HISTORY: "changelog, change history, ticket history",
    FormPart.APPENDIX: "appendices, references, original report reference, source, origin",
}
BY_WORDS = by_name(OTHER_NAMES) | {words(part.value): part for part in FormPart}
# A heading that begins with one of these is that of the resolution (`Closure of 2025-03-09`).
RESOLUTION_WORDS = name_set("resolution, closure, disposition, resolved")
REVIEW_WORDS = re.compile(r"\b(?:(?:cross|peer|expert)[\s-]*)?reviews?\b", re.IGNORECASE)


class HeadingMeaning(msgspec.Struct, frozen=True):
    """The part of the form that a heading names, whether it is the form's heading, and its other words."""

    part: FormPart
    is_own: bool
    rest: str


def heading_meaning(title: str) -> HeadingMeaning | None:
    """Return the meaning of a heading, None if it names no part of the form."""
    plain = NUMBER.sub("", title.strip())
    part = BY_WORDS.get(words(plain))
    if part is not None:
        return HeadingMeaning(part, is_own=title.strip() == part.value, rest="")
    if REVIEW_WORDS.search(plain):
        return HeadingMeaning(FormPart.REVIEW, is_own=False, rest="")
    head, rest = split_heading(plain)
    part = BY_WORDS.get(words(head))
    if part is None and words(head).partition(" ")[0] in RESOLUTION_WORDS:
        part = FormPart.RESOLUTION
    return HeadingMeaning(part, is_own=False, rest=rest) if part is not None else None


def split_heading(title: str) -> tuple[str, str]:
    """Return the text before the first colon, bracket or dash of a heading, and the text after it."""
    cut = HEADING_SEPARATOR.search(title)
    return (title[: cut.start()], title[cut.end() :]) if cut else (title, "")
