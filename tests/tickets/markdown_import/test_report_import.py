"""A report becomes a ticket for each finding and recommendation, with links, and one for all other text."""

from __future__ import annotations

import msgspec
import pytest
from support.markdown_forms import assert_stays, form, read_all

from esper_audit.tickets.markdown_import.completeness import missing_text
from esper_audit.tickets.markdown_import.document.document import read_document
from esper_audit.tickets.markdown_import.document.graphs import edges_in
from esper_audit.tickets.markdown_import.report import is_report
from esper_audit.tickets.ticket import Ticket

BOXES = """```
┌──────────────────────────┐
│ Tank level is stale (P1) │
│ tank.py:10-20            │
└──────────────────────────┘
         │
         ▼
┌──────────────────────────┐
│ Valve asks twice         │
│ valve.py:14              │◄──── Depends on the level
└──────────────────────────┘
         │
         ▼
┌──────────────────────────┐
│ Bench counts calls (P3)  │
│ bench.py:3               │
└──────────────────────────┘

┌──────────────────────────┐
│ Pump rattles             │◄──── Independent
└──────────────────────────┘
```"""
REPORT = f"""# Garden Subsystem Deep Dive
**Date:** 2025-03-01
**Analysts:** Pump Expert, Bench Expert

## Executive Summary

The garden waters itself.

| Area | Grade | Summary |
|------|-------|---------|
| Pumps | A- | Quiet |

---

## 1. Findings (Priority Order)

### 1.1 HIGH - Valve Asks Twice Per Tick

**Location:** `src/valve.py:14`

**Issue:** The valve asks the tank two times:
1. once for the log
2. once for the answer

**Impact:** Ticks take twice as long.

**Recommendation:** Ask once.

---

### 1.2 MEDIUM - Tank Level Is Stale

**Location:** `tank.py:10-20, 33`

**Issue:**
```python
return self._old  # ## no heading
```

**Recommendation:**
```python
return self._new
```
Or say that it is old.

---

### 1.3 LOW - Pump Rattles

**Location:** `pump.py`

**Issue:** It rattles.

**Workaround:** A sock.

**Evidence:**

```python
# pump.py:3

rattle()
```

**Recommendation:** Oil it.

## 2. Bench Expert Analysis

### Counting: CORRECT

All calls are counted.

## 3. Consolidated Recommendations

### Priority 1: Critical (Fix Soon)

| Finding | Location | Action |
|---------|----------|--------|
| Tank level stale | tank.py:10-20 | Return the new level |

### Priority 2: Important

| Finding | Location | Action |
|---------|----------|--------|
| Valve asks twice | valve.py:14 | Keep the answer |
| Hose is short | hose.py:1 | Buy a longer one |

### Priority 3: Nice to Have

| Finding | Location | Action |
|---------|----------|--------|
| Bench counts calls | bench.py:3 | Count answers too |

## 4. Dependency Graph of Changes

{BOXES}

## 5. Strengths Identified

1. **Quiet:** pumps are quiet

## Appendix: Files Analyzed

| File | Lines |
|------|-------|
| src/valve.py | 40 |
"""


def tickets() -> dict[str, Ticket]:
    return {ticket.id: ticket for ticket in read_all(REPORT, "dive.md")}


def by_title(title: str) -> Ticket:
    (found,) = [ticket for ticket in tickets().values() if ticket.title == title]
    return found


def test_a_report_is_distinguished_from_a_ticket() -> None:
    assert is_report(read_document(REPORT))
    assert not is_report(read_document(form()))
    assert not is_report(read_document("# About\n\n## HIGH - a heading alone\n\ntext\n"))


def test_every_finding_and_every_other_recommendation_is_a_ticket() -> None:
    assert list(tickets()) == [
        "DD-GARDEN-20250301",
        "DD-GARDEN-20250301-1-1",
        "DD-GARDEN-20250301-1-2",
        "DD-GARDEN-20250301-1-3",
        "DD-GARDEN-20250301-hose-is-short",
        "DD-GARDEN-20250301-bench-counts-calls",
    ]


