"""How a ticket ended: its words for the status, claims that were judged, commits, who signed; the rest is evidence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.tickets.markdown_import.document.blocks import BlockKind, MarkdownBlock
from esper_audit.tickets.markdown_import.document.document import DocumentSection, text_of
from esper_audit.tickets.markdown_import.document.inline_values import (
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
    r"\b(?:clos(?:e|ed|ing)|mark(?:ed|ing)?|resolv(?:e|ed|ing)) as\b[\s*_`\"']*(?P<said>[\w' -]{3,30})",
    re.IGNORECASE,
)
HASHES = re.compile(r"(?:[`\s,;]|\band\b|&)*(?:[0-9a-f]{4,40}(?:[`\s,;]|\band\b|&|$)+)+")
HASH = re.compile(r"(?:`|\b[Cc]ommits? )(?=[0-9a-f]*\d)(?=[0-9]*[a-f])([0-9a-f]{7,40})(?![\w/.-])")


class ResolutionSection(msgspec.Struct, frozen=True):
    """What a section of resolution says.

    `said` are its words for the status (empty without any); `hint` is what headings such as `Fix Applied`
    let one guess; `evidence` is everything that no field takes, as it was written.
    """

    said: str
    hint: ResolutionKind | None
    evidence: str
    claims: list[JudgedClaim]
    commits: list[str]
    sign_off: str


def read_resolution(section: DocumentSection, rest: str = "") -> ResolutionSection:
    """Read a section of resolution; `rest` is what its heading says beyond that it is one."""
    reader = _ResolutionReader()
    if rest and read_status(StatusPlace.RESOLUTION, rest):
        reader.said = rest.rstrip(")] ")
    left = list(reader.left(section.nodes))
    whole = text_of(section.nodes)
    if not reader.said:
        reader.said = _closing_status(section)
    evidence = text_of(left)
    while evidence.startswith("**Evidence:**"):
        evidence = evidence.removeprefix("**Evidence:**").lstrip(" ").lstrip("\n")
    hint = None if reader.said else _implied_kind(section, whole)
    commits = dict.fromkeys([*reader.commits, *HASH.findall(evidence)])
    return ResolutionSection(
        reader.said, hint, evidence, reader.claims, list(commits), reader.sign_off
    )


class _ResolutionReader:
    """Takes fields out of the nodes of a section and gives back what is left."""

    def __init__(self) -> None:
        self.said = ""
        self.sign_off = ""
        self.commits: list[str] = []
        self.claims: list[JudgedClaim] = []

    def left(
        self, nodes: Sequence[MarkdownBlock | DocumentSection]
    ) -> Iterator[MarkdownBlock | DocumentSection]:
        """Yield the nodes that no field takes."""
        for node in nodes:
            if isinstance(node, DocumentSection):
                yield from self._child(node)
            elif claims := claims_in(node):
                self.claims += claims
            elif node.kind is BlockKind.PARAGRAPH:
                yield from self._paragraph(node)
            else:
                self._listen(node)
                yield node

    def _child(self, child: DocumentSection) -> Iterator[MarkdownBlock | DocumentSection]:
        head, rest = split_heading(child.title)
        label = words(head)
        if not self.said and label in STATUS_LABELS and read_status(StatusPlace.RESOLUTION, rest):
            self.said = rest
            yield from self.left(child.nodes)
        elif (
            label in SIGN_OFF_LABELS and not rest and not self.sign_off and _is_one_paragraph(child)
        ):
            self.sign_off = text_of(child.blocks)
        elif label in COMMIT_LABELS and not rest and _is_hashes(_joined_text(child)):
            self.commits += re.findall(r"[0-9a-f]{4,40}", _joined_text(child))
        else:
            left = self._without_claims(child)
            emptied = child.blocks and not (left.blocks or left.children)
            if not (emptied and words(child.title) in CLAIM_HEADINGS):
                yield left

    def _without_claims(self, section: DocumentSection) -> DocumentSection:
        """Return a section without its tables of judged claims."""
        blocks = []
        for block in section.blocks:
            claims = claims_in(block)
            self.claims += claims
            blocks += [] if claims else [block]
        children = tuple(self._without_claims(child) for child in section.children)
        return msgspec.structs.replace(section, blocks=tuple(blocks), children=children)

    def _paragraph(self, block: MarkdownBlock) -> Iterator[MarkdownBlock]:
        """Take the labelled lines of a paragraph that are fields; yield the others where they stand."""
        held: list[str] = []
        line = start = block.first
        for statement in paragraph_values(block, PLAIN_LABELS):
            count = statement.source.count("\n") + 1
            if self._takes(statement.label, statement.value):
                if held:
                    yield paragraph("\n".join(held), start)
                held, start = [], line + count
            else:
                held.append(statement.source)
            line += count
        if held:
            yield paragraph("\n".join(held), start)

    def _takes(self, label: str, value: str) -> bool:
        said = words(label)
        if said in STATUS_LABELS and not self.said and read_status(StatusPlace.RESOLUTION, value):
            self.said = one_line(value)
            return True
        if said in SIGN_OFF_LABELS and not self.sign_off and value:
            self.sign_off = value
            return True
        if said in COMMIT_LABELS and value and _is_hashes(value):
            self.commits += re.findall(r"[0-9a-f]{4,40}", value)
            return True
        return False

    def _listen(self, block: MarkdownBlock) -> None:
        """Note what a list or table of names and values says; it stays where it is."""
        pairs = list_values(block) if block.kind is BlockKind.LIST else []
        if block.kind is BlockKind.TABLE:
            pairs = table_values(block, STATUS_LABELS | COMMIT_LABELS | SIGN_OFF_LABELS)
        for pair in pairs:
            if (
                words(pair.label) in STATUS_LABELS
                and not self.said
                and read_status(StatusPlace.RESOLUTION, pair.value)
            ):
                self.said = one_line(pair.value)


def _is_one_paragraph(section: DocumentSection) -> bool:
    alone = len(section.blocks) == 1 and not section.children
    return (
        alone
        and section.blocks[0].kind is BlockKind.PARAGRAPH
        and not any(statement.label for statement in paragraph_values(section.blocks[0])[1:])
    )


def _joined_text(section: DocumentSection) -> str:
    """Return the text of a section of commits, items side by side."""
    items = [item.text for block in section.blocks for item in block.items]
    texts = [block.text for block in section.blocks if block.kind is not BlockKind.LIST]
    return ", ".join([*items, *texts]) if not section.children else ""


def _is_hashes(text: str) -> bool:
    """Return whether a text is hashes of commits and nothing else."""
    return bool(HASHES.fullmatch(text)) and all(
        re.search(r"\d", found) or len(found) > 6 for found in re.findall(r"[0-9a-f]{4,40}", text)
    )


def _closing_status(section: DocumentSection) -> str:
    """Return the status that a paragraph says in a sentence (`Closing as wont-fix`)."""
    for block in section.blocks:
        match = CLOSING.search(block.text) if block.kind is BlockKind.PARAGRAPH else None
        if match and read_status(StatusPlace.RESOLUTION, match["said"]):
            return one_line(match["said"]).strip("-")
    return ""


def _implied_kind(section: DocumentSection, whole: str) -> ResolutionKind | None:
    if NO_FIX.search(whole):
        return ResolutionKind.NOT_A_BUG
    titles = [section.title, *(child.title for child in section.children)]
    labels = [statement.label for block in section.blocks for statement in paragraph_values(block)]
    named = any(words(without_markup(name)) in FIX_HEADINGS for name in [*titles, *labels])
    return ResolutionKind.FIXED if named else None
