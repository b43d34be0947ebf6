"""`esper-audit probe`: the probes over the subjects."""

from __future__ import annotations

import sys
from datetime import date
from typing import Any

import click
import msgspec

from esper_audit.cli.check import FORMATS, checks
from esper_audit.cli.screen import progress_bar, rendered
from esper_audit.findings.audit import FINDINGS, NOT_ALL_ANALYSED, Audit
from esper_audit.findings.probe_record import Verdict
from esper_audit.probes.findings import audit_subjects
from esper_audit.probes.sandbox.pool import START
from esper_audit.probes.session import ProbeRequest
from esper_audit.project.config import find_project


@click.command("probe")
@click.argument("subjects", nargs=-1, metavar="[SUBJECT]...")
@click.option("--probe", "probes", multiple=True, callback=checks, help="Only these probes.")
@click.option("--format", "style", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--workers", default=0, metavar="N", help="Processes at a time; 0 chooses.")
@click.option(
    "--start",
    type=click.Choice(("fork", "spawn")),
    default=START,
    show_default=True,
    help="How a process comes about.",
)
@click.option("--strict", is_flag=True, help="What is inconclusive counts as not looked at.")
@click.option(
    "--config", "config_file", default=None, metavar="FILE", help="Use this configuration."
)
def command(**options: Any) -> None:
    """Put what subjects promise to the probes, each subject in processes of its own.

    SUBJECT is a name or pattern (`cnn/*`, `slot@training`), or a subjects file (`file.py:function`)
    instead of those of the configuration. Without any, everything is probed.

    Exit status: 0 all promises kept; 1 one is broken; 2 could not run; 3 something was not looked at.
    """
    asked = msgspec.convert(options, ProbeOptions)
    status, said = asked.run()
    sys.stdout.write(said)
    sys.exit(status)


class ProbeOptions(msgspec.Struct, frozen=True):
    """The command line of one `probe`."""

    subjects: list[str]
    probes: list[str]
    style: str
    workers: int
    start: str
    strict: bool
    config_file: str | None

    def run(self) -> tuple[int, str]:
        """Return the exit status and what to print."""
        project = find_project([], self.config_file)
        wanted = ProbeRequest(
            subjects=self.subjects,
            probes=self.probes,
            workers=self.workers,
            start="spawn" if self.start == "spawn" else "fork",
            today=date.today().isoformat(),  # noqa: DTZ011  # the day of whoever reads the ticket
        )
        with progress_bar("units") as (progress,):
            audit = audit_subjects(project, wanted, progress)
        return self._status(audit), rendered(audit, project, self.style)

    def _status(self, audit: Audit) -> int:
        if audit.not_analysed:
            return NOT_ALL_ANALYSED
        seen_nothing = any(r.verdict is Verdict.INCONCLUSIVE for r in audit.records)
        if audit.findings:
            return FINDINGS
        return NOT_ALL_ANALYSED if self.strict and seen_nothing else audit.exit_status
