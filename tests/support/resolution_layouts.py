"""Resolutions in many layouts, each with the kind that it states and the status that follows."""

from __future__ import annotations

LAYOUTS: dict[str, tuple[str, str]] = {
    "labels in paragraphs": (
        """## Resolution

**Status:** Already Fixed (Option B)

**Evidence:** The tank keeps its level since `valve.py` line 40:

```python
# ## Resolution: no heading at all
level = self._level
```

**Why Option A is NOT needed:**
- nobody asks twice

**Sign-off:** Approved by `pump-expert`

**Commits:** `58ab12cd`""",
        "already-fixed",
    ),
    "labels in one paragraph": (
        """## Resolution

**Status:** Fixed
**Resolved:** 2025-03-09
**Sign-off:** Pump Expert

**Changes made:**
1. **valve.py:14** - one call
2. **bench.py** - counts calls

**Verification:** All 17 tests pass.""",
        "fixed",
    ),
    "a heading with the status": (
        """## Resolution

### Status: NOT-A-BUG

**Closed after an investigation.**

#### Why This Is Not A Bug

The claims do not hold:

| Claim | Status | Evidence |
|-------|--------|----------|
| "A tick takes twice as long" | ❌ FALSE | The bench says 1.01. |
| "`level` is asked twice" | ✅ TRUE | Lines 14 and 15. |
| "The log shows it" | ⚠️ PARTIAL | Only at DEBUG. |
| "Line 12" | STALE | It is line 40 now. |

#### Severity Downgrade

- Original: P2
- Revised: P4""",
        "not-a-bug",
    ),
    "a final disposition": (
        """## Resolution

### Final Disposition: Won't Fix

**Reason:** The tank is going away.

### Sign-Off

**Pump Expert:** APPROVED - "It is going away."
""",
        "wont-fix",
    ),
    "the template's own headings": (
        """## Resolution

### Final Fix Description

One call instead of two.

### Commits

- `58ab12cd` - Ask the tank once
- `69bc23de` - Count the calls

### Tests Added/Modified

- `tests/test_valve.py` - counts calls

### Verified By

- [x] Automated tests pass
- [ ] Manual verification complete""",
        "fixed",
    ),
    "commits below a heading, nothing else": (
        "## Resolution\n\n**Fix:** One call.\n\n### Commits\n\n- `58ab12cd`\n- `69bc23de`",
        "fixed",
    ),
    "a pending commit": (
        "## Resolution\n\n**Status:** Fixed\n\n**Commits:** `[current commit]` (pending)",
        "fixed",
    ),
    "no fix needed": (
        "## Resolution\n\n### Final Fix Description\n\n**No fix needed.** The second call is cached.",
        "not-a-bug",
    ),
    "the status in the heading": ("## Resolution: Duplicate\n\nSee `Q7-NET-05`.", "duplicate"),
    "the status in brackets": ("## Resolution (Won't Fix)\n\nThe tank is going away.", "wont-fix"),
    "a date in the heading": (
        "## Resolution (2025-03-09)\n\n**Status:** Fixed\n\nOne call.",
        "fixed",
    ),
    "a table of names and values": (
        """## Resolution

| Field | Value |
|-------|-------|
| **Status** | `fixed` |
| **Fixed By** | pump |
| **Commit** | `58ab12cd` |

One call instead of two.""",
        "fixed",
    ),
    "a list of labels": (
        "## Resolution\n\n- **Status:** FIXED\n- **Commit:** `58ab12cd`\n- **Evidence:** one call",
        "fixed",
    ),
    "fix applied": (
        "## Fix Applied\n\n**Commit:** `[current commit]`\n\n**Change:** One call.\n\n**Rationale:**\n1. It is enough",
        "fixed",
    ),
    "closure notes": (
        "## Closure Notes\n\n**Closed:** 2025-03-09\n\nClosed as won't fix: the tank is going away.",
        "wont-fix",
    ),
    "a section of status": (
        "## Status\n\n**Closing as wont-fix** - the concern was a misreading.",
        "wont-fix",
    ),
    "plain words": ("## Resolution\n\nStatus: Fixed\n\nOne call instead of two.", "fixed"),
    "no issue at all": (
        "## Resolution\n\n**Disposition:** Invalid - the second call is cached.",
        "not-a-bug",
    ),
    "works as designed": ("## Resolution\n\n**Outcome:** Works as designed", "not-a-bug"),
    "documented": (
        "## Resolution\n\n**Status:** Documented\n\n**Enhancement Applied:**\n- A note at `Valve`",
        "documented",
    ),
    "several statuses in one line": (
        "## Resolution\n\n**Status:** NOT-A-BUG / WONTFIX",
        "not-a-bug",
    ),
    "a sign in front": ("## Resolution\n\n**Status:** ✅ FIXED\n\nOne call.", "fixed"),
    "a bold sentence only": (
        "## Resolution\n\n### Status: FIXED\n\n**Fixed by asking once.**\n\n#### The Fix\n\n```diff\n-a\n+b\n```",
        "fixed",
    ),
    "claims below a heading that holds nothing else": (
        """## Resolution

### Status: WONTFIX

#### Evidence

| Claim | Verdict | Evidence |
|-------|---------|----------|
| asked twice | ✓ | line 14 |
| slow | ✗ | bench |

#### Why

It is free.""",
        "wont-fix",
    ),
    "a table of claims that judges only some": (
        """## Resolution

**Status:** Not a bug

| Claim | Status | Evidence |
|-------|--------|----------|
| asked twice | TRUE | line 14 |
| slow | see below | bench |""",
        "not-a-bug",
    ),
    "before and after": (
        "## Resolution\n\n**Status:** Resolved\n\n**Before:**\n```python\na()\n```\n\n**After:**\n```python\nb()\n```",
        "fixed",
    ),
    "all bold": ("## Resolution\n\n**STATUS: WONTFIX**\n\nGone soon.", "wont-fix"),
    "inside another section": (
        "## Investigation Notes\n\nSeen.\n\n### Resolution\n\n**Status:** Fixed\n\n#### How\n\nOne call.",
        "fixed",
    ),
    "another name with the status": ("## Fix Status: ✅ FIXED\n\nOne call.", "fixed"),
    "superseded": ("## Resolution\n\n**Status:** Superseded by Q7-NET-05", "duplicate"),
    "two sign-offs": (
        "## Resolution\n\n**Status:** Fixed\n\n**Sign-off:** pump\n\nOne call.\n\n**Sign-off:** bench",
        "fixed",
    ),
    "signed below a heading, in two lines": (
        "## Resolution\n\n**Status:** Fixed\n\n### Sign-Off\n\n**Pump:** yes\n**Bench:** yes",
        "fixed",
    ),
    "resolution and closure notes": (
        "## Resolution\n\n**Status:** Won't Fix\n\nGone soon.\n\n---\n\n## Closure Notes\n\n**Closed:** 2025-03-09",
        "wont-fix",
    ),
    "a horizontal rule in the middle": (
        "## Resolution\n\n**Status:** Fixed\n\nOne call.\n\n---\n\nMeasured again: half the time.",
        "fixed",
    ),
    "implementation": ("## Implementation\n\n**Status:** Implemented in `58ab12cd`.", "fixed"),
    "deferral that was closed": (
        "## Resolution\n\n**Decision:** Accept as-is. The tank is going away.",
        "wont-fix",
    ),
    "a quote as evidence": (
        "## Resolution\n\n**Status:** Not A Bug\n\n**Evidence:**\n\n> The second call is cached.\n> — valve.py",
        "not-a-bug",
    ),
}
STILL_OPEN = {
    "a placeholder": "## Resolution\n\n*Pending*",
    "the template's hint": "## Resolution\n\n[What was actually done to fix the issue]",
    "investigating": "## Resolution\n\n**Status:** Under investigation\n\nNobody knows yet.",
    "nothing": "## Resolution",
    "open, in words": "## Resolution\n\n**Status:** Open\n\nWaits for the bench.",
}
