"""`esper-audit ticket review`: add a review to a ticket."""

from __future__ import annotations

import click

from esper_audit.cli.local_date import today
from esper_audit.cli.options import project_options
from esper_audit.project.config import Project
from esper_audit.text.markdown import count
from esper_audit.tickets.parts import Opinion, Review
from esper_audit.tickets.store import TicketStore
from esper_audit.workflow.actions import TicketActions


@click.command("review", short_help="Add a review to a ticket.")
@click.argument("ticket_id", metavar="ID")
@click.option("--reviewer", required=True, metavar="NAME", help="Name of the reviewer.")
@click.option(
    "--verdict",
    required=True,
    type=click.Choice([opinion.value for opinion in Opinion]),
    help="Opinion on the ticket.",
)
@click.option("--evaluation", default="", metavar="TEXT", help="Reasons, in Markdown.")
@project_options
def command(
    project: Project, *, ticket_id: str, reviewer: str, verdict: str, evaluation: str
) -> None:
    """Add a review with the date of today to the ticket ID."""
    date = today()
    review = Review(reviewer=reviewer, verdict=Opinion(verdict), evaluation=evaluation, date=date)
    store = TicketStore(project.resolve(project.config.tickets))
    ticket = TicketActions(store, project.root, date).review(ticket_id, review).ticket
    reviews = ticket.reviews
    counted = ", ".join(
        f"{sum(review.verdict is opinion for review in reviews)} {opinion}"
        for opinion in Opinion
        if any(review.verdict is opinion for review in reviews)
    )
    click.echo(f"{ticket.id}: {count(len(reviews), 'review')} ({counted})")
