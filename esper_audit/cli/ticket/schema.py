"""`esper-audit ticket schema`: the JSON Schema of a ticket."""

from __future__ import annotations

import json

import click

from esper_audit.tickets.ticket import ticket_schema


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of a ticket, for your editor's completion."""
    click.echo(json.dumps(ticket_schema(), indent=2, ensure_ascii=False))
