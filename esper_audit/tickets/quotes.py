"""The code that a ticket quotes from the source: its evidence, and fences of its description."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.claims.quotation import line_ranges, named_lines
from esper_audit.tickets.markdown_import.document.block_records import BlockKind, MarkdownBlock
from esper_audit.tickets.markdown_import.document.document import DocumentSection, read_document
from esper_audit.tickets.markdown_import.sections.description import code_evidence
from esper_audit.tickets.markdown_import.terms.paths import FILE
from esper_audit.tickets.parts import Evidence
from esper_audit.tickets.ticket import Ticket

PLACE = re.compile(r"(?P<path>[^\s:]+)(?::(?P<lines>[\d,\-–L ]*\d))?(?::.*)?")
PYTHON = ("python", "py", "python3", "pyi")
FENCES = ("```", "~~~")
# A fence behind words of these is no code of the file, but what it should be or how it is called.
PROPOSED = re.compile(
    r"^\W*after\b|\b(?:should|could|would|instead|suggest\w*|recommend\w*|propos\w*|expected|correct|better|fixed|"
    r"after (?:the )?(?:fix|change)|standard fix|solution|for example|for instance|e\.g\.|examples?|usage|"
    r"this means|imagine|consider|reproduce\w*|output|prints?|results? in|shows?|log|traceback)\b",
    re.IGNORECASE,
)
OUTPUT = re.compile(
    r"^(?:\$ |>>> |% |Traceback \(most recent|In \[\d+\]:|Out\[\d+\]:)", re.MULTILINE
)
# Names of another alphabet, and names with a brace behind them, are mathematics (`V(s_{t+1})`).
FORMULA = re.compile(r"^[^#\"'\n]*(?:[α-ωΑ-Ω∑∏∂∇√≤≥≈∈]|\w\{)", re.MULTILINE)
ALL_FILES = re.compile(r"\b(?:both|each|all|every)\b", re.IGNORECASE)
Key = tuple[str | int, ...]


class Quote(msgspec.Struct, frozen=True):
    """Quoted code: the path of keys to it in its ticket, the file, the cited lines, and the code."""

    key: Key
    path: str
    lines: str
    code: str


def quotes_of(ticket: Ticket) -> Iterator[Quote]:
    """Yield the code that a ticket quotes, from the place that it names or else from the ticket's.

    A ticket that a run writes has the code of its finding and no quotation.
    """
    if ticket.fingerprint:
        return
    for position, evidence in enumerate(ticket.evidence):
        yield from _quote(("evidence", position), evidence, evidence.text, ticket)
    if any(mark in ticket.description for mark in FENCES):
        for before, evidence in _fences(ticket.description):
            if not PROPOSED.search(before):
                yield from _quote(("description",), evidence, before, ticket)


def _quote(key: Key, evidence: Evidence, before: str, ticket: Ticket) -> Iterator[Quote]:
    named = PLACE.fullmatch(evidence.place)
    paths = [_own_path(named["path"], ticket)] if named else _located(before, ticket)
    spans = line_ranges(named["lines"] or "") if named else []
    if not spans:
        comments = (line.strip() for line in evidence.code.splitlines())
        spans = [span for line in comments if line[:1] == "#" for span in named_lines(line)]
    lines = ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in spans)
    for path in paths:
        if _is_source(evidence, path):
            yield Quote(key, path, lines, evidence.code)


def _fences(description: str) -> Iterator[tuple[str, Evidence]]:
    """Yield each fence with code, and the words in front of it: of the last sentence, or of the heading."""
    document = read_document(description)
    yield from _fences_of("", document.preamble, document.sections)


def _fences_of(
    title: str, blocks: Sequence[MarkdownBlock], children: Sequence[DocumentSection]
) -> Iterator[tuple[str, Evidence]]:
    before = title
    for block in blocks:
        evidence = code_evidence(block) if block.kind is BlockKind.FENCE else None
        if evidence is None:
            before = _last_sentence(block.text)
        elif evidence.code:
            yield before, evidence
    for child in children:
        yield from _fences_of(child.title, child.blocks, child.children)


def _last_sentence(text: str) -> str:
    sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z`*\d])", text.strip())
    return sentences[-1]


def _is_source(evidence: Evidence, path: str) -> bool:
    """Return whether code can be from a file: no output of a program, and Python for a Python file."""
    if not evidence.code or OUTPUT.search(evidence.code) or FORMULA.search(evidence.code):
        return False
    if evidence.language.lower() in PYTHON:
        return True
    if evidence.language == "":
        return bool(evidence.place) or _is_python(evidence.code)
    return path.endswith(f".{evidence.language}")


def _is_python(code: str) -> bool:
    try:
        statements = ast.parse(textwrap.dedent(code)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(
        not isinstance(one, ast.Expr) or isinstance(one.value, ast.Call) for one in statements
    )


def _located(before: str, ticket: Ticket) -> list[str]:
    """Return the located file that a sentence names, or all of them (`Both files have:`), else the first."""
    paths = list(dict.fromkeys(place.path for place in ticket.locations))
    names = [name.rpartition("/")[2] for name in FILE.findall(before)]
    named = [path for path in paths if path.rpartition("/")[2] in names]
    return named or (paths if ALL_FILES.search(before) else paths[:1])


def _own_path(path: str, ticket: Ticket) -> str:
    """Return the ticket's path of a file that has another path on another machine."""
    names = [place.path for place in ticket.locations]
    tail = path.rpartition("/")[2]
    same = [name for name in names if name.rpartition("/")[2] == tail]
    return path if path in names or not same else same[0]