def test_the_consolidated_recommendations_decide_the_severity() -> None:
    severities = {ticket.title: ticket.severity.value for ticket in tickets().values()}
    assert severities == {
        "Garden Subsystem Deep Dive": "P4",
        "Valve Asks Twice Per Tick": "P2",
        "Tank Level Is Stale": "P1",
        "Pump Rattles": "P3",
        "Hose is short": "P2",
        "Bench counts calls": "P3",
    }


def test_a_finding_has_its_place_issue_impact_and_recommendations() -> None:
    valve = by_title("Valve Asks Twice Per Tick")
    assert [(place.path, place.lines) for place in valve.locations] == [("src/valve.py", "14")]
    assert valve.description == (
        "The valve asks the tank two times:\n1. once for the log\n2. once for the answer"
    )
    assert valve.why_it_matters == "Ticks take twice as long."
    assert [(fix.label, fix.text) for fix in valve.fix] == [
        ("", "Ask once."),
        ("Priority 2", "Keep the answer"),
    ]
    assert valve.report == "dive.md"
    assert "1.1 HIGH - Valve Asks Twice Per Tick" in valve.section
    tank = by_title("Tank Level Is Stale")
    assert tank.locations[0].lines == "10-20, 33"
    assert tank.fix[0].text.endswith("Or say that it is old.")


def test_other_labels_and_evidence_are_kept_with_the_finding() -> None:
    pump = by_title("Pump Rattles")
    assert pump.description == "It rattles.\n\n**Workaround:** A sock."
    assert [(shown.place, shown.code) for shown in pump.evidence] == [("pump.py:3", "rattle()")]


def test_a_finding_may_be_a_list_or_a_table_of_labels() -> None:
    text = (
        "# Garden Audit\n\n## Finding 1: Valve asks twice\n\n- **Severity:** High\n- **Location:** `valve.py:14`\n"
        "- **Description:** Twice a tick.\n- **Recommendation:** Ask once.\n\n## Finding 2: Pump rattles\n\n"
        "| Field | Value |\n|---|---|\n| Severity | Low |\n| Location | `pump.py` |\n| Issue | It rattles. |\n"
    )
    own, valve, pump = read_all(text, "audit.md")
    assert (valve.id, valve.severity.value, valve.fix[0].text) == ("DD-GARDEN-1", "P1", "Ask once.")
    assert (pump.severity.value, pump.description) == ("P3", "It rattles.")
    assert missing_text(text, [own, valve, pump]) == []
    for ticket in (own, valve, pump):
        assert_stays(ticket)


def test_the_dependency_graph_becomes_links_in_both_directions() -> None:
    links = {
        (ticket.title, link.relation.value, tickets()[link.id].title)
        for ticket in tickets().values()
        for link in ticket.related
        if link.relation.value.startswith("block")
    }
    assert links == {
        ("Tank Level Is Stale", "blocks", "Valve Asks Twice Per Tick"),
        ("Valve Asks Twice Per Tick", "blocked-by", "Tank Level Is Stale"),
        ("Valve Asks Twice Per Tick", "blocks", "Bench counts calls"),
        ("Bench counts calls", "blocked-by", "Valve Asks Twice Per Tick"),
    }


def test_a_graph_of_another_layout_stays_text() -> None:
    beside = "+-------+     +-------+\n| Level |---->| Valve |\n+-------+     +-------+"
    text = REPORT.replace(BOXES, f"```\n{beside}\n```")
    found = read_all(text, "dive.md")
    kept = {part.section: part.text for part in found[0].extra}
    assert kept["4. Dependency Graph of Changes"] == f"```\n{beside}\n```"
    assert {link.relation.value for ticket in found for link in ticket.related} == {"related"}
    assert missing_text(text, found) == []


def test_a_recommendation_whose_name_has_no_words_is_a_ticket() -> None:
    text = REPORT.replace("| Hose is short | hose.py:1 |", "| — | hose.py:1 |")
    assert "DD-GARDEN-20250301-unnamed" in [ticket.id for ticket in read_all(text, "dive.md")]


