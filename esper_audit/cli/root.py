"""The root command: an EsperAuditError becomes one line on standard error and exit status 2."""

from __future__ import annotations

import sys
from typing import Any

import click

from esper_audit.cli import COULD_NOT_RUN
from esper_audit.cli.screen import screen_columns
from esper_audit.cli.verbs import Verbs
from esper_audit.findings.errors import EsperAuditError
from esper_audit.project.atomic_write import reason_of
from esper_audit.text.terminal import laid_out_for

HELP = """Check the contracts of a PyTorch code base.

Exit status: 0 no findings; 1 findings; 2 could not run; 3 something was not looked at.
"""


class Root(Verbs):
    """The group of all commands."""

    def invoke(self, ctx: click.Context) -> Any:
        """Print an EsperAuditError, or one of the system, on standard error and exit with status 2."""
        try:
            with laid_out_for(screen_columns()):
                return super().invoke(ctx)
        except EsperAuditError as error:
            message = str(error)
        except OSError as error:
            place = f"{error.filename}:" if error.filename else "the output cannot be written:"
            message = f"{place} {reason_of(error)}"
        click.echo(f"esper-audit: {message}", err=True)
        sys.exit(COULD_NOT_RUN)


root = click.version_option(package_name="esper-audit")(Root("esper_audit.cli", HELP))
