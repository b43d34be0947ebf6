"""`esper-audit ticket review`: what somebody else thinks of a ticket."""

from __future__ import annotations

from datetime import date

import click

from esper_audit.project.config import find_project
from esper_audit.text.markdown import count
from esper_audit.tickets.parts import Opinion, Review
from esper_audit.workflow.actions import TicketActions


@click.command("review")
@click.argument("ticket_id", metavar="ID")
@click.option("--reviewer", required=True, metavar="NAME", help="Who reviews.")
@click.option("--verdict", required=True, type=click.Choice([one.value for one in Opinion]))
@click.option("--evaluation", default="", metavar="TEXT", help="Why; Markdown.")
@click.option(
    "--config", "config_file", default=None, metavar="FILE", help="Use this configuration."
)
def command(
    ticket_id: str, reviewer: str, verdict: str, evaluation: str, config_file: str | None
) -> None:
    """Add a review to a ticket, with today's date."""
    today = date.today().isoformat()  # noqa: DTZ011  # the day of whoever reviews
    review = Review(reviewer=reviewer, verdict=Opinion(verdict), evaluation=evaluation, date=today)
    done = TicketActions(find_project([], config_file), today).review(ticket_id, review)
    reviews = done.ticket.reviews
    counted = ", ".join(
        f"{sum(r.verdict is v for r in reviews)} {v}"
        for v in Opinion
        if any(r.verdict is v for r in reviews)
    )
    click.echo(f"{done.ticket.id}: {count(len(reviews), 'review')} ({counted})")
