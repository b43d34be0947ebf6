"""Issues of a tracker as JSON: `gh issue list --json`, the GitHub, GitLab and Jira interfaces."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from esper_audit.findings.finding import Severity
from esper_audit.text.markdown import count
from esper_audit.tickets.importing.foreign_record import ForeignRecord, safe_id
from esper_audit.tickets.markdown_import.document.inline_values import date_in, words
from esper_audit.tickets.markdown_import.terms.categories import categories_in, in_form_order
from esper_audit.tickets.markdown_import.terms.severities import BY_WORD, severity_in
from esper_audit.tickets.markdown_import.terms.statuses import StatusPlace, read_status
from esper_audit.tickets.states import RESOLVED, ResolutionKind, Status

Json: TypeAlias = Mapping[str, Any]
ENDS = {
    "completed": ResolutionKind.FIXED,
    "not planned": ResolutionKind.WONT_FIX,
    "duplicate": ResolutionKind.DUPLICATE,
}
ABOUT_SEVERITY = re.compile(r"(?:sev|prio)|^p[0-4]$", re.IGNORECASE)
READ = frozenset(
    {
        *(
            "number",
            "iid",
            "title",
            "body",
            "description",
            "state",
            "stateReason",
            "state_reason",
            "labels",
        ),
        *(
            "assignees",
            "assignee",
            "author",
            "user",
            "createdAt",
            "created_at",
            "updatedAt",
            "updated_at",
        ),
        *(
            "closedAt",
            "closed_at",
            "milestone",
            "url",
            "html_url",
            "web_url",
            "comments",
            "id",
            "pull_request",
        ),
    }
)
JIRA_READ = frozenset(
    {
        *(
            "summary",
            "description",
            "status",
            "priority",
            "created",
            "updated",
            "assignee",
            "reporter",
        ),
        *("resolution", "resolutiondate", "labels", "components", "issuetype", "comment"),
    }
)
NAMES = ("login", "name", "displayName", "username", "title", "value", "key")


def issues_in(content: object) -> list[Json]:
    """Return the issues in a JSON document, none if it is of another kind."""
    if isinstance(content, dict):
        listed = content.get("issues", content.get("items"))
        content = listed if isinstance(listed, list) else [content]
    listed = content if isinstance(content, list) else []
    issues: list[Json] = [one for one in listed if isinstance(one, dict)]
    is_issue = all(
        ("title" in one and {"number", "iid", "body"} & one.keys()) or _is_jira(one)
        for one in issues
    )
    return issues if is_issue else []


def records_of_issues(issues: Sequence[Json]) -> tuple[list[ForeignRecord], list[str]]:
    """Return the records of issues, and what is not read, by kind."""
    pulls = [issue for issue in issues if issue.get("pull_request")]
    records = [
        _jira_record(issue) if _is_jira(issue) else _record(issue)
        for issue in issues
        if issue not in pulls
    ]
    return records, [count(len(pulls), "pull request")] if pulls else []


def _is_jira(issue: Json) -> bool:
    return "key" in issue and isinstance(issue.get("fields"), dict)


def _record(issue: Json) -> ForeignRecord:
    """Return the record of an issue of GitHub or GitLab."""
    state, reason = (
        _text(issue.get("state")),
        _text(issue.get("stateReason") or issue.get("state_reason")),
    )
    is_closed = words(state).startswith("closed")
    kind = ENDS.get(words(reason), ResolutionKind.FIXED) if is_closed else None
    status = _status_of(kind) if kind else Status.OPEN
    labels = _names(issue.get("labels"))
    closed = _date(issue, "closedAt", "closed_at") if is_closed else ""
    number = issue.get("number", issue.get("iid", issue.get("id", "")))
    ended = f"closed {f'as {words(reason)} ' if reason else ''}on {closed}" if is_closed else ""
    return ForeignRecord(
        id=safe_id("GL" if "iid" in issue else "GH", number),
        title=_text(issue.get("title")),
        body=_text(issue.get("body") or issue.get("description")),
        status=status,
        kind=kind,
        resolution=ended,
        severity=_severity(labels),
        created=_date(issue, "createdAt", "created_at"),
        updated=_date(issue, "updatedAt", "updated_at"),
        closed=closed,
        agent=_name(issue.get("author") or issue.get("user")),
        assignee=", ".join(_names(issue.get("assignees") or issue.get("assignee"))),
        batch=_name(issue.get("milestone")),
        categories=tuple(in_form_order(c for label in labels for c in categories_in(label))),
        report=_text(issue.get("url") or issue.get("html_url") or issue.get("web_url")),
        rows=(("Labels", ", ".join(labels)), *_rows(issue, READ)),
        notes=_comments(issue.get("comments")),
        words=(("status", f"{state} {reason}".strip()),),
    )


def _jira_record(issue: Json) -> ForeignRecord:
    fields: Json = issue["fields"]
    state, ended = _name(fields.get("status")), _name(fields.get("resolution"))
    status, kind = status_in(state, ended)
    priority = _name(fields.get("priority"))
    comments = fields.get("comment")
    listed = comments.get("comments") if isinstance(comments, dict) else comments
    labels = _names(fields.get("labels"))
    kind_of_issue = _name(fields.get("issuetype"))
    return ForeignRecord(
        id=safe_id(issue["key"]),
        title=_text(fields.get("summary")),
        body=_text(fields.get("description")),
        status=status,
        kind=kind,
        resolution=f"resolved as {ended}" if ended else "",
        severity=severity_in(priority),
        created=_date(fields, "created"),
        updated=_date(fields, "updated"),
        closed=_date(fields, "resolutiondate") if status in RESOLVED else "",
        agent=_name(fields.get("reporter")),
        assignee=_name(fields.get("assignee")),
        domain=", ".join(_names(fields.get("components"))),
        categories=tuple(
            in_form_order(c for one in (kind_of_issue, *labels) for c in categories_in(one))
        ),
        report=_text(issue.get("self")),
        rows=(
            ("Issue Type", kind_of_issue),
            ("Labels", ", ".join(labels)),
            *_rows(fields, JIRA_READ),
        ),
        notes=_comments(listed),
        words=(("status", f"{state} {ended}".strip()), ("severity", priority)),
    )


def status_in(state: str, ended: str) -> tuple[Status, ResolutionKind | None]:
    """Return the status that the words of a tracker mean, and the kind of its resolution."""
    for text in (ended, state):
        found = read_status(StatusPlace.HEAD, text)
        if found is not None and found.status in RESOLVED:
            return found.status, found.kind
    found = read_status(StatusPlace.HEAD, state)
    if found is None or found.status is None:
        is_closed = found is not None
        return (Status.FIXED, ResolutionKind.FIXED) if is_closed else (Status.OPEN, None)
    return found.status, found.kind


def _status_of(kind: ResolutionKind) -> Status:
    return Status.FIXED if kind is ResolutionKind.FIXED else Status(kind.value)


def _severity(labels: Sequence[str]) -> Severity | None:
    stated = (severity_in(label) for label in labels if ABOUT_SEVERITY.search(label))
    plain = (BY_WORD.get(words(label)) for label in labels)
    return next((one for one in (*stated, *plain) if one), None)


def _comments(comments: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(comments, list):
        return ()
    texts = [
        f"**{_name(one.get('author') or one.get('user'))}** ({_date(one, 'createdAt', 'created_at', 'created')}):"
        f"\n\n{_text(one.get('body'))}"
        for one in comments
        if isinstance(one, dict)
    ]
    return (("Comments", "\n\n".join(texts)),) if texts else ()


def _rows(content: Json, read: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield the values without field."""
    for name, value in content.items():
        is_empty = value in (None, "", [], {}, False)
        if name not in read and not is_empty:
            yield name, _text(value)


def _date(content: Json, *names: str) -> str:
    return next((date_in(_text(content[name])) for name in names if content.get(name)), "")


def _names(values: object) -> list[str]:
    listed = values if isinstance(values, list) else [values]
    return [name for name in map(_name, listed) if name]


def _name(value: object) -> str:
    """Return the name of a person, a label or the like."""
    if isinstance(value, dict):
        return next((_text(value[key]) for key in NAMES if value.get(key)), "")
    return _text(value)


def _text(value: object) -> str:
    """Return a value as text, of a rich text of Jira its words."""
    if isinstance(value, dict) and value.get("type") == "doc":
        return "\n\n".join(filter(None, map(_rich_text, value.get("content") or [])))
    if isinstance(value, str) or value is None:
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def _rich_text(node: object) -> str:
    if not isinstance(node, dict):
        return ""
    own = node.get("text") if isinstance(node.get("text"), str) else ""
    below = [_rich_text(child) for child in node.get("content") or []]
    separator = "\n" if node.get("type") in ("bulletList", "orderedList", "listItem") else ""
    mark = "- " if node.get("type") == "listItem" else ""
    return f"{mark}{own}{separator.join(below)}"
