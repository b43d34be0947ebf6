"""The output of `check` and `probe`: an audit in one of the output formats, on the screen or in a file."""

from __future__ import annotations

import os

import msgspec

from esper_audit.cli.output_options import OutputOptions
from esper_audit.cli.screen import for_screen, is_terminal, paint
from esper_audit.findings.audit import CLEAN, FINDINGS, Audit
from esper_audit.reports.output_formats import find_format
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.text.terminal import UNLIMITED, laid_out_for

JOB_SUMMARY = "GITHUB_STEP_SUMMARY"


def limited_audit(audit: Audit, output: OutputOptions) -> Audit:
    """Return an audit without the findings that the user does not want to see, which are counted."""
    severe = [finding for finding in audit.findings if finding.severity <= output.severity]
    shown = severe
    if output.max_findings is not None:
        worst = sorted(severe, key=lambda f: (f.severity, f.order))[: output.max_findings]
        shown = sorted(worst, key=lambda f: f.order)
    return msgspec.structs.replace(
        audit,
        findings=shown,
        below_severity=len(audit.findings) - len(severe),
        beyond_maximum=len(severe) - len(shown),
    )


def report_audit(audit: Audit, catalogue: CheckCatalogue, output: OutputOptions) -> tuple[int, str]:
    """Return the exit status and the text for standard output of an audit.

    With an output file the report is written there, and the text is the summary alone.
    """
    limited = limited_audit(audit, output)
    if output.style == "github":
        _add_job_summary(limited, catalogue)
    status = limited.exit_status
    if output.exit_zero and status == FINDINGS:
        status = CLEAN
    if not output.output_file:
        return status, _render(limited, catalogue, output, on_screen=is_terminal())
    from esper_audit.project.atomic_write import write_if_changed
    from esper_audit.reports.formats.text import summary

    with laid_out_for(UNLIMITED):
        text = _render(limited, catalogue, output, on_screen=False)
    write_if_changed(os.path.abspath(output.output_file), text)
    return status, for_screen(summary(limited))


def _add_job_summary(audit: Audit, catalogue: CheckCatalogue) -> None:
    """Append the report as Markdown to the summary of the job, where GitHub names its file."""
    if summary_file := os.environ.get(JOB_SUMMARY):
        with open(summary_file, "a", encoding="utf-8") as file:
            file.write(find_format("markdown")(audit, catalogue))


def _render(
    audit: Audit, catalogue: CheckCatalogue, output: OutputOptions, *, on_screen: bool
) -> str:
    if output.style != "text":
        return find_format(output.style)(audit, catalogue)
    from esper_audit.reports.formats.text import styled_audit

    styled = styled_audit(audit, catalogue, only_counts=output.only_counts)
    return paint(styled) if on_screen else "".join(part.text for part in styled)
