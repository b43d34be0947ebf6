"""Reviews in many layouts, each with its reviewers and verdicts."""

from __future__ import annotations

YES, NEUTRAL, NO, REFINE = "endorse", "neutral", "object", "refine"
LAYOUTS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "a heading a reviewer with colon": (
        """## Cross-Review: Pump Specialist

| Field | Value |
|-------|-------|
| **Verdict** | `ENDORSE` |
| **Reviewer** | `pump` |

**Evaluation:** The second call is dead weight.

## Cross-Review: Bench Specialist

| Field | Value |
|-------|-------|
| **Verdict** | `OBJECT` |
| **Reviewer** | `bench` |

**Evaluation:** It costs nothing on the bench.""",
        [("pump", YES), ("bench", NO)],
    ),
    "a heading a reviewer in brackets": (
        """## Cross-Review (Pump Specialist)

| Field | Value |
|-------|-------|
| **Verdict** | `REFINE` |
| **Reviewer** | Pump Specialist |
| **Date** | 2025-03-04 |

**Evaluation:** Keep the answer in the tank instead.""",
        [("Pump Specialist", REFINE)],
    ),
    "a heading with a dash": (
        """## Cross-Review - Pump Specialist

**Verdict:** ENDORSE

**Evaluation:** Right.""",
        [("Pump Specialist", YES)],
    ),
    "a heading in square brackets": (
        "## Cross-Review [Pump]\n\n**Verdict:** `NEUTRAL`\n\nIt is only a bench matter.",
        [("Pump", NEUTRAL)],
    ),
    "the reviewer in front of the word": (
        "## Pump Expert Review\n\n**Verdict:** OBJECT\n**Evaluation:** Nothing is thrown away.",
        [("Pump Expert", NO)],
    ),
    "review by somebody": (
        "## Review by Pump Specialist\n\nVerdict line follows.\n\n**Verdict:** **ENDORSE**",
        [("Pump Specialist", YES)],
    ),
    "verdict as the header row": (
        """## Cross-Review: Pump Specialist

| Verdict | ENDORSE |
|---------|---------|

The call at line 14 is dead weight.
It has been so since the first tick.

## Cross-Review: Bench Specialist

| Verdict | **NEUTRAL** |
|---------|-------------|

**Evaluation:** No opinion on pumps.""",
        [("Pump Specialist", YES), ("Bench Specialist", NEUTRAL)],
    ),
    "verdict as the header row and evaluation below it": (
        """## Cross-Review

### Pump Specialist

| Verdict | NEUTRAL |
|---------|---------|
| **Evaluation** | Only the bench can tell. |

### Code Review Specialist

| Verdict | OBJECT |
|---------|--------|
| **Evaluation** | The premise is **wrong**. |""",
        [("Pump Specialist", NEUTRAL), ("Code Review Specialist", NO)],
    ),
    "no blank line behind the verdict's table": (
        """## Cross-Review: Pump

| Verdict | ENDORSE |
|---------|---------|
The second call is dead weight.""",
        [("Pump", YES)],
    ),
    "verdict and evaluation in columns": (
        """## Cross-Review: Pump Expert

| Verdict | Evaluation |
|---------|------------|
| **ENDORSE** | Seen in `valve.py` \\| line 14. |

## Cross-Review: Bench Expert

| Verdict | Evaluation |
|---------|------------|
| **NEUTRAL** | Not measurable. |

**Recommendation:** Accept P2 and measure.""",
        [("Pump Expert", YES), ("Bench Expert", NEUTRAL)],
    ),
    "a row a reviewer": (
        """## Cross-Review

| Reviewer | Verdict | Evaluation |
|----------|---------|------------|
| `pump` | **ENDORSE** | Dead weight. |
| `bench` | **OBJECT** | Free on the bench. |
| `code-review` | **NEUTRAL** | Style. |""",
        [("pump", YES), ("bench", NO), ("code-review", NEUTRAL)],
    ),
    "a row an agent, bold names": (
        """## Cross-Review

| Agent | Verdict | Evaluation |
|-------|---------|------------|
| **Pump** | ENDORSE | Dead weight. |
| **Bench** | REFINE | Keep it in the tank. |""",
        [("Pump", YES), ("Bench", REFINE)],
    ),
    "columns in another order": (
        """## Cross-Review

| Verdict | Comments | Date | Reviewer |
|---------|----------|------|----------|
| ENDORSE | Dead weight. | 2025-03-04 | pump |
| OBJECT | Free. | 2025-03-05 | bench |""",
        [("pump", YES), ("bench", NO)],
    ),
    "a column nobody knows": (
        """## Cross-Review

| Reviewer | Confidence | Verdict | Evaluation |
|----------|------------|---------|------------|
| pump | high | ENDORSE | Dead weight. |""",
        [("pump", YES)],
    ),
    "evaluations below the table, by name": (
        """## Cross-Review

| Reviewer | Verdict | Date |
|----------|---------|------|
| Code Review Agent | **ENDORSE** | 2025-03-04 |
| Pump Specialist | **NEUTRAL** | 2025-03-04 |

**Code Review Evaluation:** Dead weight indeed.

**Pump Evaluation:** Pumps do not care.

| Bench Specialist | **OBJECT** | 2025-03-05 |

**Bench Evaluation:** Free on the bench.""",
        [("Code Review Agent", YES), ("Pump Specialist", NEUTRAL), ("Bench Specialist", NO)],
    ),
    "rows that nobody closed": (
        """## Cross-Review

| Reviewer | Verdict | Evaluation
|----------|---------|-----------
| pump | ENDORSE | Dead weight.
| bench | OBJECT | Free.""",
        [("pump", YES), ("bench", NO)],
    ),
    "a bare pipe in code in a cell": (
        """## Cross-Review

| Reviewer | Verdict | Evaluation |
|----------|---------|------------|
| pump | ENDORSE | The hint `Tank | None` is right. |""",
        [("pump", YES)],
    ),
    "a delimiter row that is too short": (
        """## Cross-Review

| Reviewer | Verdict | Evaluation |
|----------|---------|
| pump | ENDORSE | Dead weight. |""",
        [("pump", YES)],
    ),
    "nobody is named": (
        """## Cross-Review

| Verdict | **ENDORSE** |
|---------|-------------|

**Evaluation:** Dead weight.""",
        [("", YES)],
    ),
    "a decorated verdict": (
        """## Cross-Review: Pump

| Field | Value |
|-------|-------|
| **Verdict** | `ENDORSE` (Option B) |
| **Reviewer** | `pump` |

**Evaluation:** Option B keeps the tank simple.""",
        [("pump", YES)],
    ),
    "decorated verdicts in a table": (
        """## Cross-Review

| Reviewer | Verdict | Evaluation |
|----------|---------|------------|
| pump | ✅ ENDORSE | Dead weight. |
| bench | ❌ OBJECT - downgrade to P4 | Free. |
| code | ⚠️ REFINE (keep the log) | Logs matter. |""",
        [("pump", YES), ("bench", NO), ("code", REFINE)],
    ),
    "other words for the verdicts": (
        """## Reviews

| Reviewer | Vote | Rationale |
|----------|------|-----------|
| pump | Agree | Dead weight. |
| bench | Disagree | Free. |
| code | Abstain | No opinion. |
| author | Partially agree | Only for big tanks. |""",
        [("pump", YES), ("bench", NO), ("code", NEUTRAL), ("author", REFINE)],
    ),
    "labelled paragraphs": (
        """## Cross-Review

**Reviewer:** pump
**Verdict:** ENDORSE
**Evaluation:** Dead weight.

**Reviewer:** bench
**Verdict:** OBJECT
**Evaluation:** Free.""",
        [("pump", YES), ("bench", NO)],
    ),
    "name, verdict and text in one line": (
        """## Cross-Review

**Pump Specialist:** ENDORSE - dead weight.

**Code Review Specialist:** OBJECT - it is free.""",
        [("Pump Specialist", YES), ("Code Review Specialist", NO)],
    ),
    "name and verdict in brackets": (
        "## Cross-Review\n\n**Pump Specialist** (ENDORSE): dead weight.\n\n**Bench Agent** (NEUTRAL): free.",
        [("Pump Specialist", YES), ("Bench Agent", NEUTRAL)],
    ),
    "a list of reviewers": (
        """## Cross-Review

- **Pump Specialist**: ENDORSE — dead weight
- **Bench Agent**: REFINE — keep it in the tank""",
        [("Pump Specialist", YES), ("Bench Agent", REFINE)],
    ),
    "a list of labels": (
        """## Cross-Review: Pump

- **Verdict:** ENDORSE
- **Reviewer:** pump
- **Evaluation:** dead weight""",
        [("pump", YES)],
    ),
    "the verdict in the heading below": (
        """## Cross-Reviews

### Pump Specialist: ENDORSE

Dead weight.

### Bench Specialist — OBJECT

Free on the bench.""",
        [("Pump Specialist", YES), ("Bench Specialist", NO)],
    ),
    "the verdict below a heading of its own": (
        """## Cross-Review: Pump Specialist

### Verdict: ENDORSE

### Evaluation

Dead weight.

- seen twice
- measured once""",
        [("Pump Specialist", YES)],
    ),
    "reviewers side by side": (
        """## Cross-Review

| | Pump | Bench |
|---|---|---|
| Verdict | ENDORSE | OBJECT |
| Evaluation | Dead weight. | Free. |""",
        [("Pump", YES), ("Bench", NO)],
    ),
    "verdicts as the header": (
        """## Cross-Review

| ENDORSE | OBJECT |
|---------|--------|
| pump | bench |""",
        [("pump", YES), ("bench", NO)],
    ),
    "a table without header": (
        """## Cross-Review

| pump | ENDORSE | Dead weight on every tick. |
| bench | OBJECT | Free on the bench. |""",
        [("pump", YES), ("bench", NO)],
    ),
    "a row that waits": (
        """## Cross-Review

| Reviewer | Verdict | Evaluation |
|----------|---------|------------|
| pump | ENDORSE | Dead weight. |
| bench | PENDING | asked on Monday |""",
        [("pump", YES)],
    ),
    "headings of the second rank below a heading of the first": (
        """## Cross-Review

### DRL Review

**Verdict:** NEUTRAL

Nothing to learn here.

### Code Review

**Verdict:** ENDORSE

Dead weight.""",
        [("DRL", NEUTRAL), ("Code Review", YES)],
    ),
    "a date in the heading": (
        "## Cross-Review: Pump Specialist (2025-03-04)\n\n**Verdict:** ENDORSE\n\nDead weight.",
        [("Pump Specialist", YES)],
    ),
    "a quote of the reviewer": (
        "## Cross-Review: Pump\n\n**Verdict:** ENDORSE\n\n> dead weight,\n> said the pump",
        [("Pump", YES)],
    ),
    "code and lists in the evaluation": (
        """## Cross-Review: Pump

**Verdict:** REFINE

**Evaluation:**

1. Keep `level`
2. Drop the other

```python
level = tank.level()  # ## Cross-Review: nobody
```

| tick | cost |
|------|------|
| one | 2 |""",
        [("Pump", REFINE)],
    ),
    "key and value without bold": (
        """## Cross-Review: Pump

| Key | Value |
|---|---|
| Verdict | ENDORSE |
| Reviewer | pump |
| Confidence | High |
| Notes | Dead weight. |""",
        [("pump", YES)],
    ),
    "a status column": (
        """## Peer Review

| Expert | Status | Notes |
|--------|--------|-------|
| Pump Expert | Approved | Dead weight. |
| Bench Expert | Rejected | Free. |""",
        [("Pump Expert", YES), ("Bench Expert", NO)],
    ),
    "the verdict and its reason in one cell": (
        """## Cross-Review

| Reviewer | Verdict |
|----------|---------|
| pump | **ENDORSE** - dead weight |
| bench | **OBJECT** - free |""",
        [("pump", YES), ("bench", NO)],
    ),
    "a heading that names an occasion": (
        """## Cross-Review: Spring Meeting

| Reviewer | Verdict | Evaluation |
|----------|---------|------------|
| pump | ENDORSE | Dead weight. |""",
        [("pump", YES)],
    ),
    "rounds of reviews": (
        """## Cross-Review: Spring Meeting

| Reviewer | Verdict | Evaluation |
|----------|---------|------------|
| pump | ENDORSE | Dead weight. |

### Autumn Meeting

| Reviewer | Verdict | Evaluation |
|----------|---------|------------|
| bench | REFINE | Keep it. |""",
        [("pump", YES), ("bench", REFINE)],
    ),
    "plain words, a line a reviewer": (
        """## Cross-Review

- Pump Specialist: ENDORSE - dead weight
- Bench Agent: OBJECT - free""",
        [("Pump Specialist", YES), ("Bench Agent", NO)],
    ),
    "a label with a date": (
        "## Cross-Review\n\n**Pump Review (2025-03-04):** ENDORSE\n\n> dead weight",
        [("Pump", YES)],
    ),
    "everything bold": (
        "## Cross-Review: Pump\n\n**Verdict: OBJECT**\n\nFree on the bench.",
        [("Pump", NO)],
    ),
    "inside another section": (
        """## Closing Words

Thanks to all.

### Cross-Review: Pump

| Verdict | ENDORSE |
|---------|---------|

Dead weight.

#### Details

Two calls.

### Cross-Review: Bench

**Verdict:** NEUTRAL""",
        [("Pump", YES), ("Bench", NEUTRAL)],
    ),
    "a stray line at the end": (
        "## Closing Words\n\nThanks.\n\n**Pump Cross-Review:** ENDORSE - dead weight",
        [("Pump", YES)],
    ),
    "two reviews and a consensus": (
        """## Cross-Review: Pump

**Verdict:** ENDORSE

Dead weight.

## Cross-Review Summary

Two of two agree that the second call goes.""",
        [("Pump", YES)],
    ),
}
NO_REVIEWS = {
    "nobody has looked yet": "## Cross-Review\n\n*Nobody yet.*",
    "a section of notes": "## Review Notes\n\nAsk the pump people on Monday.",
    "an empty table": "## Cross-Review\n\n| Reviewer | Verdict | Evaluation |\n|---|---|---|",
}
