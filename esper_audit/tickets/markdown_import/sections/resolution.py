"""Reading the resolution: the words for the status, claims with verdicts, commits, sign-off and evidence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.tickets.markdown_import.document.block_records import BlockKind, MarkdownBlock
from esper_audit.tickets.markdown_import.document.document import DocumentSection, text_of
from esper_audit.tickets.markdown_import.document.inline_values import (
    date_in,
    name_set,
    one_line,
    without_markup,
    words,
)
from esper_audit.tickets.markdown_import.document.labelled_values import (
    list_values,
    paragraph_values,
    table_values,
)
from esper_audit.tickets.markdown_import.sections.review_builder import paragraph
from esper_audit.tickets.markdown_import.terms.claim_verdicts import claims_in
from esper_audit.tickets.markdown_import.terms.headings import split_heading
from esper_audit.tickets.markdown_import.terms.statuses import StatusPlace, read_status
from esper_audit.tickets.parts import JudgedClaim
from esper_audit.tickets.states import ResolutionKind

STATUS_LABELS = name_set(
    "status, final status, disposition, final disposition, resolution, outcome, verdict, "
    "final verdict, decision, resolution status, final decision, final resolution, "
    "conclusion, result, resolution type"
)
SIGN_OFF_LABELS = name_set("sign off, signoff, signed off, signed off by")
COMMIT_LABELS = name_set("commit, commits, fix commit, fix commits, commit hash, commit s")
DATE_LABELS = name_set(
    "resolved, closed, fixed, date, date resolved, resolved on, closed on, fixed on, resolution date, "
    "date closed, date fixed, completed, closed date, fixed date"
)
TABLE_LABELS = (
    STATUS_LABELS | COMMIT_LABELS | SIGN_OFF_LABELS | DATE_LABELS | name_set("severity, priority")
)
PLAIN_LABELS = name_set("status, resolution, disposition, outcome")
FIX_HEADINGS = name_set(
    "fix, the fix, final fix description, fix applied, fix description, changes, changes "
    "made, files changed, implementation, fix implemented, what was done, solution, "
    "solution implemented, enhancement applied, code changes"
)
CLAIM_HEADINGS = name_set("evidence, claims, evidence table, claims table")
NO_FIX = re.compile(
    r"\bno (?:fix|change|changes|action|code change|code changes)\b[^.]{0,20}\b(?:needed|required|made)\b",
    re.IGNORECASE,
)
CLOSING = re.compile(
    r"\b(?:clos(?:e|ed|ing)|mark(?:ed|ing)?|resolv(?:e|ed|ing)) as\b[\s*_`\"']*(?P<status>[\w' -]{3,30})",
    re.IGNORECASE,
)
HASHES = re.compile(r"(?:[`\s,;]|\band\b|&)*(?:[0-9a-f]{4,40}(?:[`\s,;]|\band\b|&|$)+)+")
HASH = re.compile(r"(?:`|\b[Cc]ommits? )(?=[0-9a-f]*\d)(?=[0-9]*[a-f])([0-9a-f]{7,40})(?![\w/.-])")


class ResolutionSection(msgspec.Struct, frozen=True):
    """The content of a section of resolution.

    `date` is its first date with a label, empty without one. `status_words` are its words for the status,
    empty without any. `implied_kind` is the kind that headings such as `Fix Applied` imply. `evidence` is
    the source of everything without a field.
    """

    status_words: str
    implied_kind: ResolutionKind | None
    evidence: str
    claims: list[JudgedClaim]
    commits: list[str]
    sign_off: str
    date: str = ""


def read_resolution(section: DocumentSection, rest: str = "") -> ResolutionSection:
    """Read a section of resolution.

    `rest` are the words of its heading after the name of the section.
    """
    reader = _ResolutionReader()
    if rest and read_status(StatusPlace.RESOLUTION, rest):
        reader.status_words = rest.rstrip(")] ")
    unread = list(reader.unread(section.nodes))
    if not reader.status_words:
        reader.status_words = _closing_status(section)
    evidence = text_of(unread)
    while evidence.startswith("**Evidence:**"):
        evidence = evidence.removeprefix("**Evidence:**").lstrip(" ").lstrip("\n")
    implied_kind = None if reader.status_words else _implied_kind(section)
    commits = dict.fromkeys([*reader.commits, *HASH.findall(evidence)])
    return ResolutionSection(
        status_words=reader.status_words,
        implied_kind=implied_kind,
        evidence=evidence,
        claims=reader.claims,
        commits=list(commits),
        sign_off=reader.sign_off,
        date=reader.date,
    )


class _ResolutionReader:
    """Reads fields from the nodes of a section and returns the other nodes."""

    def __init__(self) -> None:
        self.status_words = ""
        self.sign_off = ""
        self.date = ""
        self.commits: list[str] = []
        self.claims: list[JudgedClaim] = []

    def unread(
        self, nodes: Sequence[MarkdownBlock | DocumentSection]
    ) -> Iterator[MarkdownBlock | DocumentSection]:
        """Yield the nodes, or the parts of them, that have no field."""
        for node in nodes:
            if isinstance(node, DocumentSection):
                yield from self._child(node)
            elif claims := claims_in(node):
                self.claims += claims
            elif node.kind is BlockKind.PARAGRAPH:
                yield from self._paragraph(node)
            else:
                self._read_status(node)
                yield node

    def _child(self, child: DocumentSection) -> Iterator[MarkdownBlock | DocumentSection]:
        head, rest = split_heading(child.title)
        label = words(head)
        if (
            not self.status_words
            and label in STATUS_LABELS
            and read_status(StatusPlace.RESOLUTION, rest)
        ):
            self.status_words = rest
            yield from self.unread(child.nodes)
        elif (
            label in SIGN_OFF_LABELS and not rest and not self.sign_off and _is_one_paragraph(child)
        ):
            self.sign_off = text_of(child.blocks)
        elif label in COMMIT_LABELS and not rest and _is_hashes(_joined_text(child)):
            self.commits += re.findall(r"[0-9a-f]{4,40}", _joined_text(child))
        else:
            rest_of_child = self._without_claims(child)
            is_emptied = child.blocks and not rest_of_child.nodes
            if not (is_emptied and words(child.title) in CLAIM_HEADINGS):
                yield rest_of_child

    def _without_claims(self, section: DocumentSection) -> DocumentSection:
        """Read the tables of claims of a section, and return the section without them."""
        blocks = []
        for block in section.blocks:
            claims = claims_in(block)
            self.claims += claims
            blocks += [] if claims else [block]
        children = tuple(self._without_claims(child) for child in section.children)
        return msgspec.structs.replace(section, blocks=tuple(blocks), children=children)

    def _paragraph(self, block: MarkdownBlock) -> Iterator[MarkdownBlock]:
        """Read the labelled lines of a paragraph, and yield the other lines."""
        unread: list[str] = []
        line = start = block.first
        for statement in paragraph_values(block, PLAIN_LABELS):
            count = statement.source.count("\n") + 1
            if self._read_value(statement.label, statement.value):
                if unread:
                    yield paragraph("\n".join(unread), start)
                unread, start = [], line + count
            else:
                unread.append(statement.source)
            line += count
        if unread:
            yield paragraph("\n".join(unread), start)

    def _read_value(self, label: str, value: str) -> bool:
        """Read a labelled value and return whether it is a field."""
        name = words(label)
        self._read_date(name, value)
        if (
            name in STATUS_LABELS
            and not self.status_words
            and read_status(StatusPlace.RESOLUTION, value)
        ):
            self.status_words = one_line(value)
            return True
        if name in SIGN_OFF_LABELS and not self.sign_off and value:
            self.sign_off = value
            return True
        if name in COMMIT_LABELS and value and _is_hashes(value):
            self.commits += re.findall(r"[0-9a-f]{4,40}", value)
            return True
        return False

    def _read_date(self, name: str, value: str) -> None:
        """Read the date of the resolution, which stays part of the evidence."""
        if name in DATE_LABELS and not self.date:
            self.date = date_in(value)

    def _read_status(self, block: MarkdownBlock) -> None:
        """Read the status of a list or table of labelled values, which stays part of the evidence."""
        pairs = list_values(block) if block.kind is BlockKind.LIST else []
        if block.kind is BlockKind.TABLE:
            pairs = table_values(block, TABLE_LABELS)
        for pair in pairs:
            self._read_date(words(pair.label), pair.value)
            if (
                words(pair.label) in STATUS_LABELS
                and not self.status_words
                and read_status(StatusPlace.RESOLUTION, pair.value)
            ):
                self.status_words = one_line(pair.value)


def _is_one_paragraph(section: DocumentSection) -> bool:
    alone = len(section.blocks) == 1 and not section.children
    return (
        alone
        and section.blocks[0].kind is BlockKind.PARAGRAPH
        and not any(statement.label for statement in paragraph_values(section.blocks[0])[1:])
    )


def _joined_text(section: DocumentSection) -> str:
    """Return the text of a section of commits with its items joined by commas."""
    items = [item.text for block in section.blocks for item in block.items]
    texts = [block.text for block in section.blocks if block.kind is not BlockKind.LIST]
    return ", ".join([*items, *texts]) if not section.children else ""


def _is_hashes(text: str) -> bool:
    """Return whether a text consists of commit hashes."""
    return bool(HASHES.fullmatch(text)) and all(
        re.search(r"\d", found) or len(found) > 6 for found in re.findall(r"[0-9a-f]{4,40}", text)
    )


def _closing_status(section: DocumentSection) -> str:
    """Return the status in a sentence of a paragraph (`Closing as wont-fix`), empty without one."""
    for block in section.blocks:
        match = CLOSING.search(block.text) if block.kind is BlockKind.PARAGRAPH else None
        if match and read_status(StatusPlace.RESOLUTION, match["status"]):
            return one_line(match["status"]).strip("-")
    return ""


def _implied_kind(section: DocumentSection) -> ResolutionKind | None:
    if NO_FIX.search(text_of(section.nodes)):
        return ResolutionKind.NOT_A_BUG
    titles = [section.title, *(child.title for child in section.children)]
    labels = [statement.label for block in section.blocks for statement in paragraph_values(block)]
    named = any(words(without_markup(name)) in FIX_HEADINGS for name in [*titles, *labels])
    return ResolutionKind.FIXED if named else None