def test_grades_and_strengths_stay_with_the_report() -> None:
    own = tickets()["DD-GARDEN-20250301"]
    kept = {part.section: part.text for part in own.extra}
    assert own.summary == "The garden waters itself."
    assert "| Pumps | A- | Quiet |" in kept["Summary"]
    assert kept["5. Strengths Identified"] == "1. **Quiet:** pumps are quiet"
    assert "| src/valve.py | 40 |" in kept["Appendix"]


def test_nothing_of_a_report_is_lost() -> None:
    everything = list(tickets().values())
    assert missing_text(REPORT, everything) == []
    without = [ticket for ticket in everything if ticket.title != "Pump Rattles"]
    assert missing_text(REPORT, without) != []


def test_every_ticket_of_a_report_stays_when_its_page_is_read() -> None:
    for ticket in tickets().values():
        assert_stays(ticket)


def test_ids_do_not_depend_on_the_file_or_on_other_findings() -> None:
    again = REPORT.replace("### 1.3 LOW - Pump Rattles", "### 1.3 LOW - Pump Rattles Loudly")
    assert [ticket.id for ticket in read_all(again, "other.md")] == list(tickets())


def test_a_severity_of_a_heading_that_the_recommendations_change_is_kept() -> None:
    words = [msgspec.structs.astuple(word) for word in by_title("Tank Level Is Stale").as_written]
    assert ("severity", "heading", "MEDIUM") in words


@pytest.mark.parametrize(
    ("graph", "edges"),
    [
        (
            'graph TD\n  A[Level] --> B[Valve]\n  B --> C["Bench (P3)"]',
            [("Level", "Valve"), ("Valve", "Bench (P3)")],
        ),
        ("- Level → Valve → Bench", [("Level", "Valve"), ("Valve", "Bench")]),
        (
            "- Valve depends on Level\n- Valve blocks Bench",
            [("Level", "Valve"), ("Valve", "Bench")],
        ),
        (
            "+-------+\n| Level |\n+-------+\n    ^\n    |\n+-------+\n| Valve |\n+-------+",
            [("Valve", "Level")],
        ),
        ("+-------+     +-------+\n| Level |---->| Valve |\n+-------+     +-------+", []),
        ("nothing is drawn here", []),
    ],
)
def test_a_graph_gives_its_edges(graph: str, edges: list[tuple[str, str]]) -> None:
    assert [(edge.source, edge.target) for edge in edges_in(graph)] == edges


TABLES = """# Tank Deep Dive

**Date:** 2025-03-02

## Findings

| ID | Severity | Location | Description | Effort |
|----|----------|----------|-------------|--------|
| T-01 | P1 | `tank.py:12-14` | The tank `leaks` \\| drips | 2h |
| T-02 | Low | `valve.py` | The valve is slow | |

### Medium

| # | File | Issue | Recommendation |
|---|------|-------|----------------|
| 3 | `pump.py:7` | The pump is loud | Oil it |

## Grades

| Area | Grade |
|------|-------|
| tank | B |

## Recommendations

### P1

| Item | Severity | Description |
|---|---|---|
| The tank leaks, drips | P1 | Weld it |
"""


def test_every_row_of_a_table_of_findings_is_a_ticket() -> None:
    own, *found = read_all(TABLES, "tank.md")
    assert [(t.id, str(t.severity), t.title) for t in found] == [
        ("DD-TANK-20250302-T-01", "P1", "The tank `leaks` | drips"),
        ("DD-TANK-20250302-T-02", "P3", "The valve is slow"),
        ("DD-TANK-20250302-3", "P2", "The pump is loud"),
    ]
    places = [[(place.path, place.lines) for place in ticket.locations] for ticket in found]
    assert places == [[("tank.py", "12-14")], [("valve.py", "")], [("pump.py", "7")]]
    assert [fix.text or fix.option for fix in found[2].fix] == ["Oil it"]
    assert [(part.row, part.text) for part in found[0].extra] == [("Effort", "2h")]
    assert "T-01" not in str(own.extra)
    assert "tank | B" in str(own.extra)
    assert missing_text(TABLES, [own, *found]) == []


def test_a_table_without_a_severity_in_each_row_stays_text() -> None:
    text = TABLES.replace("| P1 |", "| ? |")
    assert next(ticket.title for ticket in read_all(text, "tank.md")[1:]) == "The pump is loud"
