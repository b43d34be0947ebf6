"""The repair of a finding without a fixer: the measured formula, and code that is good."""

from __future__ import annotations

import re
from collections.abc import Iterator

from esper_audit.text.markdown import code, fenced, sentence
from esper_audit.tickets.ticket import Ticket

LONGEST_CODE = 30  # lines
# `what is wrong. Do this`, or `what is wrong: use this`.
INSTRUCTION = re.compile(
    r"(?:\. (?=[A-Z])|[:;] (?=use |pass |clamp |call ))(?P<do>[^.]+(?:\.\w[^.]*)*)\.?$"
)


def repair_texts(ticket: Ticket) -> Iterator[str]:
    """Yield the repair of what a run found: the formula where it is known, and good code."""
    # A list of tickets imports no rule.
    from esper_audit.reports.rules_page import check_page
    from esper_audit.rules.catalogue import CheckCatalogue

    yield from filter(None, [instruction_in(ticket.title)])
    yield from dict.fromkeys(_formulas(ticket))
    catalogue, check_id = CheckCatalogue([], "", []), ticket.check
    page = check_page(catalogue.check(check_id)) if check_id in catalogue.rule_contracts else None
    if page is None or not page.valid or page.valid.count("\n") >= LONGEST_CODE:
        yield f"`esper-audit rule {check_id}` shows code that the check does not report."
    else:
        yield f"The check does not report this ({page.valid_name}):"
        yield fenced(page.valid, "python")


def instruction_in(message: str) -> str:
    """Return what the message of a finding tells its reader to do, as a sentence, empty where it tells nothing."""
    match = INSTRUCTION.search(message)
    return sentence(match["do"]) if match else ""


def _formulas(ticket: Ticket) -> Iterator[str]:
    """Yield the measured formula of each count that is declared wrong."""
    for table in (evidence.table for evidence in ticket.evidence if evidence.table):
        for row in (dict(zip(table.columns, cells, strict=True)) for cells in table.rows):
            formula = str(row.get("formula", ""))
            if any(map(str.isdigit, formula)) and row.get("ratio") != 1:
                yield f"The count of {code(str(row.get('blueprint')))} is {code(formula)}."
