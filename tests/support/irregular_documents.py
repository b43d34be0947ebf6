"""Markdown tickets that are not the form, or fill it in oddly; each must be read and kept."""

from __future__ import annotations

from support.markdown_forms import APPENDIX, FIX, METADATA, form, row

WHOLE: dict[str, str] = {
    "the form": form(),
    "metadata with more rows": form(metadata=row("Effort", "2h") + "\n| **Owner** | ada |"),
    "metadata with fewer rows": form(
        metadata="| Field | Value |\n|---|---|\n| **Ticket ID** | `Q7-NET-04` |\n| **Severity** | P1 |"
    ),
    "metadata as labels": form(
        metadata="**Ticket ID:** Q7-NET-04\n**Severity:** P2\n**Status:** open\n**Created:** 2025-03-02"
    ),
    "metadata on one line": form(
        metadata="**Ticket ID:** Q7-NET-04 | **Severity:** P2 | **Status:** open | **Batch:** 7"
    ),
    "metadata as a list": form(
        metadata="- **Ticket ID:** Q7-NET-04\n- **Severity:** P2\n- **Effort:** 2h\n- **Status:** open"
    ),
    "metadata side by side": form(
        metadata="| Ticket ID | Severity | Status | Created |\n|---|---|---|---|\n"
        "| Q7-NET-04 | P2 | open | 2025-03-02 |"
    ),
    "metadata in four columns": form(
        metadata="| Field | Value | Field | Value |\n|---|---|---|---|\n"
        "| **Ticket ID** | Q7-NET-04 | **Severity** | P2 |\n| **Status** | open | **Batch** | 7 |"
    ),
    "metadata without delimiter row": form(
        metadata="| **Ticket ID** | `Q7-NET-04` |\n| **Severity** | `P2` |\n| **Status** | `open` |"
    ),
    "metadata above the first section": "# Tank Asked Twice\n\n**ID:** Q7-NET-04\n**Priority:** High\n"
    "**State:** In Progress\n**Date:** 2025-03-02\n**Effort:** 2h\n\n## Problem\n\nAsked twice.\n\n"
    "## Proposed Solution\n\nAsk once.\n\n## Acceptance Criteria\n\n- [ ] one call\n",
    "front matter": "---\nid: Q7-NET-04\ntitle: Tank asked twice\nseverity: P2\nstatus: open\n"
    "tags: [valve, tank]\n---\n\n## Summary\n\nThe valve asks the tank twice.\n\n## Details\n\nEvery tick.\n",
    "a bug form of labels": "# BUG-12: Tank asked twice\n\n- **Title:** Tank asked twice\n- **Context:** valve\n"
    "- **Impact:** P1 - slow ticks\n- **Environment:** Python 3.13, main\n- **Status:** Open\n"
    "- **Reproduction Steps:**\n  1. tick\n  2. count\n- **Expected Behaviour:** one call\n",
    "a bug form of sections": "# Bug Report: Tank asked twice (Q7-NET-04)\n\n**Severity:** Medium\n"
    "**Status:** Confirmed\n**Reporter:** ada\n\n## Environment\n\nPython 3.13\n\n## Steps to Reproduce\n\n"
    "1. tick\n2. count\n\n## Expected Behavior\n\nOne call.\n\n## Actual Behavior\n\nTwo calls.\n\n"
    "## Root Cause\n\n`valve.py:14`\n\n## Fix\n\nAsk once.\n",
    "an investigation": "# Investigation: Q7-NET-04 - Tank asked twice\n\n**Date:** 2025-03-09\n"
    "**Status:** CLOSED - NOT A BUG\n\n## Hypothesis\n\nThe second call is dead.\n\n## Evidence\n\n"
    "| Claim | Status | Evidence |\n|---|---|---|\n| dead | FALSE | cached |\n\n## Conclusion\n\n"
    "**Verdict:** NOT A BUG\n\nIt is cached.\n\n## Next Steps\n\nNone.\n",
    "everything at the top level": form()
    .replace("### ", "## ")
    .replace("\n## ", "\n# ")
    .replace("# # ", "# "),
    "sections two levels down": form().replace("\n### ", "\n##### ").replace("\n## ", "\n#### "),
    "underlined headings": "Q7-NET-04: Tank asked twice\n===========================\n\n**Severity:** P2\n\n"
    "Summary\n-------\n\nAsked twice.\n\nDetailed Description\n--------------------\n\nEvery tick.\n",
    "rules right below text": form(appendix=APPENDIX + "\n---"),
    "no rules at all": form().replace("\n---\n\n", ""),
    "numbered headings": form()
    .replace("## Location", "## 2. Location")
    .replace("## Summary", "## 3. Summary"),
    "signs in headings": form()
    .replace("## Location", "## 📍 Location")
    .replace("## Summary", "## ✅ Summary"),
    "headings in capitals": form()
    .replace("## Location", "## LOCATION")
    .replace("## Recommended Fix", "## FIX:"),
    "an unclosed fence": form(fix="Ask once:\n\n```python\nlevel = tank.level()\n"),
    "a fence with headings and tables": form(
        fix="Write:\n\n````markdown\n## Resolution\n\n| Verdict | ENDORSE |\n|---|---|\n\n```py\n# x\n```\n````"
    ),
    "tildes around code": form(fix="Ask once:\n\n~~~python\nlevel = tank.level()\n~~~"),
    "code in the margin": form(
        fix="Ask once:\n\n    level = tank.level()\n    close()\n\nThat is all."
    ),
    "a definition of a link": form(fix="As in [the guide][g].\n\n[g]: https://example.org/guide"),
    "a comment": form(fix="<!-- ## Resolution\n\nnot yet -->\n\nAsk once."),
    "hidden details": form(
        fix="<details>\n<summary>Diff</summary>\n\n```diff\n-a\n+b\n```\n\n</details>"
    ),
    "boxes with text appended": form(
        verification="### How to Verify the Fix\n\n- [x] Count the calls (done 2025-03-09, 1 call)\n"
        "- [X] Run the bench\n  it is twice as fast\n\n- [ ] Ask the pump people\n  - twice\n  - in writing"
    ),
    "steps that are numbered": form(verification="1. Count the calls\n2. Run the bench"),
    "verification with other headings": form(
        verification="### How to Verify the Fix\n\n- [ ] Count\n\n### Regression Risk\n\nNone to speak of.\n\n"
        "### Test Files to Update\n\n- `tests/test_valve.py` - counts"
    ),
    "sections in any order": form(
        "## Summary\n\n**One-line summary:** Asked twice.", metadata="", summary="", fix=""
    )
    + f"\n## Recommended Fix\n\n{FIX}\n\n## Ticket Metadata\n\n{METADATA}\n",
    "sections twice": form(
        "## Recommended Fix\n\nOr cache it in the tank.", "## Notes\n\none", "## Notes\n\ntwo"
    ),
    "sections that nobody knows": form(
        "## System Context\n\n**Related concepts:**\n- ticks\n\n### Principles\n\n- [x] Ask once",
        "## Investigation Notes (2025-03-09)\n\n### Finding: cached\n\n"
        "1. Seen in `valve.py:40`\n   ```python\n   x\n   ```",
    ),
    "an empty section": form("## Investigation Notes", "## System Context\n\n"),
    "headings deep inside": form(
        description="### What's Wrong\n\nTwice.\n\n#### Where\n\nLine 14.\n\n##### When\n\nAlways."
    ),
    "other headings in the description": form(
        description="### What's Noted\n\nTwice.\n\n"
        "### Why This Is Acceptable\n\nIt is cached.\n\n### Impact\n\nSlow.\n\n"
        "### Reproduction Steps (if applicable)\n\n1. tick"
    ),
    "evidence between prose": form(
        description="### What's Wrong\n\nTwice.\n\n"
        "### Code Evidence\n\nFirst:\n\n```python\n# valve.py:14\na()\n```\n\n"
        "then, in the shell:\n\n```bash\ngrep -c level valve.py | head\n```\n\nand that is all."
    ),
    "options in bold": form(
        fix="Either:\n\n**Option 1 - Ask once:**\n```python\na()\n```\n\n"
        "**Option 2: Cache (recommended)**\nIn the tank.\n\n"
        "Option 2 is simpler."
    ),
    "options below headings": form(
        fix="### Approach\n\nAsk once.\n\n"
        "### Alternative Approaches (if any)\n\n1. **Cache**: in the tank\n\n### Option B\n\nNothing."
    ),
    "related as a list": form(
        related="- Q7-NET-05: the pump does the same\n- `Q7-CR-01` (duplicate) - code review's view\n"
        "- **Q7-PT-02**, Q7-PT-03: both about ticks\n- Blocks: Q7-NET-09"
    ),
    "related in words": form(
        related="- All three reports noted this\n- CR P3-5: the pump is 2,800 lines"
    ),
    "related, some in words": form(
        related="- Q7-NET-05: the pump\n- the hose, too\n- See also `Q7-CR-01`\n- Duplicate of Q7-PT-02 (merged)"
    ),
    "relations of another kind": form(
        related="| Ticket ID | Relationship | Notes |\n|---|---|---|\n"
        "| `Q7-NET-05` | `same root cause` | the pump |\n| Q7-CR-01, Q7-CR-02 | superseded by | |"
    ),
    "related in a table with more columns": form(
        related="| Ticket | Severity | Notes |\n|---|---|---|\n| Q7-NET-05 | P3 | the pump |"
    ),
    "evidence under another heading": form(
        description="### What's Wrong\n\nTwice.\n\n### Current Code\n\n```python\na()\n```"
    ),
    "nothing related": form(related="None."),
    "no related findings, in words": form(related="No related findings identified."),
    "several reports": form(
        appendix=APPENDIX
        + '\n\n**Report file:** `docs/reports/q8.md`\n**Section:** "Tanks"\n\n**Also identified by:**\n- Pump 3'
    ),
    "categories of another kind": form(
        summary="**One-line summary:** Twice.\n\n"
        "**Category:** (check all that apply)\n- [x] Performance bottleneck (hot path)\n"
        "- [x] Code quality / maintainability\n- [ ] Ergonomics"
    ),
    "a category in a line": form(
        summary="**One-line summary:** Twice.\n\n**Category:** Performance, Dead code"
    ),
    "a summary without label": form(
        summary="The valve reads the tank twice\nper tick.\n\nSecond paragraph."
    ),
    "no summary": form(summary=""),
    "no description": form(description=""),
    "windows line ends": form().replace("\n", "\r\n"),
    "a byte order mark": "\ufeff" + form(),
    "trailing blanks and tabs": form(fix="Ask once.  \nThen close.\n\n-\tone\n-\ttwo   "),
    "no line end at the end": form().rstrip("\n"),
    "signs of all planes": form(fix="🟢 Ask once → 50 % faster ✓ — “quoted” naïve 日本語 🧵"),
    "a title with an id": form().replace(
        "# Finding Ticket: Tank", "# Finding Ticket: Q7-NET-04 - Tank"
    ),
    "no title": form().partition("\n---\n\n")[2],
    "html in cells": form(metadata=row("Effort", "2h<br>or 3h &amp; tea")),
    "pipes in cells": form(metadata=row("Hint", "`Tank \\| None`")),
    "an id with code": form(
        metadata=METADATA.replace("`Q7-NET-04`", "**`Q7-NET-04`** (was Q6-NET-01)")
    ),
    "severity with a story": form(
        metadata=METADATA.replace("`P2`", "~~`P1`~~ → `P2` (downgraded 2025-03-04)")
    ),
    "severity in words": form(metadata=METADATA.replace("`P2`", "High")),
    "emphasis over two cells": form(
        metadata=METADATA.replace("| **Severity** | `P2` |", "| **Severity: | P2** |")
    ),
    "half of an emphasis": form(
        "## Resolution\n\n**Status**: FIXED (done)**\n**Sign-off:** ada**",
        metadata=METADATA.replace("| `valve` |", "| **valve |"),
        summary="**One-line summary**: The valve asks twice.**",
    ),
    "a summary of the resolution": form(
        "## Resolution Summary\n\n| Field | Value |\n|---|---|\n| **Status** | FIXED |\n"
        "| **Final Severity** | P3 |\n| **Resolved** | 2025-03-09 |\n| **Commit** | `58ab12cd` |"
    ),
    "text above the metadata": form().replace(
        "## Ticket Metadata",
        "Verification\n\n### How to Verify the Fix\n\n- [ ] Count\n\n## Ticket Metadata",
    ),
    "dates in words": form(metadata=METADATA.replace("2025-03-02", "2 March 2025")),
    "history of its own": form("## History\n\n- 2025-03-02 raised\n- 2025-03-05 looked at"),
    "a discussion": form(
        "## Discussion\n\n**ada:** really?\n\n> yes\n\n| who | says |\n|---|---|\n| bob | no |"
    ),
}


