"""The Markdown reports of a project: content from this room, layout from the templates."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from esper_audit.findings.audit import Audit
from esper_audit.project.atomic_write import write_if_changed
from esper_audit.project.config import Project
from esper_audit.reports.audit_page import audit_page
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
    """The reports in a folder.

    A template in `own_templates` replaces the shipped one of its name.
    """

    def __init__(self, directory: str, own_templates: str = "") -> None:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        folders = [own_templates] if own_templates else []
        self._directory = directory
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
        catalogue: CheckCatalogue,
        verified: Sequence[VerifiedTicket],
    ) -> list[str]:
        """Write every page.

        Return the paths that changed.
        """
        return [
            *self.write_audit(audit, tickets, catalogue, verified),
            *self.write_tickets(tickets.values()),
        ]

    def write_audit(
        self,
        audit: Audit,
        tickets: Mapping[str, Ticket],
        catalogue: CheckCatalogue,
        verified: Sequence[VerifiedTicket],
    ) -> list[str]:
        """Write `audit.md` and `rules.md`.

        Return the paths that changed.
        """
        page = audit_page(audit, tickets, catalogue, verified)
        pages = {
            "audit.md": self._render("audit.md", audit=page),
            "rules.md": self._render("rules.md", **rules_page(catalogue)),
        }
        return self._write(pages)

    def write_tickets(self, tickets: Iterable[Ticket]) -> list[str]:
        """Write a page for every ticket and the index.

        Delete the pages of tickets that are gone.

        Return the paths that changed.
        """
        all_tickets = list(tickets)
        pages = {f"tickets/{t.id}{PAGE}": self.render_ticket(t) for t in all_tickets}
        pages[INDEX] = self._render("tickets.md", **tickets_page(all_tickets))
        folder = os.path.join(self._directory, "tickets")
        present = os.listdir(folder) if os.path.isdir(folder) else []
        stale = [name for name in present if name.endswith(PAGE) and f"tickets/{name}" not in pages]
        for name in stale:
            os.unlink(os.path.join(folder, name))
        return [*self._write(pages), *(f"tickets/{name}" for name in stale)]

    def render_ticket(self, ticket: Ticket) -> str:
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


def project_reports(project: Project) -> Reports:
    """Return the reports in the folder, and with the templates, that a project configures."""
    config = project.config
    own_templates = project.resolve(config.templates) if config.templates else ""
    return Reports(project.resolve(config.reports), own_templates)
