"""`esper-audit refs`: who defines, calls, reads and tests a symbol."""

from __future__ import annotations

import os
import sys

import click
import msgspec

from esper_audit.findings.audit import CLEAN, NOT_ALL_ANALYSED
from esper_audit.findings.errors import UsageError
from esper_audit.project.config import find_project
from esper_audit.reports.reference_listing import Sheet, lines, sheet
from esper_audit.source.index.index import Index, open_index
from esper_audit.source.index.records import Symbol
from esper_audit.text.phrases import did_you_mean

MOST_SHOWN = 12


@click.command("refs")
@click.argument("name", metavar="SYMBOL")
@click.option("--argument", default="", metavar="NAME", help="Which calls pass this argument?")
@click.option(
    "--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.option("--no-cache", is_flag=True, help="Read every file afresh.")
@click.option(
    "--config", "config_file", default=None, metavar="FILE", help="Use this configuration."
)
def command(
    name: str, argument: str, style: str, *, no_cache: bool, config_file: str | None
) -> None:
    """Show who calls, reads and tests SYMBOL: a dotted name, any end of one, or path.py:Class.method.

    Exit status: 0 shown; 2 nothing has this name, or several things have; 3 shown, but a file that
    may hold more was not looked at.
    """
    project = find_project([os.getcwd()], config_file)
    index = open_index(project, cache=not no_cache)
    known = sheet(index, name, _meant(index, name), argument)
    _require_known(index, known)
    index.store.save()
    click.echo(_rendered(known, style))
    sys.exit(NOT_ALL_ANALYSED if known.not_looked_at else CLEAN)


def _meant(index: Index, name: str) -> Symbol | None:
    """Return the one symbol that a name means, None if nothing defines it."""
    found = index.symbols(name)
    if len(found) > 1:
        shown = "\n".join(f"  {symbol.path}:{symbol.symbol}" for symbol in found[:MOST_SHOWN])
        more = f"\n  and {len(found) - MOST_SHOWN} more" if len(found) > MOST_SHOWN else ""
        raise UsageError(
            f"'{name}' may mean {len(found)} things; ask for one of them:\n{shown}{more}"
        )
    return found[0] if found else None


def _require_known(index: Index, known: Sheet) -> None:
    """Refuse a name that nothing defines or mentions, and an argument that the symbol does not take."""
    if known.symbol is None and not known.references and not known.not_looked_at:
        names = {s.short for s in index.all_symbols()}
        raise UsageError(
            f"nothing is called '{known.asked}' in this tree{_hint(known.asked, names)}"
        )
    parameters = index.parameters(known.symbol) if known.symbol and known.argument else None
    names = {parameter.name for parameter in parameters or []}
    if parameters is not None and known.argument not in names:
        raise UsageError(
            f"'{known.asked}' takes no argument '{known.argument}'"
            f"{did_you_mean(known.argument, names)}"
        )


def _hint(name: str, names: set[str]) -> str:
    """Return a suggestion, without a list of everything where none is near."""
    hint = did_you_mean(name.rpartition(".")[2], names)
    return hint if hint.startswith("; did") else ""


def _rendered(known: Sheet, style: str) -> str:
    if style == "json":
        return msgspec.json.format(msgspec.json.encode(known), indent=2).decode()
    return "\n".join(lines(known))
