"""The options of `check` and `probe` that decide what is reported of an audit, how and where."""

from __future__ import annotations

from functools import wraps
from typing import Any

import click
import msgspec

from esper_audit.cli.options import SEVERITIES, Command
from esper_audit.findings.errors import UsageError
from esper_audit.findings.finding import Severity
from esper_audit.reports.output_formats import find_format, format_of_file, shipped_formats

COUNTED_FORMATS = frozenset({"text"})


OPTIONS = [
    click.option(
        "--format",
        "style",
        default="",
        metavar="NAME",
        help=f"{', '.join(shipped_formats())}, or a plugin's.",
    ),
    click.option(
        "--output-file",
        default="",
        metavar="FILE",
        help="Write the report there; its name gives the format.",
    ),
    click.option(
        "--severity",
        type=click.Choice(SEVERITIES),
        default=Severity.P4.value,
        help="Report only findings as severe as this.",
    ),
    click.option(
        "--max-findings",
        type=click.IntRange(min=1),
        metavar="N",
        help="Report only the N most severe findings.",
    ),
    click.option("--statistics", "only_counts", is_flag=True, help="Count instead of listing."),
    click.option("--exit-zero", is_flag=True, help="Exit with 0 also if there are findings."),
]


class OutputOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is reported of an audit, how and where.

    `style` is the name of a format. `output_file` is empty for standard output. Findings less severe
    than `severity`, and all but the `max_findings` most severe, are counted and not shown.
    """

    style: str = "text"
    output_file: str = ""
    severity: Severity = Severity.P4
    max_findings: int | None = None
    exit_zero: bool = False
    only_counts: bool = False


def output_options(command: Command) -> Command:
    """Give a command the options of its output, passed as `output`."""

    @wraps(command)
    def with_output(*args: Any, **options: Any) -> None:
        chosen = {name: options.pop(name) for name in OutputOptions.__struct_fields__}
        if not chosen["style"]:
            named = chosen["output_file"]
            chosen["style"] = format_of_file(named) if named else "text"
        find_format(chosen["style"])  # an unknown one is an error before anything has run
        output = msgspec.convert(chosen, OutputOptions)
        if output.only_counts and output.style not in COUNTED_FORMATS:
            raise UsageError(f"--statistics counts in text (got {output.style}). Leave it out.")
        command(*args, output=output, **options)

    decorated: Command = with_output
    for option in reversed(OPTIONS):
        decorated = option(decorated)
    return decorated
