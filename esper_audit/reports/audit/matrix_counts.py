"""How many cells of the matrix are in which state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from esper_audit.reports.contract_states import ContractState, ContractStates
from esper_audit.text.markdown import count, listed

# The states of a cell in which the audit cannot report whether its contract holds.
UNSEEN = (ContractState.NOT_LOOKED_AT, ContractState.OFF, ContractState.UNAVAILABLE)


def count_cells(states: Iterable[ContractStates]) -> Counter[ContractState]:
    """Return the number of cells in each state. A contract has up to two: by rules and by probes."""
    cells = (state for one in states for state in (one.by_rules, one.by_probes))
    return Counter(state for state in cells if state is not None)


def cells_text(cells: Counter[ContractState]) -> str:
    """Return the counts as sentences, in which each cell is counted once."""
    unseen = sum(cells[state] for state in UNSEEN)
    reasons = [
        f"{cells[state]:,} {'undecided' if state is ContractState.NOT_LOOKED_AT else state}"
        for state in UNSEEN
        if cells[state]
    ]
    others = [
        f"{cells[state]:,} {'is' if cells[state] == 1 else 'are'} {state}"
        for state in (ContractState.NOT_APPLICABLE, ContractState.NOT_ADOPTED)
        if cells[state]
    ]
    looked = f"{count(unseen, 'cell')} not looked at" if unseen else "no cell not looked at"
    text = (
        f"Matrix of {count(cells.total(), 'cell')}: {cells[ContractState.HOLDS]:,} hold, "
        f"{cells[ContractState.BROKEN]:,} broken, {looked}"
    )
    text += f" ({', '.join(reasons)})" if reasons else ""
    return f"{text}; {listed(others)}." if others else f"{text}."
