"""Tickets in the YAML that a person writes: any order of keys, any style, comments anywhere."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import strategies as st

from esper_audit.claims.quantity_claims import FormulaClaim
from esper_audit.claims.records import ReadersClaim
from esper_audit.claims.reply import Answer as ClaimAnswer
from esper_audit.findings.finding import Category, Occurrence, Severity
from esper_audit.tickets.parts import (
    AsWritten,
    Change,
    Evidence,
    EvidenceTable,
    Extra,
    FixOption,
    JudgedClaim,
    Opinion,
    Related,
    Relation,
    Resolution,
    Review,
    Step,
    StoredAnswer,
    TicketImpact,
    TicketLocation,
    Truth,
)
from esper_audit.tickets.states import ResolutionKind, Status
from esper_audit.tickets.ticket import Ticket
from esper_audit.tickets.yaml_edit.emit import entry_lines, indented

WORDS = st.text(alphabet="ab é:#'\"-|>{}[]&*!%@`,?~0", min_size=1, max_size=12)
PROSE = st.sampled_from(
    [
        "One line.",
        "It says `x: y` # and more.",
        "Two lines,\nwith trailing spaces   \n\nand a gap.",
        "```python\nif x:\n\n    y = 1   \n```\n",
        "    indented first\nthen not",
        "- a list\n- of two\n",
        "ends with lines\n\n\n",
    ]
)


class Piece(msgspec.Struct, frozen=True):
    """An entry of the top level as it stands in the text, without the end of its last line."""

    key: str
    text: str


class Handwritten(msgspec.Struct, frozen=True):
    """A whole file: what stands in front of the entries, between them and behind; line ends are `\\n`."""

    pieces: list[Piece]
    gaps: list[str]
    newline: str
    mark: str

    @property
    def text(self) -> str:
        """The file."""
        parts = itertools.chain.from_iterable(
            (gap, piece.text + "\n") for gap, piece in zip(self.gaps, self.pieces, strict=False)
        )
        return (self.mark + "".join(parts) + self.gaps[-1]).replace("\n", self.newline)


@st.composite
def handwritten(draw: st.DrawFn, content: dict[str, Any]) -> Handwritten:
    """Draw a file that means `content`."""
    notes = itertools.count()
    keys = draw(st.permutations(list(content)))
    pieces = [Piece(key, "\n".join(_entry(draw, notes, key, content[key]))) for key in keys]
    gaps = ["".join(_gap(draw, notes)) for _ in range(len(keys) + 1)]
    newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    return Handwritten(pieces, gaps, newline, draw(st.sampled_from(["", "", "\ufeff", "---\n"])))


def _gap(draw: st.DrawFn, notes: Iterator[int], indent: str = "") -> list[str]:
    kinds = draw(st.lists(st.sampled_from(["note", "blank", "spaces"]), max_size=2))
    written = {"blank": "\n", "spaces": " \n"}
    return [written.get(kind) or f"{indent}# note {next(notes)}: kept  \n" for kind in kinds]


def _between(draw: st.DrawFn, notes: Iterator[int], indent: str) -> list[str]:
    return [line.removesuffix("\n") for line in _gap(draw, notes, indent)]


def _entry(draw: st.DrawFn, notes: Iterator[int], key: str, value: Any) -> list[str]:
    written = f'"{key}"' if draw(st.integers(0, 9)) == 0 else key
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        indent = draw(st.sampled_from(["", "  ", "    "]))
        head = [f"{written}:{_behind(draw, notes)}"]
        return head + [line for item in value for line in _item(draw, notes, item, indent)]
    if isinstance(value, dict) and draw(st.booleans()):
        return [f"{written}:{_behind(draw, notes)}", *_fields(draw, notes, value, "  ")]
    return _scalar(draw, notes, written, value)


def _item(draw: st.DrawFn, notes: Iterator[int], item: Any, indent: str) -> list[str]:
    lines = _between(draw, notes, indent)
    if not isinstance(item, dict) or draw(st.integers(0, 4)) == 0:
        return [*lines, f"{indent}- {json.dumps(item, ensure_ascii=False)}{_behind(draw, notes)}"]
    first, *rest = _fields(draw, notes, item, "", first=True)
    return [*lines, f"{indent}- {first}", *indented(rest, len(indent) + 2)]


def _fields(
    draw: st.DrawFn,
    notes: Iterator[int],
    content: dict[str, Any],
    indent: str,
    *,
    first: bool = False,
) -> list[str]:
    lines: list[str] = []
    for number, (key, value) in enumerate(content.items()):
        if number or not first:
            lines += _between(draw, notes, "")
        lines += _scalar(draw, notes, key, value)
    return indented(lines, len(indent))


def _scalar(draw: st.DrawFn, notes: Iterator[int], key: str, value: Any) -> list[str]:
    """Return `key: value` in a style that the value can have, a note behind it where there may be one.

    Blank lines behind a block that keeps them would be its own, so such a text is quoted.
    """
    space = draw(st.sampled_from([" ", "   "]))
    first, *rest = entry_lines("k", value)
    lines = [key + first.removeprefix("k"), *rest]
    style = draw(st.sampled_from(["usual", "usual", "double", "single"]))
    is_word = isinstance(value, str) and "\n" not in value
    if style == "single" and is_word:
        lines = [f"{key}:{space}'" + value.replace("'", "''") + "'"]
    elif style == "double" or isinstance(value, dict | list) or str(value).endswith("\n\n"):
        lines = [f"{key}:{space}{json.dumps(value, ensure_ascii=False)}"]
    if len(lines) > 1 and not lines[0].partition(": ")[2].startswith("|"):
        return lines
    return [lines[0] + _behind(draw, notes), *lines[1:]]


def _behind(draw: st.DrawFn, notes: Iterator[int]) -> str:
    return f"   # note {next(notes)}: behind" if draw(st.integers(0, 4)) == 0 else ""


def filled_ticket() -> Ticket:
    """Return a ticket with something in every field."""
    return Ticket(
        id="B2.x_1",
        title="A gate that nobody asks",
        status=Status.WONT_FIX,
        severity=Severity.P1,
        proposed_severity=Severity.P3,
        severity_reason="callers hit it",
        created="2026-05-04",
        updated="2026-05-05",
        domain="slots",
        batch="2",
        agent="drl",
        assignee="jo",
        categories=[Category.CORRECTNESS, Category.TEST_COVERAGE],
        contract="no-hasattr",
        check="unauthorised-hasattr",
        fingerprint="0123456789abcdef",
        locations=[
            TicketLocation(path="slot.py", symbol="Slot.step", lines="3-9, 12", note="first"),
            TicketLocation(path="gate.py", note="and `here`"),
        ],
        summary="Nobody asks the gate.",
        description="It is there.\n\n- and `x | y`\n",
        why_it_matters="It costs.",
        evidence=[
            Evidence(text="As seen:", place="slot.py:3", code="a\n\n  b", language="text"),
            Evidence(code="    c = 1", first_line=7, commit="abcd123"),
            Evidence(
                table=EvidenceTable(columns=["dim", "ratio"], rows=[[64, 0.5], ["all", "x|y"]])
            ),
        ],
        claims=[
            ReadersClaim(id="C1", sentence="Nobody asks it.", of="asked", states_defect=True),
            FormulaClaim(
                id="C2",
                sentence="They agree.",
                left="2 * dim",
                right="dim + 1",
                over={"dim": [1, 2]},
                expect=ClaimAnswer.REFUTED,
            ),
        ],
        answers=[
            StoredAnswer(
                claim="C1", answer=ClaimAnswer.HOLDS, evidence="0 reads", places=["a.py:1"]
            ),
            StoredAnswer(
                claim="C2",
                answer=ClaimAnswer.REFUTED,
                evidence="4 against 3",
                table=EvidenceTable(columns=["dim", "left", "right"], rows=[[2, 4, 3]]),
                seen_gone=True,
            ),
        ],
        impact=TicketImpact(reality=Occurrence.LATENT, words="1 call, none hits it: latent"),
        fix=[
            FixOption(text="Two ways:"),
            FixOption(label="Option 1", option="ask", text="Ask it.", diff="-a\n+b"),
            FixOption(option="drop", text="Drop it."),
        ],
        verification=[
            Step(text="ask\nagain", done=True),
            Step(text="run", test="tests/test_a.py::test_b", claim="c1"),
        ],
        related=[Related(id="B2-3", relation=Relation.BLOCKED_BY, note="a | b")],
        reviews=[
            Review(
                reviewer="drl",
                role="DRL Specialist",
                verdict=Opinion.REFINE,
                as_written="REFINE (Option 1)",
                date="2026-05-06",
                evaluation="Yes.\n\nBut.",
            )
        ],
        resolution=Resolution(
            kind=ResolutionKind.WONT_FIX,
            as_written="Won't Fix",
            evidence="Nobody needs it.\n\nReally.",
            claims=[
                JudgedClaim(claim="it costs", verdict=Truth.FALSE, as_written="no", evidence="x")
            ],
            commits=["abcd123"],
            sign_off="jo",
        ),
        source="imported from wontfix/B2.md",
        report="reports/batch2.md",
        section='"P1" - slot.py',
        history=[
            Change(date="2026-05-04", by="jo", before="open", after="wont-fix", why="see there")
        ],
        as_written=[AsWritten(field="status", where="folder", words="wontfix")],
        extra=[
            Extra(section="Ticket Metadata", row="Reviewer", text="al"),
            Extra(section="Detailed Description", heading="Current Mitigation", text="None."),
            Extra(section="Investigation Notes", text="### Found\n\nNothing."),
        ],
    )
