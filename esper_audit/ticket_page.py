"""What a ticket's page says beyond the ticket's own fields, in the layout of the form that experts fill in."""

from __future__ import annotations

import textwrap

from esper_audit.finding import Category
from esper_audit.markdown import cell, code, sentence
from esper_audit.ticket import RESOLVED, Ticket

CATEGORY_NAMES = {
    Category.CORRECTNESS: "Correctness bug",
    Category.RACE_CONDITION: "Race condition / concurrency",
    Category.MEMORY_RESOURCE: "Memory leak / resource issue",
    Category.PERFORMANCE: "Performance bottleneck",
    Category.NUMERICAL_STABILITY: "Numerical stability",
    Category.TORCH_COMPILE: "torch.compile compatibility",
    Category.DEAD_CODE: "Dead code / unwired functionality",
    Category.API_CONTRACT: "API design / contract violation",
    Category.TEST_COVERAGE: "Test coverage gap",
    Category.DOCUMENTATION: "Documentation / naming",
    Category.DEFENSIVE_PROGRAMMING: "Defensive programming violation",
    Category.LEGACY_POLICY: "Legacy code policy violation",
}


def ticket_page(ticket: Ticket) -> dict[str, object]:
    """Return what the template prints beside the ticket itself."""
    return {
        "code": code,
        "updated": ticket.history[-1].date if ticket.history else ticket.created,
        "categories": [
            {"name": name, "mark": "x" if category in ticket.categories else " "}
            for category, name in CATEGORY_NAMES.items()
        ],
        "description": ticket.description or ticket.summary,
        "impact": _impact(ticket),
        "evidence": _evidence(ticket),
        "fixes": _fixes(ticket),
        "steps": _steps(ticket),
        "reviews": [
            {"reviewer": r.reviewer, "verdict": r.verdict.upper(), "evaluation": cell(r.evaluation)}
            for r in ticket.reviews
        ],
        "resolution": _resolution(ticket),
        "history": [
            {
                "date": change.date,
                "by": cell(change.by),
                "before": change.before or "",
                "after": change.after,
                "why": cell(change.why),
            }
            for change in ticket.history
        ],
    }


def _evidence(ticket: Ticket) -> list[dict[str, str]]:
    place = ticket.locations[0]
    return [
        {"place": f"{place.path}:{e.first_line}", "code": textwrap.dedent(e.code)}
        for e in ticket.evidence
    ]


def _impact(ticket: Ticket) -> dict[str, object] | None:
    impact = ticket.impact
    if impact is None:
        return None
    packages = [f"{code(name)} ({number})" for name, number in (impact.packages or {}).items()]
    said = {
        "Used in": packages,
        "Hit at": [code(place) for place in impact.hits],
        "Tests that name it": [code(test) for test in impact.tests],
        "Offered by": [code(module) for module in impact.exported],
    }
    lines = [f"{what}: {', '.join(items)}" for what, items in said.items() if items]
    return {"words": sentence(impact.words), "lines": lines}


def _fixes(ticket: Ticket) -> list[dict[str, str]]:
    options = [
        {"heading": f"Option {letter}: {fix.option}", "text": fix.text, "diff": fix.diff}
        for letter, fix in zip("ABCDEFGHIJ", ticket.fix, strict=False)
    ]
    by_hand = {
        "heading": "By hand",
        "text": f"`esper-audit rule {ticket.check}` shows code on which the check is quiet.",
        "diff": "",
    }
    return options or [by_hand]


def _steps(ticket: Ticket) -> list[dict[str, str]]:
    done = "x" if ticket.status in RESOLVED else " "
    own = [{"mark": done, "text": step} for step in ticket.verification]
    path = ticket.locations[0].path
    again = f"`esper-audit check {path} --select {ticket.check}` does not report it any more"
    return [*own, {"mark": done, "text": again}] if ticket.check else own


def _resolution(ticket: Ticket) -> dict[str, str] | None:
    if ticket.resolution is None:
        return None
    return {
        "kind": ticket.resolution.kind,
        "evidence": ticket.resolution.evidence,
        "commits": ", ".join(code(commit) for commit in ticket.resolution.commits),
        "sign_off": ticket.resolution.sign_off,
    }
