"""Files of other tools become tickets: issues, tables, SARIF, results of analysers, lists of things to do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.markdown_forms import page_of
from support.markdown_forms import read as read_page

from esper_audit.findings.errors import TicketError, UsageError
from esper_audit.tickets.importing.csv_table import date_of
from esper_audit.tickets.importing.file_kinds import ReadFile, read_file
from esper_audit.tickets.markdown_import.terms.paths import path_map
from esper_audit.tickets.markdown_import.ticket_id import DocumentOrigin
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.settled_import import settler

PATHS = path_map(["src/valve.py", "src/tank.py"], {})


def read(name: str, content: object, columns: dict[str, str] | None = None) -> ReadFile:
    text = content if isinstance(content, str) else json.dumps(content)
    return read_file(text, DocumentOrigin(name), PATHS, columns=columns)


def tickets(name: str, content: object, columns: dict[str, str] | None = None) -> dict[str, Ticket]:
    """Return the tickets of a file; each stays when its page is read."""
    found = [one.ticket for one in read(name, content, columns).tickets]
    settle = settler(PATHS)
    for ticket in found:
        settled = settle(ticket)
        assert read_page(page_of(settled), f"{settled.id}.md") == settled
    return {ticket.id: ticket for ticket in found}


def extra(ticket: Ticket) -> dict[str, str]:
    return {part.row or part.section: part.text for part in ticket.extra}


ISSUE: dict[str, Any] = {
    "number": 12,
    "title": "The valve asks the tank twice",
    "body": "### What happened?\r\n\r\nIt asks twice, see `valve.py`.\r\n\r\n### Version\r\n\r\n_No response_\r\n",
    "state": "OPEN",
    "stateReason": "",
    "labels": [{"name": "bug"}, {"name": "priority: high"}],
    "assignees": [{"login": "ada"}],
    "author": {"login": "bob"},
    "createdAt": "2025-03-02T10:00:00Z",
    "updatedAt": "2025-03-05T10:00:00Z",
    "milestone": {"title": "1.3"},
    "url": "https://example.org/issues/12",
    "comments": [
        {"author": {"login": "eve"}, "body": "Me too.", "createdAt": "2025-03-03T00:00:00Z"}
    ],
    "isPinned": True,
}


def test_an_issue_of_github_fills_the_fields_and_keeps_the_rest() -> None:
    ticket = tickets("issues.json", [ISSUE])["GH-12"]
    assert (ticket.status, ticket.severity, ticket.assignee, ticket.agent) == (
        "open",
        "P1",
        "ada",
        "bob",
    )
    assert (ticket.created, ticket.updated, ticket.batch) == ("2025-03-02", "2025-03-05", "1.3")
    assert ticket.description == "It asks twice, see `valve.py`."
    assert ticket.report == "https://example.org/issues/12"
    assert [category.value for category in ticket.categories] == ["correctness"]
    assert "Me too." in extra(ticket)["Comments"]
    assert extra(ticket)["isPinned"] == "true"


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("COMPLETED", "fixed"),
        ("NOT_PLANNED", "wont-fix"),
        ("DUPLICATE", "duplicate"),
        ("", "fixed"),
    ],
)
def test_a_closed_issue_is_resolved_by_its_reason(reason: str, status: str) -> None:
    closed = {**ISSUE, "state": "CLOSED", "stateReason": reason, "closedAt": "2025-04-01T00:00:00Z"}
    ticket = tickets("issues.json", [closed])["GH-12"]
    assert ticket.status == status
    assert ticket.resolution is not None
    assert "on 2025-04-01" in ticket.resolution.evidence
    assert [change.date for change in ticket.history] == ["2025-04-01"]


def test_a_pull_request_among_issues_is_reported_as_not_read() -> None:
    found = read(
        "issues.json", [ISSUE, {"number": 13, "title": "Fix", "pull_request": {"url": "x"}}]
    )
    assert [one.ticket.id for one in found.tickets] == ["GH-12"]
    assert list(found.unread) == ["1 pull request"]


def test_an_issue_of_jira_fills_the_fields_with_its_rich_text() -> None:
    rich = {
        "type": "doc",
        "content": [{"type": "paragraph", "content": [{"type": "text", "text": "It leaks."}]}],
    }
    fields = {
        "summary": "The tank leaks",
        "description": rich,
        "status": {"name": "Closed"},
        "resolution": {"name": "Won't Do"},
        "priority": {"name": "Medium"},
        "created": "2025-03-02T10:00:00.000+0100",
        "customfield_1": 7,
    }
    ticket = tickets("search.json", {"issues": [{"key": "NET-7", "fields": fields}]})["NET-7"]
    assert (ticket.description, ticket.status, ticket.severity) == ("It leaks.", "wont-fix", "P2")
    assert extra(ticket)["customfield_1"] == "7"


JIRA = """\
Summary,Issue key,Issue Type,Status,Priority,Resolution,Created,Resolved,Labels,Labels,Description,Comment,Points
"Valve asks, twice",NET-4,Bug,Done,High,Fixed,02/Mar/25 3:04 PM,06/Mar/25 1:00 PM,performance,tank,"It asks.

