"""`esper-audit refs`: list the definition, callers, references and tests of a symbol."""

from __future__ import annotations

import sys

import click
import msgspec

from esper_audit.cli.options import format_option, no_cache_option, project_options
from esper_audit.findings.audit import CLEAN, NOT_ALL_ANALYSED
from esper_audit.findings.errors import UsageError
from esper_audit.project.config import Project
from esper_audit.reports.reference_listing import ReferenceListing, listing_lines, reference_listing
from esper_audit.source.index.index import Index, open_index
from esper_audit.source.index.records import Symbol
from esper_audit.text.phrases import did_you_mean, nearest_word

MOST_SHOWN = 12


@click.command("refs", short_help="List the callers, references and tests of a symbol.")
@click.argument("name", metavar="SYMBOL")
@click.option("--argument", default="", metavar="NAME", help="Show which calls pass this argument.")
@format_option()
@no_cache_option
@project_options
def command(project: Project, *, name: str, argument: str, style: str, no_cache: bool) -> None:
    """List the definition, callers, references and tests of SYMBOL.

    SYMBOL is a dotted name, the end of one, or `path.py:Class.method`.

    Exit status: 0 listed; 2 SYMBOL is unknown or ambiguous; 3 listed, but a file that may hold
    more references was not looked at.
    """
    index = open_index(project, cache=not no_cache)
    listing = reference_listing(index, name, _only_symbol(index, name), argument)
    _require_known(index, listing)
    index.store.save()
    click.echo(_rendered(listing, style))
    sys.exit(NOT_ALL_ANALYSED if listing.not_looked_at else CLEAN)


def _only_symbol(index: Index, name: str) -> Symbol | None:
    """Return the symbol that a name denotes, None if nothing defines it.

    Raises UsageError for several.
    """
    found = index.symbols(name)
    if len(found) > 1:
        shown = "\n".join(f"  {symbol.path}:{symbol.symbol}" for symbol in found[:MOST_SHOWN])
        more = f"\n  and {len(found) - MOST_SHOWN} more" if len(found) > MOST_SHOWN else ""
        raise UsageError(
            f"'{name}' is ambiguous: {len(found)} symbols have this name. "
            f"Give one of these:\n{shown}{more}"
        )
    return found[0] if found else None


def _require_known(index: Index, listing: ReferenceListing) -> None:
    """Raise UsageError for a name without definition and mention, and for an unknown argument."""
    query = listing.query
    if listing.symbol is None and not listing.references and not listing.not_looked_at:
        names = {symbol.short for symbol in index.all_symbols()}
        near = nearest_word(query.rpartition(".")[2], names)
        raise UsageError(f"no symbol '{query}' in this project{near}")
    if listing.symbol is None or not listing.argument:
        return
    parameters = index.parameters(listing.symbol)
    names = {parameter.name for parameter in parameters or []}
    if parameters is not None and listing.argument not in names:
        raise UsageError(
            f"'{query}' has no parameter '{listing.argument}'"
            f"{did_you_mean(listing.argument, names)}"
        )


def _rendered(listing: ReferenceListing, style: str) -> str:
    if style == "json":
        return msgspec.json.format(msgspec.json.encode(listing), indent=2).decode()
    return "\n".join(listing_lines(listing))
