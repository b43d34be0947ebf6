"""`esper-audit ticket schema`: the JSON Schema of a ticket file."""

from __future__ import annotations

import json

import click

from esper_audit.tickets.ticket import ticket_schema


@click.command("schema", short_help="Print the JSON Schema of a ticket file.")
def command() -> None:
    """Print the JSON Schema of a ticket file, for completion in an editor."""
    click.echo(json.dumps(ticket_schema(), indent=2, ensure_ascii=False))
