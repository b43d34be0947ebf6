"""`esper-audit check`: the rules over source."""

from __future__ import annotations

import os
import sys
from datetime import date
from typing import Any

import click
import msgspec

from esper_audit.cli.replay import record
from esper_audit.cli.screen import progress_bar, rendered
from esper_audit.engine import pipeline
from esper_audit.findings.audit import CLEAN, FINDINGS
from esper_audit.findings.errors import UsageError
from esper_audit.project.config import Project, find_project

FORMATS = ("text", "json", "sarif", "github")


def checks(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> list[str]:
    """Take `--select a,b --select c` as a, b, c."""
    return [check.strip() for value in values for check in value.split(",") if check.strip()]


@click.command("check")
@click.argument("paths", nargs=-1)
@click.option("--select", multiple=True, callback=checks, help="Only these checks ('all' for all).")
@click.option("--ignore", multiple=True, callback=checks, help="Not these checks.")
@click.option("--format", "style", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--since", default="", metavar="REV", help="Only what is new since the merge base.")
@click.option("--stdin-filename", default="", metavar="PATH", help="Read this file from stdin.")
@click.option("--fix", is_flag=True, help="Apply the safe fixes.")
@click.option("--unsafe-fixes", is_flag=True, help="Apply fixes that change behaviour as well.")
@click.option("--diff", is_flag=True, help="Show what the fixes would change, change nothing.")
@click.option(
    "--impact", is_flag=True, help="Ask the whole tree who hits each finding (`run` always does)."
)
@click.option("--jobs", default=0, metavar="N", help="Processes; 0 chooses.")
@click.option(
    "--no-prefilter",
    is_flag=True,
    help="Run every rule on every node (slow; same findings).",
)
@click.option("--timing", is_flag=True, help="Report what each rule cost (implies --no-cache).")
@click.option("--no-cache", is_flag=True, help="Look at every file afresh.")
@click.option(
    "--config", "config_file", default=None, metavar="FILE", help="Use this configuration."
)
def command(**options: Any) -> None:
    """Check the source below PATHS (default: those of the configuration)."""
    asked = msgspec.convert(options, CheckOptions)
    status, said = asked.run()
    sys.stdout.write(said)
    sys.exit(status)


class CheckOptions(msgspec.Struct, frozen=True):
    """The command line of one `check`."""

    paths: list[str]
    select: list[str]
    ignore: list[str]
    style: str
    since: str
    stdin_filename: str
    fix: bool
    unsafe_fixes: bool
    diff: bool
    impact: bool
    jobs: int
    no_prefilter: bool
    timing: bool
    no_cache: bool
    config_file: str | None

    def run(self) -> tuple[int, str]:
        """Return the exit status and what to print."""
        absolute = [os.path.abspath(path) for path in self.paths]
        if self.stdin_filename:
            absolute = [os.path.abspath(self.stdin_filename)]
        project = find_project(absolute, self.config_file)
        request = pipeline.CheckRequest(
            paths=absolute,
            select=self.select,
            ignore=self.ignore,
            since=self.since,
            jobs=self.jobs,
            prefilter=not self.no_prefilter,
            cache=not (self.no_cache or self.timing),
            timing=self.timing,
            impact=self.impact,
            today=date.today().isoformat(),  # noqa: DTZ011  # the day of whoever reads the ticket
        )
        if self.fix or self.unsafe_fixes or self.diff:
            return self._fix(project, request)
        if self.stdin_filename:
            data = sys.stdin.buffer.read()
            audit = pipeline.check_text(project, request, absolute[0], data)
            return audit.exit_status, rendered(audit, project, self.style)
        return self._check(project, request)

    def _check(self, project: Project, request: pipeline.CheckRequest) -> tuple[int, str]:
        with progress_bar("files") as (progress,):
            audit = pipeline.check(project, request, progress)
        said = rendered(audit, project, self.style)
        if not audit.not_analysed and not self.timing:
            record(
                sys.argv[1:],
                audit.exit_status,
                said,
                files=audit.files_read,
                directories=audit.directories_listed,
            )
        return audit.exit_status, said

    def _fix(self, project: Project, request: pipeline.CheckRequest) -> tuple[int, str]:
        """Apply or show the fixes, then say what remains; the status is that of what remains."""
        if self.since or self.stdin_filename:
            raise UsageError(
                "--fix, --unsafe-fixes and --diff work on whole files: leave out --since and stdin"
            )
        from esper_audit.engine.fixes import FixMode, diff

        fixes = pipeline.fix(
            project, request, FixMode(unsafe=self.unsafe_fixes, write=not self.diff)
        )
        if self.diff:
            return (FINDINGS if fixes else CLEAN), "".join(map(diff, fixes))
        audit = pipeline.check(project, request)
        count = sum(fixed.count for fixed in fixes)
        said = rendered(audit, project, self.style)
        if self.style == "text":
            said = f"Fixed {count} in {len(fixes)} files.\n{said}"
        return audit.exit_status, said
