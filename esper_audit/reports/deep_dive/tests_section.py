"""What the tests reach, folder by folder, and the gaps: public code and findings that no test reaches."""

from __future__ import annotations

from collections.abc import Sequence

from esper_audit.findings.audit import Audit
from esper_audit.findings.reached_package import ReachedPackage
from esper_audit.reports.audit.source_links import SourceLinks
from esper_audit.text.markdown import code, count

MOST_FOLDERS = 12
MOST_GAPS = 3  # that a row names


def tests_section(audit: Audit, links: SourceLinks) -> dict[str, object]:
    """Return the rows of the section and its sentences."""
    folders = sorted(audit.tested, key=lambda one: (-len(one.untested), one.folder))
    public = sum(one.public for one in audit.tested)
    untested = sum(len(one.untested) for one in audit.tested)
    if public and public == untested:
        none = f"No test in this tree reaches one of the {public:,} public functions and classes."
        return {"sentence": none, "rows": [], "rest": "", "findings": ""}
    return {
        "sentence": (
            f"Tests reach {public - untested:,} of {public:,} public functions and classes of production code, "
            "directly or through other code. This is read from the source, and no test ran: what a program finds by "
            "name while it runs, such as plugins, counts as not reached."
            if public
            else ""
        ),
        "rows": [_row(one, links) for one in folders[:MOST_FOLDERS]],
        "rest": _rest(folders[MOST_FOLDERS:]),
        "findings": _untested_findings(audit, links),
    }


def _row(one: ReachedPackage, links: SourceLinks) -> dict[str, str]:
    gaps = [links.symbol(gap.path, gap.line, gap.symbol) for gap in one.untested[:MOST_GAPS]]
    if len(one.untested) > MOST_GAPS:
        gaps.append(f"{len(one.untested) - MOST_GAPS:,} more")
    return {
        "folder": code(f"{one.folder}/" if one.folder else "."),
        "reached": f"{one.reached:,} of {one.public:,}",
        "gaps": ", ".join(gaps),
    }


def _rest(folders: Sequence[ReachedPackage]) -> str:
    if not folders:
        return ""
    untested = sum(len(one.untested) for one in folders)
    return f"In {count(len(folders), 'more folder')}, {untested:,} are not reached."


def _untested_findings(audit: Audit, links: SourceLinks) -> str:
    """Return the findings in code that no test reaches, so that a repair needs a test first."""
    lacking = [
        links.place(finding.location)
        for finding in audit.findings
        if finding.impact and not finding.impact.tests and not finding.impact.tests_through
    ]
    more = len(lacking) - 2 * MOST_GAPS
    shown = [*lacking[: 2 * MOST_GAPS], f"{more:,} more"] if more > 0 else lacking
    return ", ".join(shown)
