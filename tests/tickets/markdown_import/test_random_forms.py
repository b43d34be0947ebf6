"""Random forms, with sections in any order and odd lines anywhere, lose no word."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.irregular_documents import LOCATIONS
from support.markdown_forms import HEADINGS, WHOLE, assert_stays, read
from support.resolution_layouts import LAYOUTS as RESOLUTIONS
from support.resolution_layouts import STILL_OPEN
from support.review_layouts import LAYOUTS as REVIEWS
from support.review_layouts import NO_REVIEWS

from esper_audit.tickets.markdown_import.completeness import missing_text

# Lines that mean something to somebody: alone, or below each other, they are what people paste into forms.
LINES = [
    "Ask the tank once.",
    "**Note:** ask the `tank | pump` once",
    "**Status:** Fixed",
    "**Verdict:** OBJECT",
    "**Reviewer:** pump",
    "**Evaluation:** dead weight",
    "**Evidence:** seen",
    "**Sign-off:** pump",
    "**Commits:** `58ab12cd`",
    "**Category:** Performance",
    "**Pump Specialist:** ENDORSE - yes",
    "**Option B: cache it**",
    "**Report file:** `q9.md`",
    "| a | b |",
    "|---|---|",
    "| pump | ENDORSE |",
    "| Claim | Status | Evidence |",
    "| Verdict | ENDORSE |",
    "| **File(s)** | `b.py` |",
    "- plain",
    "- [x] ticked",
    "- [ ] not ticked `code`",
    "  - below",
    "1. first",
    "2) second",
    "- Q7-NET-09: other",
    "- `b.py:3` - there",
    "> quoted",
    "### Status: FIXED",
    "### Commits",
    "### Sign-Off",
    "### What's Wrong",
    "### Impact",
    "### Code Evidence",
    "### How to Verify the Fix",
    "### Option C",
    "### Anything (2025-03-04)",
    "#### Deeper",
    "##### Deepest",
    "    indented code",
    "---",
    "***",
    "===",
    "<br>",
    "<!-- aside -->",
    "trailing blanks   ",
    "None.",
    "N/A",
    "\\| escaped \\* marks",
    "[g]: https://example.org",
    "é → ✓ 🧵",
    "",
    "",
]
FENCES = [
    "```python\n# b.py:3\n\na()\n```",
    "~~~\n## Resolution\n~~~",
    "```\n| a |\n```",
    "````md\n```\nx\n```\n````",
]
line = st.sampled_from(LINES)
fragment = st.lists(st.one_of(line, line, line, st.sampled_from(FENCES)), max_size=7).map("\n".join)
plain_text = st.text(
    st.characters(
        codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029\ufeff"
    ),
    max_size=30,
)


@st.composite
def forms(draw: st.DrawFn) -> str:
    """Draw a form: the head first, every other section with its own body, with odd lines, or without."""
    bodies = {name: body for name, body in WHOLE.items() if name != "metadata"}
    bodies["location"] = draw(st.sampled_from([text for text, _ in LOCATIONS.values()]))
    sections = []
    for name, body in bodies.items():
        shape = draw(st.integers(0, 4))
        further = draw(fragment) if shape else ""
        text = {0: body, 1: further, 2: f"{body}\n\n{further}", 3: f"{further}\n\n{body}"}.get(
            shape
        )
        sections += [f"## {HEADINGS[name]}\n\n{text}"] if text is not None else []
    pools = [REVIEWS, RESOLUTIONS]
    for pool in pools:
        sections += [
            text for text, _ in draw(st.lists(st.sampled_from(list(pool.values())), max_size=2))
        ]
    sections += draw(
        st.lists(st.sampled_from([*NO_REVIEWS.values(), *STILL_OPEN.values()]), max_size=1)
    )
    sections += [
        f"{'#' * draw(st.integers(2, 3))} {heading}\n{draw(fragment)}"
        for heading in draw(
            st.lists(
                st.sampled_from(
                    ["Notes", "Investigation Notes", "Fix", "Status", "Summary", "Cross-Review"]
                ),
                max_size=2,
            )
        )
    ]
    sections = draw(st.permutations(sections))
    head = f"## Ticket Metadata\n\n{WHOLE['metadata']}\n| **Hint** | {draw(plain_text)} |".rstrip(
        "\n"
    )
    between = draw(st.sampled_from(["\n\n---\n\n", "\n\n", "\n---\n"]))
    return between.join([f"# Finding Ticket: Tank {draw(line)}", head, *sections]) + "\n"


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(forms())
def test_any_form_is_kept_and_stays(text: str) -> None:
    ticket = read(text)
    assert missing_text(text, [ticket]) == []
    assert_stays(ticket)
