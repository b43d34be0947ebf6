"""The Markdown reports of a project: content from this room, layout from the templates."""

from __future__ import annotations

import functools
import os
import traceback
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from esper_audit.findings.audit import Audit
from esper_audit.findings.errors import ConfigError, WriteError
from esper_audit.project.atomic_write import remove_file, write_if_changed
from esper_audit.project.config import Project
from esper_audit.reports.audit.audit_page import audit_page
from esper_audit.reports.audit.audited_project import AuditedProject
from esper_audit.reports.audit.source_links import SourceLinks
from esper_audit.reports.deep_dive.deep_dive_page import deep_dive_page
from esper_audit.reports.pictures.audit_pictures import audit_pictures
from esper_audit.reports.rules_page import rules_page
from esper_audit.reports.ticket_page import ticket_page
from esper_audit.reports.tickets_page import tickets_page
from esper_audit.reports.web.index_page import index_page
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.text.markdown import count
from esper_audit.tickets.assessment import VerifiedTicket
from esper_audit.tickets.ticket import Ticket

if TYPE_CHECKING:
    from jinja2 import Environment

SHIPPED = os.path.join(os.path.dirname(__file__), "templates")
PAGE = ".md"
INDEX = f"tickets/index{PAGE}"
ATTRIBUTES = ".gitattributes"
MERGING = """\
# Written by esper-audit: pages that two branches changed merge without a conflict, and the next run rewrites them.
/audit.md merge=union linguist-generated
/deep-dive.md merge=union linguist-generated
/index.html merge=union linguist-generated
/pictures/*.svg merge=union linguist-generated
/tickets/*.md merge=union linguist-generated
"""


class Reports:
    """The reports in a folder.

    A template in `own_templates` replaces the shipped one of its name. `to_root` is the way from the
    folder to the files that its pages link.
    """

    def __init__(self, directory: str, own_templates: str = "", to_root: str = "..") -> None:
        self._directory = directory
        self._links = SourceLinks(to_root)
        self._environment = _environment(own_templates)

    def write(
        self,
        audit: Audit,
        tickets: Mapping[str, Ticket],
        catalogue: CheckCatalogue,
        verified: Sequence[VerifiedTicket],
    ) -> list[str]:
        """Write the pages of the audit with their pictures, a page for every ticket and their index.

        Return the paths that changed. Raises one WriteError after all pages that can be written are.
        """
        project = AuditedProject(audit, tickets, catalogue, verified, self._links)
        pictures = audit_pictures(audit)
        drawn = [picture for picture in pictures if picture.svg]
        dive = {**deep_dive_page(project), "pictures": drawn}
        index = {**index_page(project), "pictures": drawn}
        pages = {
            "audit.md": self._render("audit.md", audit=audit_page(project)),
            "deep-dive.md": self._render("deep-dive.md", page=dive),
            "index.html": self._render("index.html", page=index, script=self._source("index.js")),
        }
        images = {f"pictures/{one.file}": f"{one.svg}\n" if one.svg else None for one in pictures}
        return self._write({**pages, **images, **self._ticket_pages(tickets.values())})

    def write_tickets(self, tickets: Iterable[Ticket]) -> list[str]:
        """Write a page for every ticket and the index.

        Delete the pages of tickets that are gone.

        Return the paths that changed. Raises one WriteError after all pages that can be written are.
        """
        return self._write(self._ticket_pages(tickets))

    def render_rules(self, catalogue: CheckCatalogue) -> str:
        """Return the page of all checks."""
        return self._render("rules.md", **rules_page(catalogue))

    def render_ticket(self, ticket: Ticket) -> str:
        """Return the page of a ticket."""
        return self._render("ticket.md", ticket=ticket, page=ticket_page(ticket))

    def _ticket_pages(self, tickets: Iterable[Ticket]) -> dict[str, str]:
        all_tickets = list(tickets)
        pages = {f"tickets/{t.id}{PAGE}": self.render_ticket(t) for t in all_tickets}
        index = self._render("tickets.md", **tickets_page(all_tickets))
        return {**pages, INDEX: index, ATTRIBUTES: MERGING}

    def _render(self, template: str, **content: Any) -> str:
        from jinja2 import TemplateError, TemplateSyntaxError

        try:
            return self._environment.get_template(template).render(**content).rstrip("\n") + "\n"
        except TemplateSyntaxError as error:
            raise ConfigError(f"{error.filename}:{error.lineno}: {error.message}") from error
        except TemplateError as error:
            raise ConfigError(f"{self._place(template, error)}: {error.message}") from error

    def _source(self, template: str) -> str:
        """Return the text of a template that holds no tags."""
        loader = self._environment.loader
        assert loader is not None
        return loader.get_source(self._environment, template)[0]

    def _place(self, template: str, error: Exception) -> str:
        """Return the file and line of a template at which an error was raised."""
        file = self._environment.get_template(template).filename
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == file
        ]
        return f"{file}:{lines[-1] if lines else 1}"

    def _write(self, pages: Mapping[str, str | None]) -> list[str]:
        """Write the pages that changed, delete those without text or ticket, and return the names of both."""
        changed: list[str] = []
        refused: list[WriteError] = []
        for name in [*pages, *self._stale_pages(pages)]:
            try:
                if self._write_page(name, pages.get(name)):
                    changed.append(name)
            except WriteError as error:
                refused.append(error)
        if refused:
            others = f" (and {count(len(refused) - 1, 'other page')})" if len(refused) > 1 else ""
            raise WriteError(f"{refused[0]}{others}") from refused[0]
        return changed

    def _write_page(self, name: str, text: str | None) -> bool:
        """Write a page, or delete it if it has no text, and return whether a file changed."""
        path = os.path.join(self._directory, name)
        if name == ATTRIBUTES and _is_by_hand(path):
            return False
        if text is None and not os.path.lexists(path):
            return False
        if text is not None:
            return write_if_changed(path, text)
        remove_file(path)
        return True

    def _stale_pages(self, pages: Mapping[str, str | None]) -> list[str]:
        """Return the pages of tickets that are gone."""
        try:
            present = os.listdir(os.path.join(self._directory, "tickets"))
        except (OSError, ValueError):  # writing the pages reports the reason
            return []
        names = (f"tickets/{name}" for name in present if name.endswith(PAGE))
        return [name for name in names if name not in pages]


@functools.cache
def _environment(own_templates: str) -> Environment:
    """Return the environment that compiles each template once, and again where its file has changed."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=FileSystemLoader([own_templates, SHIPPED] if own_templates else [SHIPPED]),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _is_by_hand(path: str) -> bool:
    """Return whether a file exists that this program did not write, as where the reports lie in the root."""
    try:
        with open(path, encoding="utf-8") as file:
            return not file.readline().startswith("# Written by esper-audit")
    except OSError:
        return os.path.lexists(path)
    except ValueError:  # no text, or no path, which writing reports
        return "\0" not in path


def project_reports(project: Project) -> Reports:
    """Return the reports in the folder, and with the templates, that a project configures."""
    config = project.config
    own_templates = project.resolve(config.templates) if config.templates else ""
    directory = project.resolve(config.reports)
    return Reports(directory, own_templates, _way(directory, project.root))


def _way(start: str, end: str) -> str:
    """Return the relative path between two directories with slashes, `end` itself on another drive."""
    try:
        return os.path.relpath(end, start).replace(os.sep, "/")
    except ValueError:
        return end.replace(os.sep, "/")
