"""`esper-audit check`: run the rules over source files."""

from __future__ import annotations

from typing import Any

import click

from esper_audit.cli.check_options import CHECK
from esper_audit.cli.checking import check
from esper_audit.cli.options import declared_options


@click.command("check", short_help="Check source files against the rules.")
@click.argument("paths", nargs=-1)
@declared_options(CHECK)
def command(paths: tuple[str, ...], **options: Any) -> None:
    """Check the Python files in PATHS against the rules.

    Without PATHS, the `paths` of the configuration are checked. The path `-` is the source on stdin,
    where --fix prints the fixed source and --diff the change.

    Exit status: 0 no findings; 1 findings; 2 could not run; 3 something was not looked at.
    """
    check(paths, options)
