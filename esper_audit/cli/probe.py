"""`esper-audit probe`: run the probes on discovered classes and declared subjects."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec

from esper_audit.cli.audit_output import report_audit
from esper_audit.cli.local_date import today
from esper_audit.cli.options import (
    no_cache_option,
    output_options,
    project_options,
    shard_option,
    split_at_commas,
)
from esper_audit.cli.output_options import OutputOptions
from esper_audit.cli.screen import progress_bar
from esper_audit.findings.audit import CLEAN, NOT_ALL_ANALYSED
from esper_audit.findings.probe_record import Verdict
from esper_audit.probes.findings import audit_subjects
from esper_audit.probes.sandbox.pool import START
from esper_audit.probes.session import ProbeRequest
from esper_audit.project.config import Project
from esper_audit.project.workers.interruption import interruption_by_signals
from esper_audit.rules.catalogue import CheckCatalogue


@click.command("probe", short_help="Build, run and check modules of a package.")
@click.argument("subjects", nargs=-1, metavar="[TARGET]...")
@click.option(
    "--probe",
    "probes",
    multiple=True,
    metavar="ID,...",
    callback=split_at_commas,
    help="Run only these probes.",
)
@output_options
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Number of processes at a time (0 = automatic).",
)
@click.option(
    "--start",
    type=click.Choice(("fork", "spawn")),
    default=START,
    show_default=True,
    help="Process start method.",
)
@click.option(
    "--cluster",
    default="",
    metavar="ADDRESS",
    help="Run on the workers of this Dask scheduler.",
)
@shard_option
@click.option("--since", default="", metavar="REV", help="Probe only what changed since REV.")
@no_cache_option
@click.option("--strict", is_flag=True, help="Exit with 3 if a probe is inconclusive.")
@project_options
def command(project: Project, *, output: OutputOptions, strict: bool, **options: Any) -> None:
    """Build and run the modules of a package, and check the contracts that every module keeps.

    TARGET is a path or an importable package, whose module classes are discovered: nothing has to
    be declared. It can also be the name of a declared subject, a pattern (`cnn/*`,
    `slot@training`), or a subjects file (`file.py:function`). Without TARGET, the subjects and
    packages in the configuration are probed, else the whole project.

    The code of the target is run, in processes of its own.

    Exit status: 0 all promises kept; 1 a promise is broken; 2 could not run; 3 something was not
    looked at.

    The first Ctrl-C, or SIGTERM, ends the probes and reports what they found (exit status 3), the
    second one ends the command.
    """
    cache = not options.pop("no_cache")
    request = msgspec.convert({**options, "cache": cache, "today": today()}, ProbeRequest)
    try:
        with (
            progress_bar("units") as (progress,),
            interruption_by_signals(_announce) as interruption,
        ):
            audit = audit_subjects(project, request, progress, interruption)
    except KeyboardInterrupt:
        sys.stderr.write("esper-audit: stopped without a report\n")
        sys.exit(NOT_ALL_ANALYSED)
    status, text = report_audit(audit, CheckCatalogue.of_project(project), output)
    sys.stdout.write(text)
    is_inconclusive = any(r.verdict is Verdict.INCONCLUSIVE for r in audit.records)
    sys.exit(NOT_ALL_ANALYSED if strict and is_inconclusive and status == CLEAN else status)


def _announce() -> None:
    sys.stderr.write("esper-audit: interrupted, ending the probes. Once more to end at once.\n")
