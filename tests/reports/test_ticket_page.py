"""A ticket's page has the form's sections in the form's order, every field in its place, always the same bytes."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from support.audit_runs import ADOPTING
from support.handwritten_tickets import filled_ticket
from support.sample_findings import a_finding

from esper_audit.claims.kinds.finding import FindingClaim
from esper_audit.claims.reply import Answer
from esper_audit.project.config import find_project
from esper_audit.reports.pages import project_reports
from esper_audit.text.markdown import fenced, labelled, table
from esper_audit.tickets.form import order_extras
from esper_audit.tickets.parts import (
    AsWritten,
    Evidence,
    EvidenceTable,
    Extra,
    FixOption,
    Related,
    Relation,
    StoredAnswer,
)
from esper_audit.tickets.states import Status
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.ticket_from_finding import ticket_from_finding

DAY = "2026-05-04"
SECTIONS = [
    "Ticket Metadata",
    "Location",
    "Summary",
    "Detailed Description",
    "Recommended Fix",
    "Verification",
    "Related Findings",
    "Cross-Review: DRL Specialist",
    "Investigation Notes",
    "Claims",
    "Resolution",
    "History",
    "Appendix",
]


def page(ticket: Ticket) -> str:
    return project_reports(find_project([])).render_ticket(ticket)


def section(text: str, name: str) -> str:
    return text.partition(f"\n## {name}\n")[2].partition("\n---\n")[0]


def a_ticket(**changes: object) -> Ticket:
    return msgspec.structs.replace(
        ticket_from_finding(a_finding(), why="it hurts", date=DAY), **changes
    )


def test_the_sections_stand_in_the_order_of_the_form() -> None:
    assert re.findall(r"^## (.*)$", page(filled_ticket()), re.MULTILINE) == SECTIONS


def test_a_section_without_anything_to_say_is_left_out_where_the_form_leaves_it_out() -> None:
    found = re.findall(r"^## (.*)$", page(a_ticket()), re.MULTILINE)
    assert found == [*SECTIONS[:6], "History", "Appendix"]


def words(value: object) -> list[str]:
    """Return every text inside a ticket's value."""
    if isinstance(value, dict):
        return [word for inside in value.values() for word in words(inside)]
    if isinstance(value, list):
        return [word for inside in value for word in words(inside)]
    return [value] if isinstance(value, str) else []


def test_nothing_that_a_ticket_says_is_missing_from_its_page() -> None:
    ticket = filled_ticket()
    plain = " ".join(page(ticket).replace("\\|", "|").split())
    # Words of the form stand instead of these; a box stands for a category.
    replaced = {"refine", "FALSE", "wont-fix", "correctness", "test-coverage", "P3", "P1"}
    machine = {ticket.fingerprint}
    missing = [
        word
        for word in words(msgspec.to_builtins(ticket))
        if " ".join(word.split()) not in plain and word not in replaced | machine
    ]
    assert missing == []


def test_the_same_ticket_gives_the_same_bytes() -> None:
    assert page(filled_ticket()) == page(filled_ticket())


def test_text_that_no_field_takes_stands_in_its_own_section() -> None:
    text = page(filled_ticket())
    assert "| **Reviewer** | al |" in section(text, "Ticket Metadata")
    assert "### Current Mitigation\n\nNone." in section(text, "Detailed Description")
    assert section(text, "Investigation Notes") == "\n### Found\n\nNothing.\n"


def test_what_no_field_takes_has_one_order() -> None:
    parts = [
        Extra(section="Appendix", text="last"),
        Extra(section="Notes", heading="one", text="1"),
        Extra(section="Location", text="there"),
        Extra(section="Location", row="Module", text="m"),
        Extra(section="Location", text="too"),
        Extra(section="", text="first of all"),
    ]
    ordered = order_extras(parts)
    assert [(p.section, p.row or p.heading or p.text) for p in ordered] == [
        ("", "first of all"),
        ("Location", "Module"),
        ("Location", "there\n\ntoo"),
        ("Notes", "one"),
        ("Appendix", "last"),
    ]
    assert order_extras(ordered) == ordered


WORDS = [
    AsWritten(field="files", words="multiple"),
    AsWritten(field="lines", words="~50 (definition)"),
    AsWritten(field="why_it_matters", words="DRL Impact"),
]


def test_the_words_of_a_form_stand_where_they_stood() -> None:
    text = page(a_ticket(as_written=WORDS, fingerprint="", check=""))
    assert "| **File(s)** | multiple |\n| **Line(s)** | ~50 (definition) |" in text
    assert "### DRL Impact\n\nit hurts" in text
    assert "### As Written" not in text


def test_words_of_a_place_that_runs_refresh_move_to_the_appendix() -> None:
    text = page(a_ticket(as_written=WORDS))
    assert "| **File(s)** | `model.py` |\n| **Line(s)** | `3` |" in text
    assert "| files |  | multiple |" in section(text, "Appendix")


def test_options_without_a_label_get_the_letters_that_are_free() -> None:
    options = [
        FixOption(option="by the tool", diff="-a\n+b"),
        FixOption(label="Option A", option="by hand", text="Do it."),
        FixOption(label="Approach", text="Think."),
        FixOption(option="or not", text="Leave it."),
    ]
    text = section(page(a_ticket(fix=options)), "Recommended Fix")
    assert re.findall(r"^### (.*)$", text, re.MULTILINE) == [
        "Option B: by the tool",
        "Option A: by hand",
        "Approach",
        "Option C: or not",
    ]


