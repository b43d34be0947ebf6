"""The repair of a finding without a fixer: the measured formula, and code that is good."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from esper_audit.text.markdown import code, fenced
from esper_audit.tickets.ticket import Ticket

FORMULA = re.compile(r".*\d")  # none where the counts are no quadratic of the width
LONGEST_CODE = 30  # lines: a longer case is a tree that shows less than its rule's page


def repair_texts(ticket: Ticket) -> list[str]:
    """Return the repair of what a run found: the formula where it is known, and good code."""
    formulas = list(dict.fromkeys(_formulas(ticket)))
    more = f"`esper-audit rule {ticket.check}` shows code that the check does not report."
    example = _good_code(ticket.check)
    if example is None:
        return [*formulas, more]
    name, text = example
    return [*formulas, f"The check does not report this ({name}):", fenced(text, "python")]


def _formulas(ticket: Ticket) -> Iterator[str]:
    """Yield the measured formula of each size that `param-estimate` found declared wrong."""
    for table in (evidence.table for evidence in ticket.evidence if evidence.table):
        for row in (dict(zip(table.columns, cells, strict=True)) for cells in table.rows):
            if FORMULA.match(str(row.get("formula", ""))) and row.get("ratio") != 1:
                yield f"The count of {code(str(row['blueprint']))} is {code(str(row['formula']))}."


@functools.cache
def _good_code(check_id: str) -> tuple[str, str] | None:
    """Return the name and the code of the first case that a rule does not report, None for a probe."""
    # A list of tickets imports no rule.
    from esper_audit.reports.rules_page import check_page
    from esper_audit.rules.registry import RuleRegistry

    registry = RuleRegistry()
    if check_id in registry.summaries:
        page = check_page(registry.rule(check_id))
    elif check_id in registry.tree_contracts:
        page = check_page(registry.tree_rules[check_id])
    else:
        return None
    is_short = page.valid.count("\n") < LONGEST_CODE
    return (page.valid_name, page.valid) if page.valid and is_short else None
