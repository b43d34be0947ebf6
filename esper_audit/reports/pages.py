"""Markdown reports: what the templates print is sorted, counted and worded here; they only loop."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from esper_audit.findings.audit import Audit
from esper_audit.project.atomic_write import write_if_changed
from esper_audit.project.config import Project
from esper_audit.reports.audit_page import audit_page, claims_page
from esper_audit.reports.rules_page import rules_page
from esper_audit.reports.ticket_page import ticket_page
from esper_audit.reports.tickets_page import tickets_page
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.tickets.assessment import VerifiedTicket
from esper_audit.tickets.ticket import Ticket

SHIPPED = os.path.join(os.path.dirname(__file__), "templates")
PAGE = ".md"
INDEX = f"tickets/index{PAGE}"


class Reports:
    """The folder of reports of a project and the templates they are made from."""

    def __init__(self, project: Project) -> None:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        own = project.config.templates
        folders = [project.resolve(own)] if own else []
        self._directory = project.resolve(project.config.reports)
        self._environment = Environment(  # noqa: S701  # Markdown, not HTML
            loader=FileSystemLoader([*folders, SHIPPED]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )

    def write(
        self,
        audit: Audit,
        tickets: Mapping[str, Ticket],
        handbook: CheckCatalogue,
        verified: Sequence[VerifiedTicket],
    ) -> list[str]:
        """Write every page; return the paths that changed."""
        return [
            *self.write_audit(audit, tickets, handbook, verified),
            *self.write_tickets(tickets.values()),
        ]

    def write_audit(
        self,
        audit: Audit,
        tickets: Mapping[str, Ticket],
        handbook: CheckCatalogue,
        verified: Sequence[VerifiedTicket],
    ) -> list[str]:
        """Write `audit.md` and `rules.md`; return the paths that changed."""
        page = audit_page(audit, tickets, handbook) | claims_page(verified)
        pages = {
            "audit.md": self._render("audit.md", audit=page),
            "rules.md": self._render("rules.md", **rules_page(handbook)),
        }
        return self._write(pages)

    def write_tickets(self, tickets: Iterable[Ticket]) -> list[str]:
        """Write a page for every ticket and the index, take away pages whose ticket is gone; return
        what changed.
        """
        listed = list(tickets)
        pages = {f"tickets/{ticket.id}{PAGE}": self.ticket(ticket) for ticket in listed}
        pages[INDEX] = self._render("tickets.md", **tickets_page(listed))
        folder = os.path.join(self._directory, "tickets")
        present = os.listdir(folder) if os.path.isdir(folder) else []
        stale = [name for name in present if name.endswith(PAGE) and f"tickets/{name}" not in pages]
        for name in stale:
            os.unlink(os.path.join(folder, name))
        return [*self._write(pages), *(f"tickets/{name}" for name in stale)]

    def ticket(self, ticket: Ticket) -> str:
        """Return the page of a ticket."""
        return self._render("ticket.md", ticket=ticket, page=ticket_page(ticket))

    def _render(self, template: str, **content: Any) -> str:
        return self._environment.get_template(template).render(**content).rstrip("\n") + "\n"

    def _write(self, pages: Mapping[str, str]) -> list[str]:
        return [
            name
            for name, text in pages.items()
            if write_if_changed(os.path.join(self._directory, name), text)
        ]
