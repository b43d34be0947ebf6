"""The root command: the group of all commands."""

from __future__ import annotations

from typing import Any

import click

from esper_audit.cli.screen import errors_reported
from esper_audit.cli.verbs import Verbs

HELP = """Check the contracts of a PyTorch code base.

Exit status: 0 no findings; 1 findings; 2 could not run; 3 something was not looked at.
"""


class Root(Verbs):
    """The group of all commands."""

    def invoke(self, ctx: click.Context) -> Any:
        """Print an EsperAuditError, or one of the system, on standard error and exit with status 2."""
        with errors_reported():
            return super().invoke(ctx)


root = click.version_option(package_name="esper-audit")(Root("esper_audit.cli", HELP))
