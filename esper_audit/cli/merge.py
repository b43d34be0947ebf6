"""`esper-audit merge`: one report of the parts that several machines made."""

from __future__ import annotations

import sys

import click

from esper_audit.cli.audit_output import report_audit
from esper_audit.cli.local_date import today
from esper_audit.cli.options import output_options, project_options
from esper_audit.cli.output_options import OutputOptions
from esper_audit.project.config import Project
from esper_audit.reports.formats.part import read_part
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.workflow.merge import merge_parts


@click.command("merge", short_help="Merge the parts of a sharded audit into one report.")
@click.argument("parts", nargs=-1, required=True, metavar="PART...")
@output_options
@project_options
def command(project: Project, *, parts: tuple[str, ...], output: OutputOptions) -> None:
    """Report the PARTs that `check` or `probe` made with `--shard I/N --format part` as one audit.

    Exit status: 0 no findings; 1 findings; 2 a part is missing or unreadable; 3 something was not
    looked at.
    """
    merged = merge_parts(project, [read_part(file) for file in parts], today())
    status, text = report_audit(merged, CheckCatalogue.of_project(project), output)
    sys.stdout.write(text)
    sys.exit(status)
