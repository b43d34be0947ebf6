"""`esper-audit ticket import`: read tickets in Markdown and write them as YAML records."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from esper_audit.cli.options import format_option, project_options
from esper_audit.engine.pipeline import discover
from esper_audit.findings.audit import NOT_ALL_ANALYSED
from esper_audit.findings.errors import UsageError, WriteError
from esper_audit.project.config import Project
from esper_audit.tickets.store import TicketStore, relative_path

if TYPE_CHECKING:
    from esper_audit.tickets.importing.batch import BatchEntry

VERSION = 1


@click.command("import", short_help="Import tickets, reports, issues and results.")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--output", default="", metavar="DIR", help="Write to DIR instead of the tickets folder."
)
@click.option(
    "--rename",
    is_flag=True,
    help="Number the second of two tickets with one id.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="FIELD=HEADER",
    help="Name the column of a field of a CSV file (repeatable).",
)
@click.option("--dry-run", is_flag=True, help="Print what would be imported and write nothing.")
@format_option()
@project_options
def command(
    project: Project,
    *,
    paths: tuple[str, ...],
    output: str,
    rename: bool,
    columns: tuple[str, ...],
    dry_run: bool,
    style: str,
) -> None:
    """Read tickets of people and of other tools and write a YAML record for each ticket.

    Markdown: tickets, reports, lists of things to do. JSON: issues of GitHub, GitLab and Jira, SARIF, results
    of other analysers. CSV: exports of Jira and of other trackers. In a directory, all files of these kinds
    are read. Text that belongs to no field is kept under `extra`. An existing record is never overwritten: if
    it differs, the file is refused.

    Exit status: 0 all files were imported; 2 could not run; 3 some files were refused, or nothing was read.
    """
    from esper_audit.tickets.importing.batch import (
        BatchReader,
        ImportState,
        find_documents,
        other_files,
    )
    from esper_audit.tickets.importing.file_kinds import kinds_of
    from esper_audit.tickets.markdown_import.terms.paths import path_map
    from esper_audit.workflow.settled_import import settler

    files = find_documents(paths)
    directory = os.path.abspath(output) if output else project.resolve(project.config.tickets)
    store = TicketStore(directory)
    paths_here = path_map(discover(project, []).files, project.config.imports.map)
    with contextlib.nullcontext() if dry_run else store.exclusive():
        reader = BatchReader(
            paths_here,
            store.load(),
            relative_path(directory),
            settle=settler(paths_here),
            rename=rename,
            columns=_columns(columns),
        )
        entries = reader.read(files)
        if not dry_run:
            entries = [_written(entry, store) for entry in entries]
    target = "" if dry_run else relative_path(directory)
    sys.stdout.write(_report(entries, style, target, list(kinds_of(other_files(paths)))))
    if not entries or any(entry.state is ImportState.REFUSED for entry in entries):
        sys.exit(NOT_ALL_ANALYSED)


def _columns(given: Sequence[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    for field, equals, header in pairs:
        if not (field and equals and header):
            raise UsageError(
                f"--column: names no field and header (got '{field}{equals}{header}', expected FIELD=HEADER)"
            )
    return {field.strip(): header.strip() for field, _, header in pairs}


def _report(entries: Sequence[BatchEntry], style: str, target: str, others: list[str]) -> str:
    from esper_audit.tickets.importing.batch import ImportState
    from esper_audit.tickets.importing.import_report import data_report, text_report

    if style != "json":
        is_written = target and any(entry.state is ImportState.NEW for entry in entries)
        return text_report(
            entries, f"written to {target}/" if is_written else "nothing is written", others
        )
    content = {"version": VERSION, "entries": data_report(entries), "not_read": others}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _written(entry: BatchEntry, store: TicketStore) -> BatchEntry:
    """Write the ticket of a new entry, and return the entry, as refused if it cannot be written."""
    from esper_audit.tickets.importing.batch import ImportState

    if entry.state is not ImportState.NEW or entry.ticket is None:
        return entry
    try:
        store.save(entry.ticket, None)
    except WriteError as error:
        return msgspec.structs.replace(entry, state=ImportState.REFUSED, problem=str(error))
    return entry
