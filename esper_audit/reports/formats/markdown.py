"""Output for a comment or a job summary: Markdown with one table for each severity."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from esper_audit.findings.audit import Audit
from esper_audit.reports.finding_groups import FindingGroup, fold_equal
from esper_audit.reports.formats.text import summary
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.text.markdown import cell, code, count, inline_code, table

MOST_PLACES = 5


def render(audit: Audit, catalogue: CheckCatalogue) -> str:
    """Return the findings by severity, equal ones of a file in one row, and what was not looked at."""
    return "\n\n".join(_parts(audit, catalogue)) + "\n"


def _parts(audit: Audit, catalogue: CheckCatalogue) -> Iterator[str]:
    yield "## esper-audit"
    yield cell("".join(part.text for part in summary(audit)).strip())
    groups = fold_equal(audit.findings)
    for severity, of_severity in groupby(groups, key=lambda group: group.first.severity):
        rows = [_row(group) for group in of_severity]
        yield f"### {severity}"
        yield table(["Check", "Where", "What"], rows)
    if audit.not_analysed:
        yield "### Not looked at"
        yield "\n".join(f"- {cell(problem.sentence())}" for problem in audit.not_analysed)
    if audit.findings:
        broken = sorted({finding.contract for finding in audit.findings})
        yield "### Contracts broken"
        yield "\n".join(f"- {code(one)}: {catalogue.contracts[one].statement}" for one in broken)


def _row(group: FindingGroup) -> list[str]:
    at = group.first.location
    where = inline_code(f"{at.path}:{at.line}")
    others = [str(other.location.line) for other in group.others]
    if others:
        more = len(others) - MOST_PLACES
        shown = ", ".join(others[:MOST_PLACES])
        where += f" and {shown}" + (f" and {count(more, 'more line')}" if more > 0 else "")
    return [inline_code(group.first.check), where, group.first.message.replace("<", "&lt;")]
