"""The root command: our own errors become one sentence and exit status 2."""

from __future__ import annotations

import sys
from typing import Any

import click

from esper_audit.cli.verbs import Verbs
from esper_audit.findings.audit import COULD_NOT_RUN
from esper_audit.findings.errors import EsperAuditError

HELP = """Check that a PyTorch code base keeps its contracts.

Exit status: 0 clean; 1 findings; 2 could not run; 3 something was not looked at.
"""


class Root(Verbs):
    """The group of everything."""

    def invoke(self, ctx: click.Context) -> Any:
        """Turn our own errors into one sentence and exit status 2."""
        try:
            return super().invoke(ctx)
        except EsperAuditError as error:
            click.echo(f"esper-audit: {error}", err=True)
            sys.exit(COULD_NOT_RUN)


root = click.version_option(package_name="esper-audit")(Root("esper_audit.cli", HELP))
