"""`esper-audit watch`: run a training command and check contracts on the way."""

from __future__ import annotations

import json
import sys

import click

from esper_audit.cli.audit_output import report_audit
from esper_audit.cli.local_date import today
from esper_audit.cli.options import output_options, project_options, split_at_commas
from esper_audit.cli.output_options import OutputOptions
from esper_audit.findings.audit import CLEAN, NOT_ALL_ANALYSED
from esper_audit.project.config import Project
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.text.markdown import count
from esper_audit.watch.session import WatchRequest, WatchResult
from esper_audit.workflow.watch import WatchedAudit, watch


@click.command(
    "watch",
    short_help="Check a training run on the way.",
    context_settings={"ignore_unknown_options": True},
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option(
    "--steps",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    metavar="N",
    help="Optimizer steps to watch (0 = all).",
)
@click.option(
    "--only",
    multiple=True,
    metavar="ID,...",
    callback=split_at_commas,
    help="Watch with these monitors only.",
)
@click.option("--tickets", is_flag=True, help="Open a ticket for each new finding.")
@output_options
@project_options
def command(
    project: Project,
    *,
    command: tuple[str, ...],
    steps: int,
    only: list[str],
    tickets: bool,
    output: OutputOptions,
) -> None:
    """Run COMMAND, a training program, and check contracts of the loop on the way.

    Put `--` before the command. Its output and its random streams are its own; after N optimizer steps
    the hooks of steps come off.

    Exit status: 0 the command succeeded and nothing was found; 1 findings; 2 the command cannot be
    started; 3 it failed, or could not be watched.
    """
    request = WatchRequest(command, steps, tuple(only))
    watched = watch(project, request, today(), tickets=tickets)
    status, text = report_audit(watched.audit, CheckCatalogue.of_project(project), output)
    if output.style == "text":
        text += _summary(watched)
    if output.style == "json" and not output.output_file:
        text = _with_run(text, watched.result)
    sys.stdout.write(text)
    sys.exit(NOT_ALL_ANALYSED if status == CLEAN and watched.result.status else status)


def _summary(watched: WatchedAudit) -> str:
    result = watched.result
    steps = max((process.steps for process in result.ended), default=0)
    watched_steps, where = count(steps, "optimizer step"), count(len(result.ended), "process")
    lines = [f"watched {watched_steps} in {where}; the command ended with {result.status}"]
    lines += [
        f"  {check}: looked {count(times, 'time')}" for check, times in sorted(result.looks.items())
    ]
    lines += [
        f"  {check}: nothing to look at ({why})" for check, why in sorted(result.reasons.items())
    ]
    lines += [f"  opened {ticket}" for ticket in watched.opened]
    return "\n".join(lines) + "\n"


def _with_run(text: str, result: WatchResult) -> str:
    """Return an audit in JSON with what the command did, under `watch`."""
    run = {
        "command_status": result.status,
        "steps": max((process.steps for process in result.ended), default=0),
        "processes": len(result.ended),
        "looked": result.looks,
        "nothing_to_look_at": result.reasons,
    }
    return json.dumps({**json.loads(text), "watch": run}, indent=2) + "\n"
