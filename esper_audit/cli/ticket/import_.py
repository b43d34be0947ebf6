"""`esper-audit ticket import`: tickets that people wrote in Markdown become records."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING

import click

from esper_audit.engine.pipeline import discover
from esper_audit.findings.audit import NOT_ALL_ANALYSED
from esper_audit.project.config import Project, find_project
from esper_audit.tickets.store import TicketStore, relative_path

if TYPE_CHECKING:
    from esper_audit.tickets.markdown_import.terms.paths import PathMap

VERSION = 1


@click.command("import")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--output", default="", metavar="DIR", help="Write here instead of into tickets/.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text")
@click.option(
    "--config", "config_file", default=None, metavar="FILE", help="Use this configuration."
)
def command(
    paths: tuple[str, ...], output: str, dry_run: bool, style: str, config_file: str | None
) -> None:
    """Read Markdown tickets and reports; write a YAML record for each.

    A directory is searched for .md, .markdown and .txt files. What no field takes is kept under
    `extra`. A record that is there already is left alone; one that differs is an error for that file.
    Exit status: 0 all were read; 3 some were refused.
    """
    from esper_audit.tickets.markdown_import.batch import State, files_below, read_files
    from esper_audit.tickets.markdown_import.import_report import as_data, as_text

    project = find_project([], config_file)
    files = files_below(paths)
    directory = os.path.abspath(output) if output else project.resolve(project.config.tickets)
    store = TicketStore(directory)
    tree = _path_map(project)
    with contextlib.nullcontext() if dry_run else store.exclusive():
        entries = read_files(files, tree, store.load(), relative_path(directory))
        for entry in entries:
            if entry.state is State.NEW and entry.ticket and not dry_run:
                store.save(entry.ticket, None)
    if style == "json":
        content = {"version": VERSION, "entries": as_data(entries)}
        sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    else:
        place = "nothing is written" if dry_run else f"written to {relative_path(directory)}/"
        sys.stdout.write(as_text(entries, place))
    if any(entry.state is State.REFUSED for entry in entries):
        sys.exit(NOT_ALL_ANALYSED)


def _path_map(project: Project) -> PathMap:
    """Return where files of other trees stand in this one."""
    from esper_audit.tickets.markdown_import.terms.paths import path_map

    files = discover(project, []).files
    return path_map(files, project.config.imports.map)
