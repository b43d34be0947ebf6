"""The explanation of a finding for a hover: its message, the contract, what is checked and why."""

from __future__ import annotations

from esper_audit.findings.finding import Finding
from esper_audit.project.distribution import check_page
from esper_audit.reports.rules_page import check_page as description_of
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.text.markdown import labelled


def explain(finding: Finding, catalogue: CheckCatalogue) -> str:
    """Return what a hover over a finding shows, in Markdown."""
    check = catalogue.check(finding.check)
    contract = catalogue.contracts[finding.contract]
    page = description_of(check)
    paragraphs = [
        f"**{finding.message}**",
        f"{_linked(finding.check)} {finding.severity}: {page.title}.",
        labelled("Contract", f"{contract.statement} {contract.why}"),
        labelled("What", page.what),
        labelled("Why", page.why),
        labelled("Not reported", page.quiet),
        labelled("Fix", finding.edit.description) if finding.edit else "",
    ]
    return "\n\n".join(filter(None, paragraphs))


def _linked(check: str) -> str:
    page = check_page(check)
    return f"[`{check}`]({page})" if page else f"`{check}`"