def rows(files: str, lines: str = "", symbols: str = "") -> str:
    """Return a table of one place; what is empty has no row."""
    cells = {"File(s)": files, "Line(s)": lines, "Function/Class": symbols}
    told = [f"| **{name}** | {cell} |" for name, cell in cells.items() if cell]
    return "\n".join(["| Field | Value |", "|---|---|", *told])


LOCATIONS: dict[str, tuple[str, list[tuple[str, str, str]]]] = {
    "one file": (
        rows("`src/valve.py`", "`12-19`", "`Valve.open()`"),
        [("src/valve.py", "Valve.open", "12-19")],
    ),
    "two files, one range": (
        rows("`src/valve.py`, `src/pump.py`", "`29-30` (both files)", "Module-level"),
        [("src/valve.py", "", "29-30"), ("src/pump.py", "", "29-30")],
    ),
    "two files, two ranges": (
        rows("`a.py`, `b.py`", "`1-2`, `7`", "`f`, `g()`"),
        [("a.py", "f", "1-2"), ("b.py", "g", "7")],
    ),
    "one file, two functions": (
        rows("`a.py`", "`95, 108`", "`f`, `g`"),
        [("a.py", "f", "95"), ("a.py", "g", "108")],
    ),
    "words for lines": (
        rows("`a.py`", "multiple (see below)", "`Tank` various methods"),
        [("a.py", "Tank", "")],
    ),
    "about fifty": (rows("`a.py`", "~50 (definition), `80-90`", "N/A"), [("a.py", "", "80-90")]),
    "lines with a letter": (rows("`a.py`", "L320-L325", "`f`"), [("a.py", "f", "320-325")]),
    "lines behind the path": (rows("`a.py:10-20`", "", "`f`"), [("a.py", "f", "10-20")]),
    "additional locations": (
        rows("`a.py`", "`1`", "`f`")
        + "\n\n**Additional locations (if multi-file):**\n- `b.py:100-110` - the pump\n- `c.py:50`",
        [("a.py", "f", "1"), ("b.py", "", "100-110"), ("c.py", "", "50")],
    ),
    "rows repeated": (
        rows("`a.py`", "`1`", "`f`")
        + "\n| **File(s)** | `b.py` |\n| **Line(s)** | `2-3` |\n| **Function/Class** | `g` |",
        [("a.py", "f", "1"), ("b.py", "g", "2-3")],
    ),
    "a row a place": (
        "| File | Lines | Function |\n|---|---|---|\n| `a.py` | 1-2 | `f` |\n| `b.py` | 7 | `g` |",
        [("a.py", "f", "1-2"), ("b.py", "g", "7")],
    ),
    "labels": (
        "**File:** `src/a.py`\n**Lines:** 5-9\n**Function:** `f`",
        [("src/a.py", "f", "5-9")],
    ),
    "a list of places": (
        "- `a.py:1-2` - first\n- `b.py:3`",
        [("a.py", "", "1-2"), ("b.py", "", "3")],
    ),
    "a place in a paragraph": ("`src/a.py:14`", [("src/a.py", "", "14")]),
    "no file": (rows("multiple", "N/A", "all tanks"), []),
    "the whole class": (rows("`a.py`", "Entire `Tank` class", "`Tank`"), [("a.py", "Tank", "")]),
    "two functions as lines": (rows("`a.py`", "`_check`, `_fill`", "Checks"), [("a.py", "", "")]),
    "files joined by a break": (
        rows("`a.py`<br>`b.py`", "1<br>2", "`f`"),
        [("a.py", "f", "1"), ("b.py", "f", "2")],
    ),
    "rows of no field": (
        rows("`a.py`", "`1`", "`f`") + "\n| **Commit** | `58ab12cd` |",
        [("a.py", "f", "1")],
    ),
    "lines behind their files": (
        rows("`src/a.py`, `src/b.py`", "a.py: 1-2, 9; b.py: 7", "`f`"),
        [("src/a.py", "f", "1-2, 9"), ("src/b.py", "f", "7")],
    ),
    "lines in another order": (
        rows("`src/a.py`, `src/b.py`", "`b.py` lines 20-30, `a.py` lines 5-6", "`f`"),
        [("src/a.py", "f", "5-6"), ("src/b.py", "f", "20-30")],
    ),
    "lines of one of the files": (
        rows("`src/a.py`, `src/b.py`", "`b.py`: 20-30"),
        [("src/a.py", "", ""), ("src/b.py", "", "20-30")],
    ),
    "files in brackets behind the lines": (
        rows("`src/a.py`, `src/b.py`", "`20-30` (b.py), `5` (in a.py)"),
        [("src/a.py", "", "5"), ("src/b.py", "", "20-30")],
    ),
    "lines of a file without a row": (
        rows("`src/a.py`", "`a.py:5`, `c.py:7`"),
        [("src/a.py", "", "5"), ("c.py", "", "7")],
    ),
    "dashes of print": (rows("`a.py`", "`320–325`", "`f`"), [("a.py", "f", "320-325")]),
}
NO_TICKETS = {
    "an empty file": "",
    "prose": "# About\n\nThese are tickets, in folders.\n",
    "the template": form(metadata=METADATA.replace("Q7-NET-04", "Q{batch}-{agent}-{number}")),
    "a list of tickets": "# Tickets\n\n- one\n- two\n",
}