def test_only_what_is_fixed_is_found_no_more() -> None:
    assert "- [ ] `esper-audit check model.py" in page(a_ticket(status=Status.WONT_FIX))
    assert "- [x] `esper-audit check model.py" in page(a_ticket(status=Status.FIXED))


def test_code_keeps_its_columns_unless_the_tool_framed_it() -> None:
    evidence = [Evidence(code="    x\n      y"), Evidence(code="    x\n      y", first_line=4)]
    text = page(a_ticket(evidence=evidence))
    assert "```python\n    x\n      y\n```" in text
    assert "```python\n# model.py:4\n\nx\n  y\n```" in text


@pytest.mark.parametrize(("code", "fence"), [("x", "```"), ("```py\nx\n```", "````")])
def test_a_fence_is_longer_than_those_inside(code: str, fence: str) -> None:
    assert fenced(code, "text") == f"{fence}text\n{code}\n{fence}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("yes", "**L:** yes"),
        ("- a\n- b", "**L:**\n\n- a\n- b"),
        ("| a |", "**L:**\n\n| a |"),
        ("", ""),
    ],
)
def test_a_label_stands_apart_from_what_is_no_sentence(text: str, shown: str) -> None:
    assert labelled("L", text) == shown


def test_a_table_keeps_pipes_inside_its_cells() -> None:
    assert table(["a", "b"], [["x|y", "1\n2"]]) == "| a | b |\n|---|---|\n| x\\|y | 1 2 |"


def test_the_index_lists_each_ticket_once_by_status_and_counts_it_by_the_rest(
    tmp_path: Path,
) -> None:
    (tmp_path / "esper-audit.toml").write_text(ADOPTING)
    reports = project_reports(find_project([str(tmp_path)]))
    gone = a_ticket(id="A-2", status=Status.FIXED, domain="slots", contract="")
    linked = a_ticket(related=[Related(id="A-2", relation=Relation.RELATED)])
    reports.write_tickets([gone, linked])
    text = (tmp_path / "reports" / "tickets" / "index.md").read_text()
    assert "2 tickets, 1 active." in text
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [
        "open",
        "fixed",
        "By severity",
        "By domain",
        "By contract",
    ]
    assert "| P3 | 1 | 1 | [EA-01234567](EA-01234567.md) |" in text
    assert "| slots | 0 | 1 |  |\n| (none) | 1 | 0 | [EA-01234567](EA-01234567.md) |" in text
    assert reports.write_tickets([linked, gone]) == []
    assert reports.write_tickets([linked]) == ["tickets/index.md", "tickets/A-2.md"]


def test_the_page_of_a_found_ticket_has_its_sentence_once() -> None:
    text = page(a_ticket())
    assert text.count(a_ticket().title) == 1
    assert text.count(a_ticket().why_it_matters) == 1
    assert "**One-line summary:** mine" in page(a_ticket(summary="mine"))
    imported = a_ticket(check="", contract="", fingerprint="")
    assert f"**One-line summary:** {imported.summary}" in page(imported)


def test_a_repair_by_hand_shows_code_that_the_rule_does_not_report() -> None:
    fix = section(page(a_ticket(check="silent-except", fix=[])), "Recommended Fix")
    assert "except ValueError" in fix
    tree_rule = section(page(a_ticket(check="unused-parameter", fix=[])), "Recommended Fix")
    assert "```python\n" in tree_rule
    probe = section(page(a_ticket(check="param-estimate", fix=[])), "Recommended Fix")
    assert "```" not in probe
    assert "`esper-audit rule param-estimate`" in probe


def test_a_repair_by_hand_has_the_measured_formula_of_what_is_counted_wrong() -> None:
    columns = ["blueprint", "dim", "actual", "ratio", "formula"]
    rows = [
        ["norm", 64, 128, 1.0, "2d"],
        ["attention", 64, 2112, 0.99, "2d^2 + d"],
        ["attention", 128, 8320, 0.99, "2d^2 + d"],
        ["odd", 64, 7, 0.5, "no quadratic of the width"],
    ]
    evidence = [Evidence(table=EvidenceTable(columns=columns, rows=rows))]
    fix = section(page(a_ticket(check="param-estimate", evidence=evidence)), "Recommended Fix")
    assert fix.count("The count of `attention` is `2d^2 + d`.") == 1
    assert "The count of" not in fix.replace("The count of `attention`", "")


@pytest.mark.parametrize(
    ("status", "answer", "cell"),
    [
        (Status.FIXED, Answer.REFUTED, "| refuted, as expected |"),
        (Status.FIXED, Answer.HOLDS, "| **holds**, expected refuted or stale |"),
        (Status.OPEN, Answer.HOLDS, "| holds |"),
        (Status.OPEN, Answer.REFUTED, "| **refuted**, expected holds |"),
    ],
)
def test_only_an_answer_that_the_ticket_does_not_expect_stands_out(
    status: Status, answer: Answer, cell: str
) -> None:
    claim = FindingClaim(
        id="C1", sentence="It is there.", check="silent-except", at="a.f", states_defect=True
    )
    stored = StoredAnswer(claim="C1", answer=answer, evidence="looked")
    text = page(a_ticket(status=status, claims=[claim], answers=[stored]))
    assert cell in section(text, "Claims")
