"""The options of `check` and `probe` that decide what is reported of an audit, how and where."""

from __future__ import annotations

from typing import Any

import msgspec

from esper_audit.cli.declared_option import SEVERITIES, DeclaredOption, flag
from esper_audit.findings.errors import UsageError
from esper_audit.findings.finding import Severity
from esper_audit.reports.output_formats import find_format, format_of_file, shipped_formats

COUNTED_FORMATS = frozenset({"text"})


OUTPUT = (
    DeclaredOption(
        "style",
        ("--format",),
        f"{', '.join(shipped_formats())}, or a plugin's.",
        metavar="NAME",
    ),
    DeclaredOption(
        "output_file",
        ("--output-file",),
        "Write the report there; its name gives the format.",
        metavar="FILE",
    ),
    DeclaredOption(
        "severity",
        ("--severity",),
        "Report only findings as severe as this.",
        default=Severity.P4.value,
        choices=SEVERITIES,
    ),
    DeclaredOption(
        "max_findings",
        ("--max-findings",),
        "Report only the N most severe findings.",
        default=None,
        metavar="N",
        least=1,
    ),
    flag("only_counts", "--statistics", explained="Count instead of listing."),
    flag("exit_zero", "--exit-zero", explained="Exit with 0 also if there are findings."),
)


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


def take_output(options: dict[str, Any]) -> OutputOptions:
    """Return the options of the output, and remove them from the options of a command."""
    chosen = {name: options.pop(name) for name in OutputOptions.__struct_fields__}
    if not chosen["style"]:
        named = chosen["output_file"]
        chosen["style"] = format_of_file(named) if named else "text"
    find_format(chosen["style"])  # an unknown one is an error before anything has run
    output = msgspec.convert(chosen, OutputOptions)
    if output.only_counts and output.style not in COUNTED_FORMATS:
        raise UsageError(f"--statistics counts in text (got {output.style}). Leave it out.")
    return output
