"""The steps of `esper-audit check` from its arguments to its report. click is not imported here."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from esper_audit.cli.audit_output import report_audit
from esper_audit.cli.local_date import today
from esper_audit.cli.output_options import OutputOptions, take_output
from esper_audit.cli.replay import record
from esper_audit.cli.screen import progress_bar
from esper_audit.engine import pipeline
from esper_audit.findings.audit import CLEAN, FINDINGS
from esper_audit.findings.errors import UsageError
from esper_audit.project.config import Project, find_project
from esper_audit.project.workers.limited_work import is_memory_reported
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.text.markdown import count

if TYPE_CHECKING:
    from esper_audit.engine.fixes import FixMode

STDIN, UNNAMED = "-", "stdin.py"
UNLIMITED_MEMORY = "esper-audit: this system does not report the memory of a process: a rule may use any amount of it"


def check(paths: Sequence[str], options: dict[str, Any]) -> None:
    """Check files or the source on standard input, print the report, and exit with its status.

    `options` are all of `check_options.CHECK`.
    """
    output = take_output(options)
    status, text = _checked(paths, output=output, **options)
    sys.stdout.write(text)
    sys.exit(status)


def _checked(
    paths: Sequence[str],
    *,
    output: OutputOptions,
    stdin_filename: str,
    fix: bool,
    interactive: bool,
    unsafe_fixes: bool,
    only_diff: bool,
    no_prefilter: bool,
    timing: bool,
    no_cache: bool,
    config_file: str | None,
    **options: Any,
) -> tuple[int, str]:
    """Return the exit status and the report."""
    is_stdin = bool(stdin_filename) or STDIN in paths
    absolute = [os.path.abspath(path) for path in paths]
    if is_stdin:
        absolute = [_path_of_stdin(paths, stdin_filename)]
    project = find_project(absolute, config_file)
    _require_passing_cases(project, cache=not no_cache)
    request = pipeline.CheckRequest(
        paths=absolute,
        prefilter=not no_prefilter,
        cache=not (no_cache or timing),
        timing=timing,
        today=today(),
        **options,
    )
    if fix or unsafe_fixes or only_diff or interactive:
        _require_whole_files(request, asks=interactive, cannot_ask=is_stdin or only_diff)
        apply = _fix_stdin if is_stdin else _fix
        mode = _fix_mode(unsafe=unsafe_fixes, write=not only_diff, interactive=interactive)
        return apply(project, request, output, mode)
    if is_stdin:
        return _check_stdin(project, request, output)
    return _check(project, request, output)


def _path_of_stdin(paths: Sequence[str], stdin_filename: str) -> str:
    """Return the absolute path whose content is read from standard input."""
    others = [path for path in paths if path != STDIN]
    if others and STDIN in paths:
        raise UsageError(f"'-' is the only path where it is given (got {', '.join(others)} too).")
    return os.path.abspath(stdin_filename or UNNAMED)


def _require_passing_cases(project: Project, *, cache: bool) -> None:
    """Raise RuleLoadError if a case of a local rule fails."""
    if project.local_rules:
        from esper_audit.workflow.project_rules.local_rules import require_passing_cases

        require_passing_cases(project, cache=cache)


def _check_stdin(
    project: Project, request: pipeline.CheckRequest, output: OutputOptions
) -> tuple[int, str]:
    """Return the exit status and the report for the source on standard input."""
    data = sys.stdin.buffer.read()
    audit = pipeline.check_text(project, request, request.paths[0], data)
    return report_audit(audit, CheckCatalogue.of_project(project), output)


def _check(
    project: Project, request: pipeline.CheckRequest, output: OutputOptions
) -> tuple[int, str]:
    """Return the exit status and the report for files.

    Record both for a replay.
    """
    if not is_memory_reported():
        sys.stderr.write(f"{UNLIMITED_MEMORY}\n")
    with progress_bar("files") as (progress,):
        audit = pipeline.check(project, request, progress)
    status, text = report_audit(audit, CheckCatalogue.of_project(project), output)
    if not audit.not_analysed and not request.timing:
        record(
            sys.argv[1:],
            status,
            text,
            files=audit.files_read,
            directories=audit.directories_listed,
        )
    return status, text


def _require_whole_files(request: pipeline.CheckRequest, *, asks: bool, cannot_ask: bool) -> None:
    if asks and cannot_ask:
        raise UsageError("--interactive asks on the terminal. Leave out --diff and stdin.")
    if request.since:
        raise UsageError(
            "--fix, --unsafe-fixes and --diff work on whole files (got --since). Leave out --since."
        )


def _fix_mode(*, unsafe: bool, write: bool, interactive: bool) -> FixMode:
    from esper_audit.engine.fixes import FixMode

    if not interactive:
        return FixMode(unsafe=unsafe, write=write)
    from esper_audit.cli.fix_review import FixReview

    return FixMode(unsafe=unsafe, write=write, is_wanted=FixReview().is_wanted)


def _fix_stdin(
    project: Project,
    request: pipeline.CheckRequest,
    output: OutputOptions,
    mode: FixMode,
) -> tuple[int, str]:
    """Write the fixed source to standard output, and the report for what remains to standard error.

    Where the mode writes nothing, return the exit status and the change instead.
    """
    from esper_audit.engine.fixes import diff

    path, data = request.paths[0], sys.stdin.buffer.read()
    fixed = pipeline.fix_text(project, request, mode, path, data)
    if not mode.write:
        return (FINDINGS, diff(fixed)) if fixed else (CLEAN, "")
    after = fixed.data if fixed else data
    audit = pipeline.check_text(project, request, path, after)
    status, text = report_audit(audit, CheckCatalogue.of_project(project), output)
    sys.stdout.flush()
    sys.stdout.buffer.write(after)
    sys.stderr.write(text)
    return status, ""


def _fix(
    project: Project,
    request: pipeline.CheckRequest,
    output: OutputOptions,
    mode: FixMode,
) -> tuple[int, str]:
    """Apply or show the fixes.

    Return the exit status and the report for what remains.
    """
    from esper_audit.engine.fixes import diff

    fixes = pipeline.fix(project, request, mode)
    if not mode.write:
        return (FINDINGS if fixes else CLEAN), "".join(map(diff, fixes))
    audit = pipeline.check(project, request)
    status, text = report_audit(audit, CheckCatalogue.of_project(project), output)
    if output.style == "text":
        findings = count(sum(fixed.count for fixed in fixes), "finding")
        text = f"Fixed {findings} in {count(len(fixes), 'file')}.\n{text}"
    return status, text
