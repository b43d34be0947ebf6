"""What the pages of an audit are made of: the audit, the tickets, the claims, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from esper_audit.findings.audit import Audit
from esper_audit.reports.audit.cause_rows import tickets_by_fingerprint
from esper_audit.reports.audit.causes import Cause, causes_of
from esper_audit.reports.audit.matrix_counts import cells_text, count_cells
from esper_audit.reports.audit.source_links import SourceLinks
from esper_audit.reports.contract_states import ContractStates, contract_states
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.tickets.assessment import VerifiedTicket
from esper_audit.tickets.states import ACTIVE
from esper_audit.tickets.ticket import Ticket


@dataclass(frozen=True)
class AuditedProject:
    """An audit with the tickets and claims of its project. What several pages show is computed once."""

    audit: Audit
    tickets: Mapping[str, Ticket]
    catalogue: CheckCatalogue
    verified: Sequence[VerifiedTicket]
    links: SourceLinks

    @cached_property
    def states(self) -> list[ContractStates]:
        """The state of each contract."""
        return contract_states(self.audit, self.catalogue)

    @cached_property
    def cells(self) -> str:
        """The number of cells of the matrix by state, in words."""
        return cells_text(count_cells(self.states))

    @cached_property
    def causes(self) -> list[Cause]:
        """The findings by cause, the most urgent first."""
        return causes_of(self.audit.findings, self.catalogue)

    @cached_property
    def ticket_of(self) -> Mapping[str, Ticket]:
        """The tickets by the fingerprint of their finding."""
        return tickets_by_fingerprint(self.tickets.values())

    @cached_property
    def tickets_without_finding(self) -> list[Ticket]:
        """The active tickets that no finding of this audit belongs to, by id."""
        found = {finding.fingerprint for finding in self.audit.findings}
        active = (ticket for _, ticket in sorted(self.tickets.items()) if ticket.status in ACTIVE)
        return [ticket for ticket in active if ticket.fingerprint not in found]
