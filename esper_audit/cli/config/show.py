"""`esper-audit config show`: the configuration in force, and why each check is on or off."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterator, Sequence

import click
import msgspec

from esper_audit.cli.options import config_option, format_option, split_at_commas
from esper_audit.project.config import Project, find_project
from esper_audit.project.config_origins import ConfigValue, config_values
from esper_audit.project.discovery import relative
from esper_audit.rules.check_reasons import CheckReason, CheckReasons
from esper_audit.rules.selection import Selection
from esper_audit.text.markdown import count
from esper_audit.text.terminal import width

VERSION = 1


@click.command("show", short_help="Show each value, and which checks are on and why.")
@click.argument("path", default="")
@click.option(
    "--select",
    multiple=True,
    metavar="ID,...",
    callback=split_at_commas,
    help="As for `check`.",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="ID,...",
    callback=split_at_commas,
    help="As for `check`.",
)
@format_option()
@config_option
def command(
    path: str, *, select: list[str], ignore: list[str], style: str, config_file: str | None
) -> None:
    """Show the configuration in force, with the origin of each value.

    With PATH, also the checks that are on for that file, and why every other check is off. Without
    PATH, those of production code.
    """
    absolute = os.path.abspath(path)
    project = find_project([absolute] if path else [], config_file)
    shown = relative(project.root, absolute) if path else ""
    reasons = CheckReasons(project, select, ignore)
    Selection(
        reasons.registry,
        project.config,
        where=project.file,
        root=project.root,
        select=select,
        ignore=ignore,
    )
    values = config_values(project)
    checks = reasons.of(shown)
    if style == "json":
        sys.stdout.write(_as_json(project, shown, values, checks))
        return
    of = f"{shown} ({reasons.role(shown).value})" if shown else "production code"
    click.echo("\n".join(_lines(project, of, values, checks)))


def _as_json(
    project: Project, path: str, values: Sequence[ConfigValue], checks: Sequence[CheckReason]
) -> str:
    content = {
        "version": VERSION,
        "file": project.file,
        "root": project.root,
        "values": values,
        "path": path,
        "checks": checks,
    }
    return json.dumps(msgspec.to_builtins(content), indent=2, ensure_ascii=False) + "\n"


def _lines(
    project: Project, of: str, values: Sequence[ConfigValue], checks: Sequence[CheckReason]
) -> Iterator[str]:
    yield f"Configuration: {project.file or 'none found; every value is the default'}"
    yield f"Root: {project.root}"
    longest = max(len(one.key) for one in values)
    for one in values:
        text = json.dumps(one.value, ensure_ascii=False)
        origin = one.origin.removeprefix(project.root + os.sep)
        yield from _row(f"  {one.key:<{longest}} ", f"{text} ({origin})")
    on = [check for check in checks if check.is_on]
    yield ""
    yield f"Checks of {of}: {count(len(on), 'check')} on, {len(checks) - len(on)} off"
    widest = max(len(check.check) for check in checks)
    for check in sorted(checks, key=lambda one: (not one.is_on, one.severity, one.check)):
        state = "on " if check.is_on else "off"
        why = check.why.replace(project.root + os.sep, "")
        yield from _row(f"  {state} {check.severity} {check.check:<{widest}} ", why)


def _row(head: str, text: str) -> list[str]:
    """Return a row of a table, the text wrapped in its column, below the head where that is long."""
    indent = " " * min(len(head), width() // 2)
    return textwrap.wrap(
        text,
        width(),
        initial_indent=head,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