Twice.",eve;Me too,3
,NET-5,Task,To Do,Low,,,,,,,,
"""


def test_a_table_of_jira_is_read_by_its_headers() -> None:
    found = read("jira.csv", JIRA)
    (ticket,) = tickets("jira.csv", JIRA).values()
    assert (ticket.id, ticket.title, ticket.severity, ticket.status) == (
        "NET-4",
        "Valve asks, twice",
        "P1",
        "fixed",
    )
    assert (ticket.created, ticket.history[0].date) == ("2025-03-02", "2025-03-06")
    assert ticket.description == "It asks.\n\nTwice."
    assert extra(ticket) == {
        "Points": "3",
        "Labels": "Bug, performance, tank",
        "Comments": "eve;Me too",
    }
    assert list(found.unread) == ["1 row without a title"]


def test_a_table_with_other_headers_is_read_by_the_columns_given() -> None:
    text = "Nr;Betreff;Datei\n1;Ventil;/home/ada/src/valve.py:12\n"
    columns = {"title": "Betreff", "files": "Datei"}
    (ticket,) = tickets("list.csv", text, columns).values()
    assert (ticket.id, ticket.title) == ("LIST-1", "Ventil")
    assert [(place.path, place.lines) for place in ticket.locations] == [("src/valve.py", "12")]
    with pytest.raises(TicketError, match="line 1: CSV without a column of titles"):
        read("list.csv", text)
    with pytest.raises(UsageError, match="unknown field 'titel'; did you mean 'title'"):
        read("list.csv", text, {"titel": "Betreff"})


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2025-03-02T10:00:00Z", "2025-03-02"),
        ("02/Mar/25 3:04 PM", "2025-03-02"),
        ("Mar 2, 2025", "2025-03-02"),
        ("2025/3/2", "2025-03-02"),
        ("03/02/2025", ""),
        ("soon", ""),
        ("", ""),
    ],
)
def test_dates_of_trackers_are_read_where_they_are_unambiguous(text: str, date: str) -> None:
    assert date_of(text) == date


SARIF: dict[str, Any] = {
    "runs": [
        {
            "tool": {"driver": {"name": "Linter", "version": "1.2", "rules": [
                {"id": "L1", "helpUri": "https://example.org/L1", "help": {"text": "## Why\n\nIt hurts."},
                 "properties": {"security-severity": "7.5"}}]}},
            "results": [
                {
                    "ruleId": "L1",
                    "ruleIndex": 0,
                    "level": "warning",
                    "message": {"text": "The valve is open.\nClose it."},
                    "locations": [{"physicalLocation": {
                        "artifactLocation": {"uri": "file:///home/ada/src/valve.py"},
                        "region": {"startLine": 3, "endLine": 4, "snippet": {"text": "open()\n"}}}}],
                    "fixes": [{}],
                    "properties": {"confidence": "HIGH"},
                },
                {"ruleId": "L2", "level": "note", "message": {"text": "Quiet."},
                 "suppressions": [{"kind": "inSource", "justification": "it is meant"}]},
                {"ruleId": "L3", "kind": "pass", "message": {"text": "Good."}},
            ],
        }
    ]
}  # fmt: skip


def test_a_result_of_sarif_is_a_ticket_with_place_code_and_rule() -> None:
    first, second = tickets("linter.sarif", SARIF).values()
    assert first.id.startswith("LINTER-L1-")
    assert (first.title, first.severity, first.section) == ("The valve is open.", "P1", "L1")
    assert [(place.path, place.lines) for place in first.locations] == [("src/valve.py", "3-4")]
    assert [evidence.code for evidence in first.evidence] == ["open()"]
    assert "It hurts." in extra(first)["About the rule"]
    assert extra(first)["confidence"] == "HIGH"
    assert (second.status, second.severity) == ("wont-fix", "P4")
    assert second.resolution is not None
    assert "it is meant" in second.resolution.evidence
    assert list(read("linter.sarif", SARIF).unread) == ["1 fixes", "1 results of the kind pass"]


def test_the_id_of_a_result_stays_when_its_lines_move() -> None:
    moved = json.loads(json.dumps(SARIF))
    region = moved["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]
    region.update(startLine=30, endLine=31)
    assert list(tickets("linter.sarif", moved)) == list(tickets("linter.sarif", SARIF))


RESULTS: dict[str, Any] = {
    "ruff": [{"code": "F401", "message": "unused", "filename": "/home/ada/src/valve.py", "noqa_row": 3,
              "location": {"row": 3, "column": 1}, "end_location": {"row": 4, "column": 2}}],
    "bandit": {"results": [{"code": "3 open()\n4 close()\n", "filename": "src/valve.py", "issue_severity": "HIGH",
                            "issue_text": "unsafe", "line_number": 3, "test_id": "B101"}], "errors": []},
    "pylint": [{"type": "convention", "path": "src/valve.py", "line": 3, "endLine": 4, "message-id": "C1",
                "message": "long", "symbol": "line-too-long"}],
    "mypy": '{"file": "src/valve.py", "line": 3, "message": "no", "hint": null, "code": "x", "severity": "error"}\n',
    "flake8": {"src/valve.py": [{"code": "E1", "line_number": 3, "text": "bad"}]},
    "pyright": {"generalDiagnostics": [{"file": "src/valve.py", "severity": "error", "message": "no", "rule": "r",
                                        "range": {"start": {"line": 2}}}]},
    "semgrep": {"results": [{"check_id": "s.x", "path": "src/valve.py", "start": {"line": 3}, "end": {"line": 4},
                             "extra": {"message": "no", "severity": "WARNING"}}]},
    "eslint": [{"filePath": "src/valve.py", "messages": [{"ruleId": "e", "message": "no", "line": 3}]}],
}  # fmt: skip


@pytest.mark.parametrize("tool", RESULTS)
def test_results_of_an_analyser_are_tickets_with_file_line_and_rule(tool: str) -> None:
    (ticket,) = tickets(
        f"{tool}.jsonl" if tool == "mypy" else f"{tool}.json", RESULTS[tool]
    ).values()
    assert ticket.id.startswith(tool.upper() + "-")
    assert ticket.locations[0].path == "src/valve.py"
    assert ticket.locations[0].lines.partition("-")[0] == "3"
    assert ticket.agent == tool
    assert ticket.section


def test_a_list_of_things_to_do_is_a_ticket_for_each() -> None:
    text = "# TODO\n\n## Soon\n\n- [ ] Fix `valve.py:12` (P1)\n  - twice\n- [x] Oil the pump\n\nTODO: weld\n\nProse.\n"
    fix, oil, weld = tickets("TODO.md", text).values()
    assert (fix.severity, fix.status, fix.domain, fix.description) == (
        "P1",
        "open",
        "Soon",
        "- twice",
    )
    assert [(place.path, place.lines) for place in fix.locations] == [("src/valve.py", "12")]
    assert (oil.title, oil.status) == ("Oil the pump", "fixed")
    assert weld.title == "weld"
    assert list(read("TODO.md", text).unread) == ["Prose."]


def test_a_file_of_todo_txt_gives_priorities_and_dates() -> None:
    text = "(A) 2025-03-02 Fix valve +net\nx 2025-03-05 2025-03-02 Oil pump\n"
    fix, oil = tickets("todo.txt", text).values()
    assert (fix.title, fix.severity, fix.created) == ("Fix valve +net", "P0", "2025-03-02")
    assert (oil.status, oil.created, oil.updated) == ("fixed", "2025-03-02", "2025-03-05")
    assert list(read("todo.txt", text).unread) == []


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.json", {"a": 1}, r"JSON without `runs` \(SARIF\), .* \(got an object with `a`\)"),
        ("a.json", [], r"\(got an empty list\)"),
        ("a.json", "{", "invalid JSON: "),
        ("a.json", "", "an empty file"),
        ("a.json", "[" * 100_000, "nested too deeply|invalid JSON"),
        ("a.sarif", {"runs": []}, "nothing to import"),
        ("a.csv", "", "CSV without a column of titles"),
        ("a.md", "# About\n\n- one\n- two\n", "not a ticket"),
    ],
)
def test_another_file_is_refused_by_its_kind(name: str, content: object, problem: str) -> None:
    with pytest.raises(TicketError, match=problem):
        read(name, content)


def test_a_form_or_a_template_with_boxes_is_no_list_of_things_to_do() -> None:
    boxes = "- [ ] Correctness\n- [ ] Performance\n- [ ] Documentation\n"
    form = f"# Finding\n\n## Ticket Metadata\n\n| Field | Value |\n|---|---|\n| **Ticket ID** | `B{{n}}` |\n\n{boxes}"
    with pytest.raises(TicketError, match="placeholder"):
        read("finding.md", form)
    with pytest.raises(TicketError):
        read("bug-template.md", boxes)
    assert len(read("before-release.md", boxes).tickets) == 3
